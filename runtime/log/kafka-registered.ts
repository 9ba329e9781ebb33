// The question how many brokers belong to the cluster, those included that are away just now. Only its own
// quorum knows: what a broker says of leaders and addresses names those that are up.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';

export const DESCRIBE_CLUSTER = 60;
/** Since this one those that are away can be asked for (Kafka 4.0). */
export const WITH_AWAY = 2;

export function registeredRequest(): Request<number> {
  const [withRights, ofBrokers, withAway] = [0, 1, 1];
  const body = new BytesWriter().int8(withRights).int8(ofBrokers).int8(withAway).untagged();
  return {
    apiKey: DESCRIBE_CLUSTER,
    apiName: 'DescribeCluster',
    apiVersion: WITH_AWAY,
    isFlexible: true,
    body,
    read,
  };
}

function read(answer: BytesReader): number {
  answer.int32();
  const failure = answer.int16();
  answer.text();
  answer.int8();
  answer.text();
  answer.int32();
  const brokers = answer.uvarint() - 1;
  throwIfFailed(failure);
  return brokers;
}
