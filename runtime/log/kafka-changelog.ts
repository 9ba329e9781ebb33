// Stored state as a compacted topic: `<group>.changelog.v1`, partition p beside input partition p, so that
// what a commit writes and what a restore reads stand in one place. A key carries the input partition it
// belongs to; a null value removes it. All writers without input share `writers.changelog.v1`.

import type { KafkaCluster } from './kafka-cluster.ts';
import { ends, fetchPartition, firstOffset } from './kafka-fetch.ts';
import { type NewRecord, recordKey, recordValue } from './kafka-records.ts';
import type { Part } from './kafka-transaction.ts';
import type { StateChange, TopicPartition } from './log.ts';

export const WRITERS_CHANGELOG = 'writers.changelog.v1';
const WAIT_MS = 10;

const SUFFIX = '.changelog.v1';

export function changelogTopic(group: string): string {
  return `${group}${SUFFIX}`;
}

/** Of any group, or of the writers. */
export function isChangelog(topic: string): boolean {
  return topic.endsWith(SUFFIX);
}

/** Whose state it is: an input partition, or a writer. */
export function ownerOf(of: TopicPartition | string): string {
  return typeof of === 'string' ? `${of}\u0000` : `${of.topic}/${of.partition}\u0000`;
}

export function changelogPart(at: TopicPartition, owner: string, state: readonly StateChange[]): Part {
  const records = state.map(({ key, value }): NewRecord => ({ key: owner + key, value }));
  return { ...at, records };
}

/**
 * The last value of each of the owner's keys, keys in the order of their bytes, up to everything that was
 * appended before the call. Throws LogFault.
 */
export async function readChangelog(
  cluster: KafkaCluster,
  at: TopicPartition,
  owner: string,
  bytesMax: number,
): Promise<[key: string, value: Uint8Array][]> {
  const found = new Map<string, Uint8Array>();
  const end = (await ends(cluster, [at])).get(`${at.topic}/${at.partition}`) ?? 0;
  let position = await firstOffset(cluster, at);
  while (position < end) {
    const { runs, nextOffset } = await fetchPartition(cluster, at, position, bytesMax, () => {});
    for (const run of runs) {
      for (let n = 0; n < run.count; n += 1) {
        const key = recordKey(run, n);
        if (!key.startsWith(owner)) continue;
        const value = recordValue(run, n);
        if (value === null) found.delete(key);
        else found.set(key, value.slice());
      }
    }
    // A transaction of a neighbour is still open here: it ends, or its coordinator ends it.
    if (nextOffset === position) await Bun.sleep(WAIT_MS);
    position = nextOffset;
  }
  const sorted = [...found].map(([key, value]) => ({ key, bytes: Buffer.from(key), value }));
  sorted.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return sorted.map(({ key, value }) => [key.slice(owner.length), value]);
}
