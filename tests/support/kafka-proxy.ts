// A proxy before a broker that knows the frames of Kafka's protocol, so that a test says which answer is
// lost and when: after the broker did what it was asked, or before it heard of it. Frames are passed on as
// they are.

import { afterAll } from 'bun:test';
import { createServer, type Server, Socket } from 'node:net';

export const API = {
  Produce: 0,
  Fetch: 1,
  Metadata: 3,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  OffsetFetch: 9,
  FindCoordinator: 10,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  OffsetCommit: 8,
  TxnOffsetCommit: 28,
} as const;
export type Api = keyof typeof API;

/**
 * `before`: the request never arrives, and the connection is cut. `after`: the broker has answered, and in
 * place of the answer the connection is cut. `torn`: half of the answer arrives before the cut. `silent`: the
 * broker has answered, and nothing comes through on this connection any more. `late`: the answer arrives, but
 * later than anybody waits.
 */
export type Fault = 'before' | 'after' | 'torn' | 'silent' | 'late';
export const FAULTS: readonly Fault[] = ['before', 'after', 'torn', 'silent', 'late'];

interface Armed {
  readonly api: Api;
  readonly fault: Fault;
  /** So many go through before. */
  skip: number;
  /** How often; counted down. */
  left: number;
}

type Met = Pick<Armed, 'api' | 'fault'>;

/** Bytes that come in pieces, cut into frames of a length and so many bytes. */
class Frames {
  #bytes: Buffer = Buffer.alloc(0);

  *add(more: Buffer): Iterable<Buffer> {
    this.#bytes = Buffer.concat([this.#bytes, more]);
    while (this.#bytes.length >= 4) {
      const length = 4 + this.#bytes.readInt32BE(0);
      if (this.#bytes.length < length) return;
      yield this.#bytes.subarray(0, length);
      this.#bytes = this.#bytes.subarray(length);
    }
  }
}

export class KafkaProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #lateMs: number;
  readonly #armed: Armed[] = [];
  /** Port of the broker. */
  to = 0;
  /** Faults that happened. */
  readonly met: string[] = [];
  /** Called in the moment in which a request is not passed on, or its answer is there and is not. */
  struck: (api: Api, fault: Fault) => void = () => {};

  private constructor(lateMs: number) {
    this.#lateMs = lateMs;
    this.#server = createServer((client) => this.#connected(client));
  }

  static async start(lateMs: number): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(lateMs);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** After `skip` of them, the next `times` of these requests meet the fault. */
  arm(api: Api, fault: Fault, times = 1, skip = 0): void {
    this.#armed.push({ api, fault, skip, left: times });
  }

  /** No fault is waiting any more. */
  calm(): void {
    this.#armed.length = 0;
  }

  /** Every connection that stands is cut. */
  cut(): void {
    for (const each of this.#open) each.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #connected(client: Socket): void {
    const broker = new Socket();
    this.#keep(client);
    this.#keep(broker);
    client.on('close', () => broker.destroy());
    broker.on('close', () => client.destroy());
    const asked = new Map<number, Met>();
    const [requests, answers] = [new Frames(), new Frames()];
    let silent = false;
    client.on('data', (bytes: Buffer) => {
      for (const frame of requests.add(bytes)) {
        const met = this.#draw(frame.readInt16BE(4));
        if (met?.fault === 'before') {
          this.struck(met.api, met.fault);
          return void client.destroy();
        }
        if (met !== null) asked.set(frame.readInt32BE(8), met);
        if (!silent) broker.write(frame);
      }
    });
    broker.on('data', (bytes: Buffer) => {
      for (const frame of answers.add(bytes)) {
        const met = asked.get(frame.readInt32BE(4));
        const fault = met?.fault;
        if (met !== undefined) this.struck(met.api, met.fault);
        silent ||= fault === 'silent';
        if (silent) continue;
        if (fault === 'late') setTimeout(() => client.write(frame), this.#lateMs);
        else if (fault === undefined) client.write(frame);
        else if (fault === 'torn') client.end(frame.subarray(0, frame.length >> 1));
        else client.destroy();
      }
    });
    broker.connect(this.to, '127.0.0.1');
  }

  #draw(key: number): Met | null {
    const armed = this.#armed.find((each) => each.left > 0 && API[each.api] === key);
    if (armed === undefined) return null;
    armed.skip -= 1;
    if (armed.skip >= 0) return null;
    armed.left -= 1;
    this.met.push(`${armed.api} ${armed.fault}`);
    return armed;
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => socket.destroy());
  }
}

/** Call at the top of a test file; what it starts is closed when the tests have run. */
export function kafkaProxyForTests(): (lateMs: number) => Promise<KafkaProxy> {
  const started: KafkaProxy[] = [];
  afterAll(() => {
    for (const proxy of started) proxy.close();
  });
  return async (lateMs) => {
    const proxy = await KafkaProxy.start(lateMs);
    started.push(proxy);
    return proxy;
  };
}
