// Records on their way out: checked against the bounds and sorted by the partition they belong to, before
// anything is sent.

import { recordsOf } from '../../actors/batch.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { NewRecord } from './kafka-records.ts';
import type { Part } from './kafka-transaction.ts';
import type { Outgoing } from './log.ts';
import { keyHash } from './murmur2.ts';

const KEY_BYTES_MAX = 1_024;
const HASHES_MAX = 100_000;

export class Outputs {
  readonly #valueBytesMax: number;
  readonly #hashes = new Map<string, number>();

  constructor(valueBytesMax: number) {
    this.#valueBytesMax = valueBytesMax;
  }

  /** Throws a RangeError for a topic that does not exist or a record over its bound. */
  async parts(cluster: KafkaCluster, outputs: readonly Outgoing[]): Promise<Part[]> {
    const counts = new Map<string, number>();
    for (const { topic } of outputs) {
      if (counts.has(topic)) continue;
      const count = await cluster.use(`partitions of ${topic}`, () => cluster.partitions(topic));
      if (count === 0) throw new RangeError(`topic ${topic} was not created by the bootstrap`);
      counts.set(topic, count);
    }
    const parts = new Map<string, { topic: string; partition: number; records: NewRecord[] }>();
    for (const { topic, key, value, partition: chosen } of outputs) {
      const count = counts.get(topic) ?? 1;
      const partition = chosen ?? this.#hash(key) % count;
      if (partition < 0 || partition >= count) throw new RangeError(`${topic} has no ${partition}`);
      const place = `${topic}/${partition}`;
      const part = parts.get(place) ?? { topic, partition, records: [] };
      for (const record of recordsOf(value)) {
        this.#check(key, record);
        part.records.push({ key, value: record });
      }
      parts.set(place, part);
    }
    return [...parts.values()];
  }

  #check(key: string, value: string | Uint8Array): void {
    const most = typeof value === 'string' ? value.length * 3 : value.length;
    const over = most > this.#valueBytesMax && Buffer.byteLength(value) > this.#valueBytesMax;
    if (over || Buffer.byteLength(key) > KEY_BYTES_MAX) {
      throw new RangeError(`record '${key.slice(0, 80)}' is over the bound of the log`);
    }
  }

  #hash(key: string): number {
    const found = this.#hashes.get(key);
    if (found !== undefined) return found;
    if (this.#hashes.size >= HASHES_MAX) this.#hashes.clear();
    const hash = keyHash(key);
    this.#hashes.set(key, hash);
    return hash;
  }
}
