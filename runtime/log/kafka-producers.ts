// Who has records open in a partition, as its leader has it.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Node } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { byTopic } from './kafka-places.ts';
import type { TopicPartition } from './log.ts';

const DESCRIBE_PRODUCERS = 61;

/** Records that wait for the outcome of their transaction. */
export interface OpenRecords extends TopicPartition {
  readonly producerId: string;
  /** Offset of the first of them. */
  readonly from: number;
}

/** None where the broker cannot be asked (before Kafka 2.8). Throws where one of the partitions fails. */
export async function openRecords(
  { broker, send }: Node,
  partitions: readonly TopicPartition[],
): Promise<readonly OpenRecords[]> {
  if (broker.versions?.[DESCRIBE_PRODUCERS] === undefined) return [];
  return send(request(partitions));
}

function request(partitions: readonly TopicPartition[]): Request<OpenRecords[]> {
  const body = new BytesWriter();
  body.compact(byTopic(partitions), (each) => body.partitions(each)).untagged();
  const of = { apiKey: DESCRIBE_PRODUCERS, apiName: 'DescribeProducers', apiVersion: 0 };
  return { ...of, isFlexible: true, body, read };
}

function read(answer: BytesReader): OpenRecords[] {
  answer.int32();
  return answer.partitions((topic) => openIn(answer, topic)).flat();
}

function openIn(answer: BytesReader, topic: string): OpenRecords[] {
  const partition = answer.int32();
  throwIfFailed(answer.int16());
  answer.text();
  const found = answer.compact(() => {
    const producerId = String(answer.bigint());
    // Its epoch, its last sequence, when that was, and its coordinator's epoch.
    answer.raw(4 + 4 + 8 + 4);
    const from = answer.int64();
    answer.skipTags();
    return { topic, partition, producerId, from };
  });
  answer.skipTags();
  return found.filter(({ from }) => from >= 0);
}
