// What goes over one connection to a broker: requests of our own beside the client's, and when a connection
// is given up. Who is asked, and when again, is decided elsewhere.

import type ConnectionPool from 'kafkajs/src/network/connectionPool.js';
import type { Exchange } from 'kafkajs/src/network/connectionPool.js';
import socketFactory, { type SocketFactory } from 'kafkajs/src/network/socketFactory.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { BytesReader, type BytesWriter } from './kafka-bytes.ts';
import { errorType, HungUp } from './kafka-fault.ts';

/** A request of ours, besides those that the client encodes. */
export interface Request<T> {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  readonly body: BytesWriter;
  readonly read: (answer: BytesReader) => T;
  /** Newer requests and answers: their headers end in tags, which the client does not write or read. */
  readonly isFlexible?: boolean;
  readonly timeoutMs?: number;
}

const BROKEN: ReadonlySet<string> = new Set([
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSRequestTimeoutError',
]);

const API_VERSIONS = 18;
const NO_TAGS = Buffer.of(0);

/** `closed`: a connection has ended, also one on which nothing was under way. */
export function tellingWhenClosed(closed: () => void): SocketFactory {
  const connect = socketFactory();
  return (to) => {
    const socket = connect(to);
    return socket.once('connect', () => socket.once('close', closed));
  };
}

/** A connection that broke, or left a request unanswered, is not used again: the pool would connect anew. */
export function dropWhenBroken(
  pool: ConnectionPool,
  where: string,
  { drop, isDropped }: { readonly drop: () => void; readonly isDropped: () => boolean },
): void {
  const send = pool.send.bind(pool);
  let served = false;
  pool.send = async (exchanged) => {
    if (isDropped()) throw new Error(`the connection to ${where} was given up`);
    try {
      const answer = await send(exchanged);
      served ||= exchanged.request.apiKey !== API_VERSIONS;
      return answer;
    } catch (error) {
      if (BROKEN.has(errorType(error))) drop();
      const hungUp = !served && errorType(error) === 'KafkaJSConnectionClosedError';
      throw hungUp ? new HungUp(where, error) : error;
    }
  };
}

export function exchange<T>(request: Request<T>): Exchange<T> {
  const { apiKey, apiName, apiVersion, body, isFlexible = false, read, timeoutMs } = request;
  const bytes = isFlexible ? Buffer.concat([NO_TAGS, body.written]) : Buffer.from(body.written);
  const encoded = new Encoder().writeBuffer(bytes);
  return {
    request: { apiKey, apiName, apiVersion, encode: async () => encoded },
    response: {
      decode: async (answer) => {
        const reader = new BytesReader(answer);
        if (isFlexible) reader.skipTags();
        return { value: read(reader) };
      },
      parse: async ({ value }) => value,
    },
    ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }),
  };
}
