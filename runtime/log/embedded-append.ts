// How records get into the embedded log: sorted by partition, cut into batches and packed before the caller's
// transaction, written inside it, and at hand for readers once that is durable.

import { keyHash } from '../../actors/domain/murmur2.ts';
import { chosen, type Layout } from '../../actors/layout.ts';
import { BatchWriter } from './batch-writer.ts';
import type { Store } from './embedded-store.ts';
import type { Outgoing, TopicSpec } from './log.ts';
import { RecentBatches } from './recent-batches.ts';
import { Opened, type Packed, storedAt } from './stored-batch.ts';

export const PARTITIONS_MAX = 10_000;
const CACHED_KEYS_MAX = 100_000;
const IDLE_WRITERS_MAX = 32;
const PACKING_MAX = 4;

export interface Topic extends TopicSpec {
  readonly id: number;
  readonly layout: Layout;
}

/** A packed batch and the partition that it goes to. */
export interface Cut {
  readonly tp: number;
  readonly packed: Packed;
}

export class Appender {
  readonly recent = new RecentBatches();
  readonly #store: Store;
  readonly #nowMs: () => number;
  /** Writers between two batches: their buffers have grown to what batches need. */
  readonly #idle: BatchWriter[] = [];
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

  /**
   * Sorts outputs by partition and packs them, beside this thread. Throws a RangeError for a topic that does
   * not exist or a record over its bound.
   */
  async pack(outputs: readonly Outgoing[], topics: ReadonlyMap<string, Topic>): Promise<readonly Cut[]> {
    const writers = new Map<number, BatchWriter>();
    const cuts: Promise<Cut>[] = [];
    const take = (tp: number): BatchWriter => {
      const writer = this.#idle.pop() ?? new BatchWriter();
      writers.set(tp, writer);
      return writer;
    };
    const layoutOf = (topic: string): Layout => topicOf(topics, topic).layout;
    for (const { topic, key, value, partition: choice } of outputs) {
      const { id } = topicOf(topics, topic);
      for (const partition of chosen(topic, choice, () => this.#hash(key), layoutOf)) {
        const tp = id * PARTITIONS_MAX + partition;
        const writer = writers.get(tp) ?? take(tp);
        writer.add(key, value);
        if (!writer.full) continue;
        const cut = this.#cut(tp, writer);
        cuts.push(cut);
        writers.delete(tp);
        // Few at once, so that few buffers serve a large commit.
        if (cuts.length >= PACKING_MAX) await cuts[cuts.length - PACKING_MAX];
      }
    }
    for (const [tp, writer] of writers) cuts.push(this.#cut(tp, writer));
    return Promise.all(cuts);
  }

  async #cut(tp: number, writer: BatchWriter): Promise<Cut> {
    const packed = await writer.finish();
    if (this.#idle.length < IDLE_WRITERS_MAX) this.#idle.push(writer);
    return { tp, packed };
  }

  /** Within a transaction: what was packed goes to the end of its partitions, in order. */
  write(cuts: readonly Cut[]): void {
    const appendedMs = this.#nowMs();
    for (const { tp, packed } of cuts) {
      const stored = storedAt(packed, this.#store.end(tp), appendedMs);
      this.#store.addBatch(tp, stored);
      this.recent.add(tp, new Opened(stored, packed.plain));
    }
  }

  #hash(key: string): number {
    const cached = this.#hashes.get(key);
    if (cached !== undefined) return cached;
    if (this.#hashes.size >= CACHED_KEYS_MAX) this.#hashes.clear();
    const hash = keyHash(key);
    this.#hashes.set(key, hash);
    return hash;
  }
}

function topicOf(topics: ReadonlyMap<string, Topic>, name: string): Topic {
  const topic = topics.get(name);
  if (topic === undefined) throw new RangeError(`topic ${name} was not created by the bootstrap`);
  return topic;
}
