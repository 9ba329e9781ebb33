// Reading partitions as `read_committed` sees them. A fetch answers at once with what is there: waiting is
// done by whoever has nothing to read, so that one quiet partition never holds up the others' connection.

import { type BytesReader, BytesWriter } from './kafka-bytes.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Request } from './kafka-exchange.ts';
import { throwIfFailed } from './kafka-fault.ts';
import { byTopic } from './kafka-places.ts';
import { type AbortedTransaction, type Decoded, decodeBatches } from './kafka-records.ts';
import type { TopicPartition } from './log.ts';

const READ_COMMITTED = 1;
const READ_UNCOMMITTED = 0;
const EARLIEST = -2;
const LATEST = -1;

export interface Fetched extends Decoded {
  /** Records before this are decided: committed or aborted. */
  readonly stableEnd: number;
  /** As the broker sent it. */
  readonly bytes: number;
}

export interface FetchBounds {
  readonly bytesMax: number;
  /** Less is left to wait for more, but not longer than `waitMsMax`. */
  readonly bytesMin: number;
  readonly waitMsMax: number;
}

interface Answer {
  readonly errorCode: number;
  readonly stableEnd: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly bytes: Uint8Array;
}

/**
 * What is committed from `offset` on, up to about `bytesMax`. An offset that retention has overtaken reads on
 * from the first record that is left: `overtaken` says so. Throws LogFault.
 */
export async function fetchPartition(
  cluster: KafkaCluster,
  of: TopicPartition,
  offset: number,
  bytesMax: number,
  overtaken: (first: number) => void,
): Promise<Fetched> {
  return cluster.use(`fetch of ${of.topic}/${of.partition}`, async () => {
    const node = await cluster.leader(of);
    const answer = await node.send(fetchRequest(of, offset, bytesMax));
    if (answer.errorCode === OUT_OF_RANGE) {
      const first = await offsetOf(cluster, of, EARLIEST);
      const end = await offsetOf(cluster, of, LATEST);
      if (offset > end) throw new Error(`offset ${offset} is behind the end ${end}: records were lost`);
      overtaken(first);
      return { runs: [], nextOffset: first, stableEnd: end, bytes: 0 };
    }
    throwIfFailed(answer.errorCode);
    const { stableEnd, bytes } = answer;
    return { ...decodeBatches(bytes, answer.aborted, offset), stableEnd, bytes: bytes.length };
  });
}

/**
 * As `fetchPartition`, when there is enough to read, or has been something for long enough. It waits here and
 * not at the broker, where it would hold up the other partitions of the connection. `wanted`: false ends the
 * wait.
 */
export async function fetchEnough(
  cluster: KafkaCluster,
  of: TopicPartition,
  offset: number,
  { bytesMax, bytesMin, waitMsMax }: FetchBounds,
  overtaken: (first: number) => void,
  wanted: () => boolean,
): Promise<Fetched> {
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    const fetched = await fetchPartition(cluster, of, offset, bytesMax, overtaken);
    const isEnough = fetched.runs.length === 0 || fetched.bytes >= Math.min(bytesMin, bytesMax);
    if (isEnough || performance.now() >= deadline || !wanted()) return fetched;
    await Bun.sleep(LOOK_MS);
  }
}

const LOOK_MS = 20;
const OUT_OF_RANGE = 1;

function fetchRequest(of: TopicPartition, offset: number, bytesMax: number): Request<Answer> {
  const body = new BytesWriter()
    .int32(-1)
    .int32(0)
    .int32(0)
    .int32(bytesMax)
    .int8(READ_COMMITTED)
    .int32(0)
    .int32(-1)
    .int32(1)
    .string(of.topic)
    .int32(1)
    .int32(of.partition)
    .int32(-1)
    .int64(offset)
    .int64(-1)
    .int32(bytesMax)
    .int32(0)
    .string('');
  return { apiKey: 1, apiName: 'Fetch', apiVersion: 11, body, read: readFetched };
}

function readFetched(answer: BytesReader): Answer {
  answer.int32();
  throwIfFailed(answer.int16());
  answer.int32();
  const found: Answer[] = [];
  answer.array(() => {
    answer.string();
    answer.array(() => found.push(readPartition(answer)));
  });
  const [first] = found;
  if (first === undefined) throw new RangeError('a fetch without an answer for its partition');
  return first;
}

function readPartition(answer: BytesReader): Answer {
  answer.int32();
  const errorCode = answer.int16();
  answer.int64();
  const stableEnd = answer.int64();
  answer.int64();
  const aborted = answer.array(() => ({ producerId: answer.bigint(), firstOffset: answer.int64() }));
  answer.int32();
  const length = answer.int32();
  return { errorCode, stableEnd, aborted, bytes: answer.raw(Math.max(0, length)) };
}

async function offsetOf(
  cluster: KafkaCluster,
  { topic, partition }: TopicPartition,
  timestamp: number,
  isolationLevel = READ_COMMITTED,
): Promise<number> {
  const { broker } = await cluster.leader({ topic, partition });
  const topics = [{ topic, partitions: [{ partition, timestamp }] }];
  const { responses } = await broker.listOffsets({ isolationLevel, topics });
  return Number(responses[0]?.partitions[0]?.offset ?? -1);
}

export function firstOffset(cluster: KafkaCluster, of: TopicPartition): Promise<number> {
  return cluster.use(`first offset of ${of.topic}/${of.partition}`, () => offsetOf(cluster, of, EARLIEST));
}

/** The end of what is decided; records of open transactions come after it. */
export function stableEnd(cluster: KafkaCluster, of: TopicPartition): Promise<number> {
  return cluster.use(`end of ${of.topic}/${of.partition}`, () => offsetOf(cluster, of, LATEST));
}

/** First offset at or after the time; −1: there is none. */
export function offsetAtTime(
  cluster: KafkaCluster,
  of: TopicPartition,
  timestampMs: number,
): Promise<number> {
  return cluster.use(`offset of ${of.topic}/${of.partition} at a time`, () =>
    offsetOf(cluster, of, Math.max(0, timestampMs)),
  );
}

/**
 * Ends of many partitions by `topic/partition`, one request for each leader. `decided`: without what belongs
 * to open transactions or comes after them.
 */
export function ends(
  cluster: KafkaCluster,
  partitions: readonly TopicPartition[],
  decided = false,
): Promise<ReadonlyMap<string, number>> {
  return cluster.use('ends of partitions', async () => {
    const byBroker = new Map<Awaited<ReturnType<KafkaCluster['leader']>>, TopicPartition[]>();
    for (const of of partitions) {
      const node = await cluster.leader(of);
      byBroker.set(node, [...(byBroker.get(node) ?? []), of]);
    }
    const found = new Map<string, number>();
    const isolationLevel = decided ? READ_COMMITTED : READ_UNCOMMITTED;
    await Promise.all(
      [...byBroker].map(async ([{ broker }, led]) => {
        const topics = byTopic(led).map(({ topic, partitions: numbers }) => ({
          topic,
          partitions: numbers.map((partition) => ({ partition, timestamp: LATEST })),
        }));
        const { responses } = await broker.listOffsets({ isolationLevel, topics });
        for (const { topic, partitions: answered } of responses) {
          for (const { partition, offset } of answered) found.set(`${topic}/${partition}`, Number(offset));
        }
      }),
    );
    return found;
  });
}
