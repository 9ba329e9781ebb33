// Reads outside any group. A process reads its own writes: what it committed is waited for, because brokers
// answer a commit a moment before they show it.

import type { KafkaCluster } from './kafka-cluster.ts';
import { fetchPartition, firstOffset, offsetAtTime, stableEnd } from './kafka-fetch.ts';
import { placeOf } from './kafka-places.ts';
import { batchOver } from './kafka-records.ts';
import type { Batch, TopicPartition } from './log.ts';

const VISIBLE_MS_MAX = 10_000;
const VISIBLE_LOOK_MS = 2;

export class Reads {
  readonly #cluster: KafkaCluster;
  readonly #fetchBytesMax: number;
  /** Ends of what this process committed. */
  readonly #ends = new Map<string, number>();

  constructor(cluster: KafkaCluster, fetchBytesMax: number) {
    this.#cluster = cluster;
    this.#fetchBytesMax = fetchBytesMax;
  }

  readonly committed = (found: ReadonlyMap<string, number>): void => {
    for (const [place, end] of found) this.#ends.set(place, end);
  };

  /** First offset of a record at or after the time; the end when there is none. */
  async offsetAt(of: TopicPartition, timestampMs: number): Promise<number> {
    const end = await this.end(of);
    const from = await offsetAtTime(this.#cluster, of, timestampMs);
    for (let at = from < 0 ? end : from; at < end; ) {
      const batch = await this.read(of, at, 1_000);
      if (batch === null) return end;
      for (let n = 0; n < batch.count; n += 1) {
        if (batch.timestampMs(n) >= timestampMs) return batch.offset(n);
      }
      at = batch.nextOffset;
    }
    return end;
  }

  async read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null> {
    const own = this.#ends.get(placeOf(of)) ?? 0;
    const deadline = performance.now() + VISIBLE_MS_MAX;
    for (let at = fromOffset; ; ) {
      const decoded = await fetchPartition(this.#cluster, of, at, this.#fetchBytesMax, () => {});
      const waits = decoded.stableEnd < own && performance.now() < deadline;
      if (decoded.runs.length > 0 && !waits) return batchOver(of, decoded, 0, recordsMax);
      if (waits) await Bun.sleep(VISIBLE_LOOK_MS);
      else if (decoded.nextOffset > at) at = decoded.nextOffset;
      else return null;
    }
  }

  start(of: TopicPartition): Promise<number> {
    return firstOffset(this.#cluster, of);
  }

  async end(of: TopicPartition): Promise<number> {
    const own = this.#ends.get(placeOf(of)) ?? 0;
    const deadline = performance.now() + VISIBLE_MS_MAX;
    for (;;) {
      const end = await stableEnd(this.#cluster, of);
      if (end >= own || performance.now() > deadline) return end;
      await Bun.sleep(VISIBLE_LOOK_MS);
    }
  }
}
