// Records on their way out: checked against the bounds and sorted by the partition they belong to, before
// anything is sent.

import { recordsOf } from '../../actors/batch.ts';
import { keyHash } from '../../actors/domain/murmur2.ts';
import { baseLayout, chosen, type Layout } from '../../actors/layout.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Layouts } from './kafka-layouts.ts';
import type { NewRecord } from './kafka-records.ts';
import type { Part } from './kafka-transaction.ts';
import type { Outgoing } from './log.ts';

const KEY_BYTES_MAX = 1_024;
const HASHES_MAX = 100_000;

export class Outputs {
  readonly #valueBytesMax: number;
  readonly #layouts: Layouts;
  readonly #hashes = new Map<string, number>();

  constructor(valueBytesMax: number, layouts: Layouts) {
    this.#valueBytesMax = valueBytesMax;
    this.#layouts = layouts;
  }

  /**
   * Under the epoch that will send them: a layout from before it may be the one of before a barrier. Throws a
   * RangeError for a topic that does not exist or a record over its bound.
   */
  async parts(cluster: KafkaCluster, outputs: readonly Outgoing[]): Promise<Part[]> {
    const layouts = await this.#placing(cluster, outputs);
    const parts = new Map<string, { topic: string; partition: number; records: NewRecord[] }>();
    for (const { topic, key, value, partition: choice } of outputs) {
      const layoutOf = (of: string) => layouts.get(of) ?? baseLayout(1);
      for (const partition of chosen(topic, choice, () => this.#hash(key), layoutOf)) {
        const place = `${topic}/${partition}`;
        const part = parts.get(place) ?? { topic, partition, records: [] };
        for (const record of recordsOf(value)) {
          this.#check(key, record);
          part.records.push({ key, value: record });
        }
        parts.set(place, part);
      }
    }
    return [...parts.values()];
  }

  /** Layouts of the topics that are written, and of those beside which something is written. */
  async #placing(cluster: KafkaCluster, outputs: readonly Outgoing[]): Promise<ReadonlyMap<string, Layout>> {
    const found = new Map<string, Layout>();
    for (const { topic, partition } of outputs) {
      for (const each of typeof partition === 'object' ? [topic, partition.beside.topic] : [topic]) {
        if (found.has(each)) continue;
        const record = await this.#layouts.open(each);
        found.set(each, record?.layout ?? baseLayout(await partitionsNow(cluster, each)));
      }
    }
    return found;
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

async function partitionsNow(cluster: KafkaCluster, topic: string): Promise<number> {
  const count = await cluster.use(`partitions of ${topic}`, () => cluster.partitions(topic));
  if (count === 0) throw new RangeError(`topic ${topic} was not created by the bootstrap`);
  return count;
}
