// A TCP proxy in front of a server, whose mood a test changes at any time: what a network and a server under
// stress do to a client. Bytes are passed on as they are.

import { afterAll } from 'bun:test';
import { createServer, type Server, Socket } from 'node:net';

/**
 * pass: all goes through. refuse: every connection is cut at once. hang: what comes is taken and never
 * answered. lose: requests go through, and in place of the reply the connection is cut. tear: a large
 * request is cut in its middle. slow: replies take half a second longer.
 */
export type Mood = 'pass' | 'refuse' | 'hang' | 'lose' | 'tear' | 'slow';

const TORN_AFTER_BYTES = 20_000;
const SLOW_MS = 500;

export class TcpProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #mood: Mood;
  /** Replies that a client did not get. */
  lost = 0;
  /** Requests that were cut. */
  torn = 0;
  /** Called when a reply is lost or a request cut. */
  struck: () => void = () => {};

  private constructor(mood: Mood, to: () => number) {
    this.#mood = mood;
    this.#server = createServer((client) => this.#connected(client, to()));
  }

  /** Listens on a free port of loopback; `to`: port of the server behind it, asked for each connection. */
  static async start(mood: Mood, to: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(mood, to);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** Connections that stand are cut, so that each that follows meets the new mood. */
  turn(mood: Mood): void {
    this.#mood = mood;
    for (const each of this.#open) each.destroy();
  }

  close(): void {
    this.turn('refuse');
    this.#server.close();
  }

  #connected(client: Socket, port: number): void {
    this.#keep(client);
    const mood = this.#mood;
    if (mood === 'refuse') client.destroy();
    if (mood === 'refuse') return;
    if (mood === 'hang') {
      client.resume();
      return;
    }
    const server = new Socket();
    this.#keep(server);
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    let sent = 0;
    client.on('data', (bytes) => {
      sent += bytes.length;
      if (mood === 'tear' && sent > TORN_AFTER_BYTES) {
        this.torn += 1;
        this.struck();
        client.destroy();
      } else server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (mood === 'pass' || mood === 'tear') client.write(bytes);
      else if (mood === 'slow') setTimeout(() => client.write(bytes), SLOW_MS);
      else if (!client.destroyed) {
        this.lost += 1;
        this.struck();
        client.destroy();
      }
    });
    server.connect(port, '127.0.0.1');
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => socket.destroy());
  }
}

/** Call at the top of a test file; all that it starts is closed when the tests have run. */
export function proxiesForTests(): (mood: Mood, to: () => number) => Promise<TcpProxy> {
  const started: TcpProxy[] = [];
  afterAll(() => {
    for (const proxy of started) proxy.close();
  });
  return async (mood, to) => {
    const proxy = await TcpProxy.start(mood, to);
    started.push(proxy);
    return proxy;
  };
}
