// Committed offsets of a group, each with the token of the commit that moved it there.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { byTopic } from './kafka-places.ts';
import type { TopicPartition } from './log.ts';

export interface CommittedOffset extends TopicPartition {
  readonly offset: number;
  readonly token: string;
}

/** A transaction holds an offset of this partition, whose outcome its group does not know. */
const UNSTABLE_OFFSET = 88;

/** Every partition that the group has ever committed. */
export async function committedOffsets(
  cluster: KafkaCluster,
  group: string,
): Promise<readonly CommittedOffset[]> {
  return cluster.use(`offsets of ${group}`, async () => {
    const node = await cluster.coordinator('group', group);
    return (await node.send(request(group, null))).filter(isCommitted);
  });
}

/** Null: never committed. Final once the partition's transactional id has got a new epoch. */
export async function committedOffset(
  cluster: KafkaCluster,
  group: string,
  of: TopicPartition,
): Promise<CommittedOffset | null> {
  return cluster.use(`offset of ${group} in ${of.topic}/${of.partition}`, async () => {
    const node = await cluster.coordinator('group', group);
    const [found] = await node.send(request(group, of));
    return found !== undefined && isCommitted(found) ? found : null;
  });
}

/** Whether a transaction holds an offset of this partition, whose outcome the group does not know. */
export async function offsetIsOpen(
  cluster: KafkaCluster,
  group: string,
  of: TopicPartition,
): Promise<boolean> {
  const node = await cluster.coordinator('group', group);
  const [found] = await node.send(request(group, of, true));
  return found?.isOpen ?? false;
}

interface Answer extends CommittedOffset {
  readonly isOpen: boolean;
}

const isCommitted = ({ offset }: Answer): boolean => offset >= 0;

/** `stable`: an open offset is said instead of the one before it. */
function request(group: string, of: TopicPartition | null, stable = false): Request<Answer[]> {
  const body = new BytesWriter().text(group);
  body.compact(of === null ? null : byTopic([of]), (each) => body.partitions(each));
  body.int8(stable ? 1 : 0).untagged();
  return { apiKey: 9, apiName: 'OffsetFetch', apiVersion: 7, isFlexible: true, body, read };
}

function read(answer: BytesReader): Answer[] {
  answer.int32();
  const found = answer.partitions((topic) => one(answer, topic));
  throwIfFailed(answer.int16());
  return found;
}

function one(answer: BytesReader, topic: string): Answer {
  const partition = answer.int32();
  const offset = answer.int64();
  answer.int32();
  const token = answer.text();
  const failure = answer.int16();
  answer.skipTags();
  if (failure !== UNSTABLE_OFFSET) throwIfFailed(failure);
  return { topic, partition, offset, token, isOpen: failure === UNSTABLE_OFFSET };
}
