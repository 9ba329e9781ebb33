// How far a group is behind, by partition: what the coordinator tells, and what this process committed itself
// a moment ago.

import type { KafkaCluster } from './kafka-cluster.ts';
import { ends, firstOffset } from './kafka-fetch.ts';
import { committedOffsets } from './kafka-offsets.ts';
import { placeOf } from './kafka-places.ts';
import type { PartitionLag, TopicPartition } from './log.ts';

/** Of `topics`; of none: what the group ever committed. `own`: what this process committed. */
export async function lagOf(
  cluster: KafkaCluster,
  group: string,
  topics: readonly string[],
  own: readonly (readonly [place: string, offset: number])[],
): Promise<readonly PartitionLag[]> {
  const committed = await committedOffsets(cluster, group);
  const known = new Map(committed.map((each) => [placeOf(each), each.offset]));
  for (const [place, offset] of own) known.set(place, Math.max(offset, known.get(place) ?? 0));
  const partitions: TopicPartition[] = [];
  for (const topic of topics) {
    const count = await cluster.partitions(topic);
    for (let partition = 0; partition < count; partition += 1) partitions.push({ topic, partition });
  }
  const asked = topics.length === 0 ? committed : partitions;
  const found = await ends(cluster, asked);
  return Promise.all(
    asked.map(async ({ topic, partition }) => {
      const of = { topic, partition };
      const from = known.get(placeOf(of)) ?? (await firstOffset(cluster, of));
      const end = Math.max(from, found.get(placeOf(of)) ?? from);
      return { ...of, committed: from, end, lag: end - from };
    }),
  );
}
