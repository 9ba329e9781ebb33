// How records get into the embedded log: sorted by partition, cut into stored batches, written inside the
// caller's transaction, and at hand for readers once that is durable.

import type { Store } from './embedded-store.ts';
import type { Outgoing, TopicSpec } from './log.ts';
import { keyHash } from './murmur2.ts';
import { RecentBatches } from './recent-batches.ts';
import { BatchWriter } from './stored-batch.ts';

export const PARTITIONS_MAX = 10_000;
const CACHED_KEYS_MAX = 100_000;

export interface Topic extends TopicSpec {
  readonly id: number;
}

export class Appender {
  readonly recent = new RecentBatches();
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #writers = new Map<number, BatchWriter>();
  readonly #hashes = new Map<string, number>();

  constructor(store: Store, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** A transaction; what it writes is at hand for readers once it is durable. */
  transaction(work: () => void): void {
    try {
      this.#store.transaction(work);
      this.recent.keep();
    } catch (error) {
      this.recent.forget();
      throw error;
    }
  }

  /** Within a transaction. Throws a RangeError for a topic that does not exist or a record over its bound. */
  write(outputs: readonly Outgoing[], topics: ReadonlyMap<string, Topic>): void {
    const touched = new Set<number>();
    const nowMs = this.#nowMs();
    try {
      for (const { topic, key, value, partition } of outputs) {
        const spec = topics.get(topic);
        if (spec === undefined) throw new RangeError(`topic ${topic} was not created by the bootstrap`);
        const tp = spec.id * PARTITIONS_MAX + (partition ?? this.#partitionOf(key, spec.partitions));
        touched.add(tp);
        const writer = this.#writers.get(tp) ?? new BatchWriter();
        this.#writers.set(tp, writer);
        writer.add(key, value);
        if (!writer.full) continue;
        this.#finish(tp, writer, nowMs);
        touched.delete(tp);
      }
      for (const tp of touched) {
        const writer = this.#writers.get(tp);
        if (writer !== undefined) this.#finish(tp, writer, nowMs);
      }
    } catch (error) {
      for (const tp of touched) this.#writers.delete(tp);
      throw error;
    }
  }

  #finish(tp: number, writer: BatchWriter, nowMs: number): void {
    const { stored, opened } = writer.finish(this.#store.end(tp), nowMs);
    this.#store.addBatch(tp, stored);
    this.recent.add(tp, opened);
  }

  #partitionOf(key: string, partitions: number): number {
    const cached = this.#hashes.get(key);
    if (cached !== undefined) return cached % partitions;
    if (this.#hashes.size >= CACHED_KEYS_MAX) this.#hashes.clear();
    const hash = keyHash(key);
    this.#hashes.set(key, hash);
    return hash % partitions;
  }
}
