// Ports that nobody listens on now, for servers that want theirs told in advance. They lie below those that
// the system gives to whoever asks for any, so that a server that is away for a moment finds its own free.

const [FROM, TO] = [10_000, 32_000];
const TRIES_MAX = 1_000;

/** `count` different ones on loopback. */
export function freePorts(count: number): number[] {
  const held: Bun.TCPSocketListener[] = [];
  for (let tries = 0; held.length < count; tries += 1) {
    if (tries > TRIES_MAX) throw new Error(`no free port in ${FROM}–${TO}`);
    const port = FROM + Math.floor(Math.random() * (TO - FROM));
    try {
      held.push(Bun.listen({ hostname: '127.0.0.1', port, socket: { data: () => {} } }));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    }
  }
  const ports = held.map((each) => each.port);
  for (const each of held) each.stop(true);
  return ports;
}
