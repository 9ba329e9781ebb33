// Reads the log as a group member does, for the conformance suite: waits for assignments, polls in turn, and
// copies what it read, so that a test compares plain values.

import type { Batch, Log, Member, TopicPartition } from '../../runtime/log/log.ts';
import { until } from '../support/until.ts';

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
}

const decoder = new TextDecoder();
const placeOf = (of: TopicPartition): string => `${of.topic}/${of.partition}`;

export function recordsOf(batch: Batch): ReadRecord[] {
  return Array.from({ length: batch.count }, (_, index) => ({
    partition: batch.partition,
    offset: batch.offset(index),
    key: batch.key(index),
    value: decoder.decode(batch.value(index)),
  }));
}

export class Reader {
  readonly member: Member;
  #partitions: readonly TopicPartition[] = [];
  #generation = -1;

  private constructor(member: Member) {
    this.member = member;
    member.assigned((partitions, generation) => {
      this.#partitions = partitions;
      this.#generation = generation;
    });
  }

  /** Joins; resolves with the first assignment, which may be of no partitions. */
  static async join(log: Log, group: string, topics: readonly string[]): Promise<Reader> {
    const reader = new Reader(await log.join(group, topics));
    await until(`an assignment of ${group}`, () => reader.#generation >= 0);
    return reader;
  }

  get partitions(): readonly TopicPartition[] {
    return this.#partitions;
  }

  get generation(): number {
    return this.#generation;
  }

  owns(of: TopicPartition): boolean {
    return this.#partitions.some((each) => placeOf(each) === placeOf(of));
  }

  /** Exactly `count` records of the partitions owned, each partition in turn; positions move on. */
  async take(count: number, recordsMax = 1_000): Promise<ReadRecord[]> {
    const found: ReadRecord[] = [];
    await until(`${count} records`, async () => {
      for (const of of this.#partitions) {
        const batch = await this.member.poll(of, recordsMax);
        if (batch !== null) found.push(...recordsOf(batch));
      }
      return found.length >= count;
    });
    return found;
  }

  /** The next batch of one partition. */
  next(of: TopicPartition, recordsMax = 1_000): Promise<Batch> {
    return until(`a batch of ${placeOf(of)}`, () => this.member.poll(of, recordsMax));
  }

  async state(of: TopicPartition): Promise<[string, string][]> {
    const found: [string, string][] = [];
    for await (const [key, value] of this.member.state(of)) found.push([key, decoder.decode(value)]);
    return found;
  }
}

/** Everything that stands in a partition now. */
export async function everything(log: Log, of: TopicPartition, recordsMax = 1_000): Promise<ReadRecord[]> {
  const found: ReadRecord[] = [];
  for (let from = 0; ; ) {
    const batch = await log.read(of, from, recordsMax);
    if (batch === null) return found;
    found.push(...recordsOf(batch));
    from = batch.nextOffset;
  }
}
