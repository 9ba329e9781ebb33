// A writer without input, with a cursor of its own: its records and its state in one transaction. The last
// commit's token stands beside its state, so that the outcome of a commit whose answer was lost is found out.

import { changelogPart, ownerOf, readChangelog, WRITERS_CHANGELOG } from './kafka-changelog.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { Epochs } from './kafka-epochs.ts';
import { asKafkaFault, errorType, FENCED } from './kafka-fault.ts';
import { writerId } from './kafka-ids.ts';
import type { Layouts } from './kafka-layouts.ts';
import type { Part, TransactionOptions, Transactions } from './kafka-transaction.ts';
import type { Refuse, StateChange } from './log.ts';
import { isHeld, type LogFault, writerHeld } from './log-fault.ts';

export interface WriterPorts {
  readonly cluster: KafkaCluster;
  readonly transactions: TransactionOptions;
  readonly layouts: Layouts;
  readonly fetchBytesMax: number;
  readonly committed: (ends: ReadonlyMap<string, number>) => void;
  readonly note: (cause: string) => void;
}

const AT = { topic: WRITERS_CHANGELOG, partition: 0 };
const TOKEN = '\u0000token';
const REGISTERED = { key: '\u0000writer', value: new Uint8Array() };
const SETTLE_MS_MAX = 120_000;
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 2_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Each by its name, made when it is first asked for. */
export class Writers {
  readonly #ports: WriterPorts;
  readonly #writers = new Map<string, Writer>();

  constructor(ports: WriterPorts) {
    this.#ports = ports;
  }

  of(name: string): Writer {
    const found = this.#writers.get(name);
    if (found !== undefined) return found;
    const writer = new Writer(name, this.#ports);
    this.#writers.set(name, writer);
    this.#ports.cluster.broke.add(() => writer.steadySoon());
    return writer;
  }
}

const STEADY_MS = 1_000;

class Writer {
  readonly #name: string;
  readonly #ports: WriterPorts;
  readonly #epochs: Epochs;
  #producer: Transactions | null = null;
  #soon: ReturnType<typeof setTimeout> | null = null;
  #queue: Promise<void> = Promise.resolve();
  /** Its name stands among the writers, for who has to fence them all. */
  #registered = false;
  /** Asked at the beginning of each epoch. */
  #refuse: Refuse = () => null;
  /** Why nothing is appended any more. */
  #held: LogFault | null = null;

  constructor(name: string, ports: WriterPorts) {
    this.#name = name;
    this.#ports = ports;
    this.#epochs = new Epochs(ports.cluster, writerId(name), ports.transactions);
  }

  /**
   * One append after the other; `made` places the outputs, under the epoch that sends them. Throws a
   * retryable LogFault when the outcome stays unknown for long.
   */
  append(made: () => Promise<readonly Part[]>, state: readonly StateChange[]): Promise<void> {
    const done = this.#queue.then(() => this.#append(made, state));
    this.#queue = done.catch(() => {});
    return done;
  }

  /** An append that is under way ends before. */
  take(refuse: Refuse): void {
    this.#queue = this.#queue.then(() => {
      this.#refuse = refuse;
      this.#held = null;
      this.#producer = null;
    });
  }

  /** A new epoch, as soon as it can: the broker may have the last append in some places only. */
  steadySoon(): void {
    const { cluster } = this.#ports;
    if (this.#soon !== null || !this.#registered) return;
    this.#soon = setTimeout(() => {
      this.#soon = null;
      this.#queue = this.#queue
        .then(async () => {
          // Who stands by has nothing to say: an epoch of his would fence the one that goes on.
          if (this.#held === null && this.#producer?.usable !== true) await this.#newEpoch();
        })
        .catch(() => {
          cluster.stale();
          if (this.#held === null && !cluster.closed) this.steadySoon();
        });
    }, STEADY_MS);
    this.#soon.unref();
  }

  async state(): Promise<ReadonlyMap<string, Uint8Array>> {
    const { cluster, fetchBytesMax } = this.#ports;
    const stored = new Map(await readChangelog(cluster, AT, ownerOf(this.#name), fetchBytesMax));
    for (const own of [TOKEN, REGISTERED.key]) stored.delete(own);
    return stored;
  }

  async #append(made: () => Promise<readonly Part[]>, state: readonly StateChange[]): Promise<void> {
    const { cluster, committed, note } = this.#ports;
    const token = crypto.randomUUID();
    const changes = [...state, { key: TOKEN, value: encoder.encode(token) }];
    const deadline = performance.now() + SETTLE_MS_MAX;
    let sent = false;
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      if (this.#held !== null) throw this.#held;
      try {
        const producer = this.#producer?.usable === true ? this.#producer : await this.#newEpoch();
        if (sent && (await this.#lastToken()) === token) return;
        const parts = await made();
        sent = true;
        committed(await producer.run([...parts, changelogPart(AT, ownerOf(this.#name), changes)], null));
        return;
      } catch (error) {
        if (error instanceof RangeError || isHeld(error)) throw error;
        this.#producer = null;
        cluster.stale();
        const fault = asKafkaFault(error, `append of ${this.#name}`, cluster.target);
        // A new layout fences every writer: it was said when it was decided.
        if (!FENCED.has(errorType(error))) note(fault.message);
        if (!fault.retryable || performance.now() > deadline) throw fault;
        await Bun.sleep(pauseMs);
      }
    }
  }

  async #newEpoch(): Promise<Transactions> {
    const { committed, layouts } = this.#ports;
    this.#producer = null;
    const producer = await this.#epochs.next();
    const first = !this.#registered;
    if (first) committed(await producer.run([changelogPart(AT, ownerOf(this.#name), [REGISTERED])], null));
    this.#registered = true;
    // Behind the registration: who changes a layout and misses it is seen changing it.
    await layouts.refresh();
    const why = this.#refuse(await this.state());
    if (why !== null) this.#held = writerHeld(this.#name, why);
    if (this.#held !== null) throw this.#held;
    this.#producer = producer;
    return producer;
  }

  async #lastToken(): Promise<string | null> {
    const { cluster, fetchBytesMax } = this.#ports;
    const stored = await readChangelog(cluster, AT, ownerOf(this.#name), fetchBytesMax);
    const found = stored.find(([key]) => key === TOKEN);
    return found === undefined ? null : decoder.decode(found[1]);
  }
}
