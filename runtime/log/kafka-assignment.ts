// What members of a group tell each other through the coordinator, in the consumer protocol's own form: who
// they are when they join, and what they own when somebody has split the partitions.

import { BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { TopicPartition } from './log.ts';

export interface About {
  readonly worker: string;
  readonly startedMs: number;
  /** Where its process answers for the group; null: nowhere. */
  readonly url: string | null;
  readonly topics: readonly string[];
}

export function memberBytes({ topics, ...about }: About): Buffer {
  const metadata: BytesWriter = new BytesWriter().int16(0);
  metadata.array(topics, (topic) => metadata.string(topic));
  const told = Buffer.from(JSON.stringify(about));
  return Buffer.from(metadata.int32(told.length).raw(told).written);
}

export function readMember(bytes: Buffer): About {
  const reader = new BytesReader(bytes);
  reader.int16();
  const topics = reader.array(() => reader.string() ?? '');
  const {
    worker = '',
    startedMs = 0,
    url = null,
  }: Partial<About> = JSON.parse(new TextDecoder().decode(reader.raw(reader.int32())));
  return { worker, startedMs, url, topics };
}

/** `peers`: where the processes of the group answer. */
export function assignmentBytes(
  topics: readonly string[],
  owns: readonly TopicPartition[],
  peers: readonly string[],
): Buffer {
  const assignment = new BytesWriter().int16(0);
  assignment.array(topics, (topic) => {
    const partitions = owns.filter((of) => of.topic === topic);
    assignment.string(topic).array(partitions, ({ partition }) => assignment.int32(partition));
  });
  const told = Buffer.from(JSON.stringify(peers));
  return Buffer.from(assignment.int32(told.length).raw(told).written);
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[];
  readonly peers: readonly string[];
}

export function readAssignment(bytes: Buffer): Assignment {
  const reader = new BytesReader(bytes);
  if (reader.left < 2) return { partitions: [], peers: [] };
  reader.int16();
  const topics = reader.array(() => ({
    topic: reader.string() ?? '',
    partitions: reader.array(() => reader.int32()),
  }));
  const told = reader.left < 4 ? 0 : reader.int32();
  const peers: readonly string[] = told <= 0 ? [] : JSON.parse(new TextDecoder().decode(reader.raw(told)));
  const partitions = topics.flatMap(({ topic, partitions: of }) =>
    of.map((partition) => ({ topic, partition })),
  );
  return { partitions, peers };
}
