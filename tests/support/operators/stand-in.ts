// A stand-in of an operator on loopback that speaks TLS and HTTP by hand, so that it can do what no honest
// server does: cut a body, reset a connection, drip, lie about a length. It keeps what it was asked and when.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Identity } from './certificates.ts';
import type { Answer } from './oasis.ts';

/** How an answer goes wrong on its way; none: it does not. */
export type Mishap =
  /** The connection is closed, or reset, after this many bytes of the body. */
  | { readonly kind: 'cut' | 'reset'; readonly after: number }
  /** A byte at a time, so many milliseconds apart. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** Nothing is ever answered. */
  | { readonly kind: 'silence' };

export type Play = Answer & { readonly mishap?: Mishap };

export interface Asked {
  readonly atMs: number;
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StandIn extends AsyncDisposable {
  readonly port: number;
  readonly asked: readonly Asked[];
  /** Names that clients gave in their handshakes. */
  readonly names: readonly string[];
}

/** `identity` null: plain HTTP. Times of arrival are of this process, monotonic. */
export async function standIn(identity: Identity | null, answer: (asked: Asked) => Play): Promise<StandIn> {
  const asked: Asked[] = [];
  const names: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let head = '';
    socket.on('data', (bytes: Buffer) => {
      head += bytes.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      const request = requestOf(head, performance.now(), identity === null ? 'http' : 'https');
      head = '';
      asked.push(request);
      play(socket, answer(request));
    });
  };
  const server: Server =
    identity === null
      ? createServer(serve)
      : createTlsServer(identity, (socket) => {
          if (typeof socket.servername === 'string') names.push(socket.servername);
          serve(socket);
        });
  server.on('tlsClientError', () => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    asked,
    names,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function requestOf(head: string, atMs: number, scheme: string): Asked {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = first.split(' ');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [name, ...value] = line.split(':');
    if (name !== undefined && value.length > 0) headers[name.toLowerCase()] = value.join(':').trim();
  }
  return { atMs, method, url: new URL(target, `${scheme}://${headers.host ?? 'nobody'}`), headers };
}

function play(socket: Socket, { status, headers, body, mishap }: Play): void {
  if (mishap?.kind === 'silence') return;
  const said = { 'content-length': String(body.length), connection: 'close', ...headers };
  const lines = Object.entries(said).map(([name, value]) => `${name}: ${value}`);
  socket.write(`${[`HTTP/1.1 ${status} whatever`, ...lines].join('\r\n')}\r\n\r\n`);
  if (mishap === undefined) return void socket.end(body);
  if (mishap.kind === 'drip') return drip(socket, body, 0, mishap.everyMs);
  socket.write(body.subarray(0, mishap.after), () => {
    if (mishap.kind === 'cut') socket.end();
    else socket.destroy(new Error('reset'));
  });
}

function drip(socket: Socket, body: Uint8Array, at: number, everyMs: number): void {
  if (socket.destroyed || at >= body.length) return void socket.end();
  socket.write(body.subarray(at, at + 1));
  setTimeout(() => drip(socket, body, at + 1, everyMs), everyMs);
}
