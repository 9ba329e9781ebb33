// How the transaction of an id stands, as its coordinator has it. A broker that has just come back may not
// know all topics yet: it takes partitions that it does not know for deleted, and leaves them out when it
// ends a transaction (seen with Kafka 4.3.1). Records there stand open, and take the outcome of the next one,
// and so do offsets. So nobody makes it end a transaction before it knows every partition in it, and who was
// in doubt says the outcome once more.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { Node } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { metadataRequest } from './kafka-metadata.ts';
import type { TopicPartition } from './log.ts';

const DESCRIBE_TRANSACTIONS = 65;
const NO_SUCH_ID = 105;
const [TAGS, ONE] = [0, 2];

export interface Standing {
  /** The last one of this id was committed, and nothing came after it. */
  readonly committed: boolean;
  /** Its outcome is on the way to its partitions. */
  readonly ending: boolean;
  /** Partitions that it has not ended in. */
  readonly open: readonly TopicPartition[];
}

/** Null: the broker cannot be asked (before Kafka 3). Throws what the coordinator refuses. */
export async function standingOf({ broker, send }: Node, id: string): Promise<Standing | null> {
  return broker.versions?.[DESCRIBE_TRANSACTIONS] === undefined ? null : send(standingRequest(id));
}

/** Whether the broker knows every partition that is open. */
export async function knowsAll({ send }: Node, { open }: Standing): Promise<boolean> {
  if (open.length === 0) return true;
  const { leaders } = await send(metadataRequest([...new Set(open.map(({ topic }) => topic))]));
  return open.every(({ topic, partition }) => leaders.get(topic)?.[partition] !== undefined);
}

function standingRequest(id: string): Request<Standing> {
  // Its header ends in tags as well, which the client does not write.
  const body = new BytesWriter().int8(TAGS).int8(ONE);
  body
    .uvarint(Buffer.byteLength(id) + 1)
    .raw(Buffer.from(id))
    .int8(TAGS);
  return { apiKey: DESCRIBE_TRANSACTIONS, apiName: 'DescribeTransactions', apiVersion: 0, body, read };
}

function read(answer: BytesReader): Standing {
  answer.uvarint();
  answer.int32();
  const open: TopicPartition[] = [];
  let state = '';
  compact(answer, () => {
    const failure = answer.int16();
    text(answer);
    state = text(answer);
    // The time that it may take, since when it is open, whose it is, and its epoch.
    answer.raw(4 + 8 + 8 + 2);
    compact(answer, () => {
      const topic = text(answer);
      compact(answer, () => open.push({ topic, partition: answer.int32() }));
      answer.uvarint();
    });
    answer.uvarint();
    if (failure !== NO_SUCH_ID) throwIfFailed(failure);
  });
  return { committed: state === 'CompleteCommit', ending: state.startsWith('Prepare'), open };
}

function compact(answer: BytesReader, each: () => void): void {
  for (let left = answer.uvarint() - 1; left > 0; left -= 1) each();
}

function text(answer: BytesReader): string {
  return new TextDecoder().decode(answer.raw(Math.max(0, answer.uvarint() - 1)));
}
