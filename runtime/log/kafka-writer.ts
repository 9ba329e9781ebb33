// A writer without input, with a cursor of its own: its records and its state in one transaction. The last
// commit's token stands beside its state, so that the outcome of a commit whose answer was lost is found out.

import { changelogPart, ownerOf, readChangelog, WRITERS_CHANGELOG } from './kafka-changelog.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { asKafkaFault } from './kafka-fault.ts';
import { type Part, type TransactionOptions, Transactions } from './kafka-transaction.ts';
import type { StateChange } from './log.ts';

export interface WriterPorts {
  readonly cluster: KafkaCluster;
  readonly transactions: TransactionOptions;
  readonly fetchBytesMax: number;
  readonly committed: (ends: ReadonlyMap<string, number>) => void;
  readonly note: (cause: string) => void;
}

const AT = { topic: WRITERS_CHANGELOG, partition: 0 };
const TOKEN = '\u0000token';
const SETTLE_MS_MAX = 120_000;
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 2_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Writer {
  readonly #name: string;
  readonly #ports: WriterPorts;
  #producer: Transactions | null = null;
  #queue: Promise<void> = Promise.resolve();

  constructor(name: string, ports: WriterPorts) {
    this.#name = name;
    this.#ports = ports;
  }

  /** One append after the other. Throws a retryable LogFault when the outcome stays unknown for long. */
  append(parts: readonly Part[], state: readonly StateChange[]): Promise<void> {
    const done = this.#queue.then(() => this.#append(parts, state));
    this.#queue = done.catch(() => {});
    return done;
  }

  async state(): Promise<ReadonlyMap<string, Uint8Array>> {
    const { cluster, fetchBytesMax } = this.#ports;
    const stored = new Map(await readChangelog(cluster, AT, ownerOf(this.#name), fetchBytesMax));
    stored.delete(TOKEN);
    return stored;
  }

  async #append(parts: readonly Part[], state: readonly StateChange[]): Promise<void> {
    if (parts.length === 0 && state.length === 0) return;
    const { cluster, committed, note } = this.#ports;
    const token = crypto.randomUUID();
    const changes = [...state, { key: TOKEN, value: encoder.encode(token) }];
    const all = [...parts, changelogPart(AT, ownerOf(this.#name), changes)];
    const deadline = performance.now() + SETTLE_MS_MAX;
    let sent = false;
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        const producer = this.#producer ?? (await this.#newEpoch());
        if (sent && (await this.#lastToken()) === token) return;
        sent = true;
        this.#producer = null;
        committed(await producer.run(all, null));
        this.#producer = producer;
        return;
      } catch (error) {
        this.#producer = null;
        cluster.stale();
        const fault = asKafkaFault(error, `append of ${this.#name}`, cluster.target);
        note(fault.message);
        if (!fault.retryable || performance.now() > deadline) throw fault;
        await Bun.sleep(pauseMs);
      }
    }
  }

  async #newEpoch(): Promise<Transactions> {
    const producer = new Transactions(this.#ports.cluster, `writer/${this.#name}`, this.#ports.transactions);
    await producer.init();
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
