// Committed offsets of a group, each with the token of the commit that moved it there.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import type { TopicPartition } from './log.ts';

export interface CommittedOffset extends TopicPartition {
  readonly offset: number;
  readonly token: string;
}

/** Every partition that the group has ever committed. */
export async function committedOffsets(
  cluster: KafkaCluster,
  group: string,
): Promise<readonly CommittedOffset[]> {
  return cluster.use(`offsets of ${group}`, async () => {
    const node = await cluster.coordinator('group', group);
    return node.send(request(group, null));
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
    return found ?? null;
  });
}

function request(group: string, of: TopicPartition | null): Request<CommittedOffset[]> {
  const body = new BytesWriter().string(group);
  if (of === null) body.int32(-1);
  else body.int32(1).string(of.topic).int32(1).int32(of.partition);
  return { apiKey: 9, apiName: 'OffsetFetch', apiVersion: 5, body, read };
}

function read(answer: BytesReader): CommittedOffset[] {
  answer.int32();
  const found: CommittedOffset[] = [];
  answer.array(() => {
    const topic = answer.string() ?? '';
    answer.array(() => {
      const partition = answer.int32();
      const offset = answer.int64();
      answer.int32();
      const token = answer.string() ?? '';
      throwIfFailed(answer.int16());
      if (offset >= 0) found.push({ topic, partition, offset, token });
    });
  });
  throwIfFailed(answer.int16());
  return found;
}
