// Ports that nobody listens on now, for servers that want theirs told in advance.

/** `count` different ones on loopback. Another process may take one before its server does. */
export async function freePorts(count: number): Promise<number[]> {
  const held = Array.from({ length: count }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => {} } }),
  );
  const ports = held.map((each) => each.port);
  for (const each of held) each.stop(true);
  return ports;
}
