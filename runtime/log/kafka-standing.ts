// How the transaction of an id stands, as its coordinator has it, and whose ids they are. A broker that has
// just come back may not know all topics yet: it takes partitions that it does not know for deleted, and
// leaves them out when it ends a transaction (seen with Kafka 4.3.1). So a new epoch does not make it abort
// one before it knows every partition in it, and what it has left out is looked for (`kafka-left-open.ts`).

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Node } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { metadataRequest } from './kafka-metadata.ts';
import type { TopicPartition } from './log.ts';

const DESCRIBE_TRANSACTIONS = 65;
const LIST_TRANSACTIONS = 66;
const NO_SUCH_ID = 105;

export type Outcome = 'committed' | 'aborted';

export interface Standing {
  readonly producerId: string;
  readonly producerEpoch: number;
  /** How long a transaction of this epoch may take. */
  readonly timeoutMs: number;
  /** Of the last one of its epoch, as it was decided; null: there was none, or it is not. */
  readonly outcome: Outcome | null;
  /** It has begun, and its end was not asked for. */
  readonly ongoing: boolean;
  /** Its outcome is on the way to its partitions. */
  readonly ending: boolean;
  /** Partitions that it has not ended in. */
  readonly open: readonly TopicPartition[];
}

/** Null: there never was any, or the broker cannot be asked (before Kafka 3). Throws what it refuses. */
export async function standingOf({ broker, send }: Node, id: string): Promise<Standing | null> {
  return broker.versions?.[DESCRIBE_TRANSACTIONS] === undefined ? null : send(standingRequest(id));
}

/** Whether the broker knows every partition that is open. */
export async function knowsAll({ send }: Node, { open }: Standing): Promise<boolean> {
  if (open.length === 0) return true;
  const { leaders } = await send(metadataRequest([...new Set(open.map(({ topic }) => topic))]));
  return open.every(({ topic, partition }) => leaders.get(topic)?.[partition] !== undefined);
}

function standingRequest(id: string): Request<Standing | null> {
  const body = new BytesWriter();
  body.compact([id], (each) => body.text(each)).untagged();
  const of = { apiKey: DESCRIBE_TRANSACTIONS, apiName: 'DescribeTransactions', apiVersion: 0 };
  return { ...of, isFlexible: true, body, read };
}

function read(answer: BytesReader): Standing | null {
  answer.int32();
  const [found = null] = answer.compact(() => one(answer));
  return found;
}

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  PrepareCommit: 'committed',
  PrepareAbort: 'aborted',
  CompleteCommit: 'committed',
  CompleteAbort: 'aborted',
};

function one(answer: BytesReader): Standing | null {
  const failure = answer.int16();
  answer.text();
  const state = answer.text();
  const timeoutMs = answer.int32();
  // Since when it is open.
  answer.raw(8);
  const producerId = String(answer.bigint());
  const producerEpoch = answer.int16();
  const open = answer.partitions((topic) => ({ topic, partition: answer.int32() }));
  answer.skipTags();
  if (failure === NO_SUCH_ID) return null;
  throwIfFailed(failure);
  const [outcome, ongoing] = [OUTCOMES[state] ?? null, state === 'Ongoing'];
  const ending = state.startsWith('Prepare');
  return { producerId, producerEpoch, timeoutMs, outcome, ongoing, ending, open };
}

/** Under which ids these producers commit, of those that the broker coordinates. */
export async function idsOf(
  { broker, send }: Node,
  producerIds: readonly string[],
): Promise<readonly string[]> {
  if (broker.versions?.[LIST_TRANSACTIONS] === undefined) return [];
  const body = new BytesWriter().compact<string>([], () => {});
  body.compact(producerIds, (each) => body.int64(BigInt(each))).untagged();
  const of = { apiKey: LIST_TRANSACTIONS, apiName: 'ListTransactions', apiVersion: 0, isFlexible: true };
  return send({ ...of, body, read: readIds });
}

function readIds(answer: BytesReader): string[] {
  answer.int32();
  throwIfFailed(answer.int16());
  answer.compact(() => answer.text());
  return answer.compact(() => {
    const id = answer.text();
    answer.bigint();
    answer.text();
    answer.skipTags();
    return id;
  });
}
