// The request that appends records within a transaction. Sent once: see `kafka-transaction.ts`.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { placeOf } from './kafka-places.ts';
import type { TopicPartition } from './log.ts';

/** Records of one partition as they are sent. */
export interface Encoded {
  readonly of: TopicPartition;
  readonly bytes: Uint8Array;
  readonly count: number;
}

const PRODUCE_MS_MAX = 8_000;
const ACKS_ALL = -1;

/** Of the transaction of this id; answered with the base offset by place. */
export function produceRequest(
  id: string,
  batches: readonly Encoded[],
): Request<ReadonlyMap<string, number>> {
  const topics = new Map<string, Encoded[]>();
  for (const each of batches) topics.set(each.of.topic, [...(topics.get(each.of.topic) ?? []), each]);
  const size = batches.reduce((sum, { bytes }) => sum + bytes.length, 1_024);
  const body = new BytesWriter(size).string(id).int16(ACKS_ALL).int32(PRODUCE_MS_MAX);
  body.array([...topics], ([topic, led]) => {
    body.string(topic).array(led, ({ of, bytes }) => {
      body.int32(of.partition).int32(bytes.length).raw(bytes);
    });
  });
  return { apiKey: 0, apiName: 'Produce', apiVersion: 7, body, read: readProduced };
}

/** Base offsets by partition. Throws for the first partition that failed. */
function readProduced(answer: BytesReader): ReadonlyMap<string, number> {
  const bases = new Map<string, number>();
  answer.array(() => {
    const topic = answer.string() ?? '';
    answer.array(() => {
      const partition = answer.int32();
      throwIfFailed(answer.int16());
      bases.set(placeOf({ topic, partition }), answer.int64());
      answer.int64();
      answer.int64();
    });
  });
  return bases;
}
