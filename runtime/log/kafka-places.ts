// Partitions by name, and gathered by their topics.

import type { TopicPartition } from './log.ts';

export function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** In the order in which the topics come first. */
export function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  return [...topics].map(([topic, of]) => ({ topic, partitions: of.map(({ partition }) => partition) }));
}
