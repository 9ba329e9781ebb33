// One transactional id and its transactions. Nothing is sent twice: any failure ends this producer, and its
// successor under the same id asks for a new epoch, which ends whatever was open. So no retry can double a
// record, no answer that got lost can leave a gap in the sequence, and a returning zombie is fenced.
//
//   init ─▶ add partitions ─▶ add group ─▶ produce (a request a leader, a chunk a partition) ┐
//                                          offsets with their token ─────────────────────────┴▶ end
//
// The client's own producer is not used: it retries while requests are in flight, and loses and doubles.

import type { KafkaCluster, Node } from './kafka-cluster.ts';
import type { Compression } from './kafka-codecs.ts';
import { errorType } from './kafka-fault.ts';
import { byTopic } from './kafka-fetch.ts';
import { knowsAll, type Standing, standingOf } from './kafka-open.ts';
import { type Encoded, placeOf, produceRequest } from './kafka-produce.ts';
import { encodeBatch, type NewRecord } from './kafka-records.ts';
import type { TopicPartition } from './log.ts';

/** Records for one partition, in order. */
export interface Part extends TopicPartition {
  readonly records: readonly NewRecord[];
}

/** Where the input stands when the transaction is committed. */
export interface InputOffset {
  readonly group: string;
  readonly of: TopicPartition;
  readonly nextOffset: number;
  /** Stored beside the offset: tells whose commit it was. */
  readonly token: string;
}

export interface TransactionOptions {
  /** The broker ends a transaction that is open for longer. */
  readonly timeoutMs: number;
  readonly compression: Compression;
  readonly nowMs: () => number;
  /** Plain bytes of one record batch; each holds a record at least. */
  readonly batchBytesMax: number;
}

const RETRY_MS = 5;
const RETRY_MS_MAX = 100;
const BUSY_MS_MAX = 20_000;
const BUSY: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS']);
/** The coordinator does not know each partition yet; those that it knows it has not tried. */
const UNKNOWN: ReadonlySet<string> = new Set([
  ...BUSY,
  'OPERATION_NOT_ATTEMPTED',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
const MOVING: ReadonlySet<string> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/**
 * Where the last transaction that has begun went. `open`: its end was not asked for. `asked`: everything was
 * there, and its end was. `decided`: it was promised, and may not be everywhere yet.
 */
interface Last {
  readonly partitions: readonly TopicPartition[];
  readonly group: string | null;
  state: 'open' | 'asked' | 'decided';
}

type Stamp = { transactionalId: string; producerId: string; producerEpoch: number };

export class Transactions {
  readonly #cluster: KafkaCluster;
  readonly #options: TransactionOptions;
  readonly #sequences = new Map<string, number>();
  #producer: { readonly producerId: string; readonly producerEpoch: number } | null = null;
  #last: Last | null = null;

  constructor(
    cluster: KafkaCluster,
    readonly id: string,
    options: TransactionOptions,
  ) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Of the same id, knowing what this one did last. */
  successor(): Transactions {
    const next = new Transactions(this.#cluster, this.id, this.#options);
    next.#last = this.#last;
    return next;
  }

  /**
   * A new epoch: whatever an earlier producer of this id left open is ended when this resolves, and what its
   * predecessor did last is in everywhere or nowhere.
   */
  async init(): Promise<void> {
    const { timeoutMs: transactionTimeout } = this.#options;
    const transactionalId = this.id;
    const { standing, producer } = await this.#patiently(MOVING, async () => {
      const coordinator = await this.#coordinator();
      const found = await this.#settled(coordinator);
      // Remembered: once there is a new epoch, the coordinator does not tell any more.
      if (this.#last?.state === 'asked' && found !== null)
        this.#last.state = found.committed ? 'decided' : 'open';
      const made = await coordinator.broker.initProducerId({ transactionalId, transactionTimeout });
      return { standing: found, producer: made };
    });
    const last = this.#last;
    if (last !== null && standing !== null) {
      await this.#sayAgain({ transactionalId, ...producer }, last, last.state === 'decided');
    }
    this.#last = null;
    this.#producer = producer;
  }

  /** How the last one stands, once its end is not on the way and the coordinator knows where it went. */
  async #settled(coordinator: Node): Promise<Standing | null> {
    const { nowMs } = this.#options;
    const deadline = nowMs() + BUSY_MS_MAX;
    for (;;) {
      const found = await standingOf(coordinator, this.id);
      if (found === null) return null;
      if (!found.ending && (await knowsAll(coordinator, found))) return found;
      // A topic that is gone for good does not come back, and nobody reads what is open in it.
      if (nowMs() > deadline) return found;
      await Bun.sleep(RETRY_MS_MAX);
    }
  }

  /** The outcome, after everything that it is of: where it stood already, nothing changes. */
  async #sayAgain(stamp: Stamp, { partitions, group: groupId }: Last, committed: boolean): Promise<void> {
    const coordinator = await this.#coordinator();
    const { broker } = coordinator;
    const topics = topicsOf(partitions);
    if (topics.length > 0) {
      await this.#patiently(UNKNOWN, () => broker.addPartitionsToTxn({ ...stamp, topics }));
    }
    if (groupId !== null) await this.#patiently(UNKNOWN, () => broker.addOffsetsToTxn({ ...stamp, groupId }));
    if (topics.length === 0 && groupId === null) return;
    await broker.endTxn({ ...stamp, transactionResult: committed });
    await this.#settled(coordinator);
  }

  /**
   * All of it, or nothing. Returns where each partition ends for who wants to read his own writes. After a
   * throw the outcome is open and this producer done: `init` of a new one settles it.
   */
  async run(parts: readonly Part[], input: InputOffset | null): Promise<ReadonlyMap<string, number>> {
    const producer = this.#producer;
    if (producer === null) throw new Error(`${this.id} has no epoch`);
    this.#producer = null;
    const last: Last = { partitions: parts.map(placed), group: input?.group ?? null, state: 'open' };
    const coordinator = await this.#coordinator();
    const stamp = { transactionalId: this.id, ...producer };
    const topics = topicsOf(parts);
    if (topics.length > 0) {
      await this.#patiently(BUSY, () => coordinator.broker.addPartitionsToTxn({ ...stamp, topics }));
      // It has begun, so the one before it is over everywhere.
      this.#last = last;
    }
    if (input !== null) {
      const { group: groupId } = input;
      await this.#patiently(BUSY, () => coordinator.broker.addOffsetsToTxn({ ...stamp, groupId }));
      this.#last = last;
    }
    const [produced, offsets] = await Promise.allSettled([
      this.#produce(parts, producer),
      input === null ? null : this.#offsets(input, stamp),
    ]);
    if (produced.status === 'rejected') throw produced.reason;
    if (offsets.status === 'rejected') throw offsets.reason;
    if (topics.length > 0 || input !== null) {
      last.state = 'asked';
      await coordinator.broker.endTxn({ ...stamp, transactionResult: true });
    }
    last.state = 'decided';
    this.#producer = producer;
    return produced.value;
  }

  async #offsets({ group, of, nextOffset, token }: InputOffset, stamp: Stamp): Promise<void> {
    const { broker } = await this.#cluster.coordinator('group', group);
    const { topic, partition } = of;
    const partitions = [{ partition, offset: String(nextOffset), metadata: token }];
    await broker.txnOffsetCommit({ ...stamp, groupId: group, topics: [{ topic, partitions }] });
  }

  /** Chunks of a partition go one after the other; the first of all partitions together, and so on. */
  async #produce(
    parts: readonly Part[],
    producer: { readonly producerId: string; readonly producerEpoch: number },
  ): Promise<ReadonlyMap<string, number>> {
    const ends = new Map<string, number>();
    let left = parts.map((part) => ({
      of: part,
      chunks: chunked(part.records, this.#options.batchBytesMax),
    }));
    while (left.length > 0) {
      const byLeader = new Map<Node, Encoded[]>();
      for (const { of, chunks } of left) {
        const records = chunks.shift() ?? [];
        const bytes = this.#encode(of, records, producer);
        const node = await this.#cluster.leader(of);
        byLeader.set(node, [...(byLeader.get(node) ?? []), { of, bytes, count: records.length }]);
      }
      const answers = await Promise.allSettled(
        [...byLeader].map(([node, batches]) => this.#send(node, batches, ends)),
      );
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
      left = left.filter(({ chunks }) => chunks.length > 0);
    }
    return ends;
  }

  #encode(
    of: TopicPartition,
    records: readonly NewRecord[],
    producer: { readonly producerId: string; readonly producerEpoch: number },
  ): Uint8Array {
    const key = placeOf(of);
    const firstSequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (firstSequence + records.length) % 2 ** 31);
    const { compression, nowMs } = this.#options;
    const { producerId, producerEpoch } = producer;
    return encodeBatch(records, {
      producerId: BigInt(producerId),
      producerEpoch,
      firstSequence,
      nowMs: nowMs(),
      compression,
    });
  }

  async #send(node: Node, batches: readonly Encoded[], ends: Map<string, number>): Promise<void> {
    const bases = await node.send(produceRequest(this.id, batches));
    for (const { of, count } of batches) {
      const base = bases.get(placeOf(of));
      if (base === undefined) throw new Error(`no answer for ${placeOf(of)}`);
      ends.set(placeOf(of), base + count);
    }
  }

  #coordinator(): Promise<Node> {
    return this.#cluster.coordinator('transaction', this.id);
  }

  /** Asks again while the coordinator is still busy with what went before. */
  async #patiently<T>(passing: ReadonlySet<string>, ask: () => Promise<T>): Promise<T> {
    const { nowMs } = this.#options;
    const deadline = nowMs() + BUSY_MS_MAX;
    for (let waitMs = RETRY_MS; ; waitMs = Math.min(RETRY_MS_MAX, waitMs * 1.5)) {
      try {
        return await ask();
      } catch (error) {
        const type = errorType(error);
        if (!passing.has(type) || nowMs() > deadline) throw error;
        if (!BUSY.has(type)) this.#cluster.stale();
        await Bun.sleep(waitMs);
      }
    }
  }
}

function placed({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

function topicsOf(parts: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return byTopic(parts).map(([topic, partitions]) => ({ topic, partitions }));
}

function chunked(records: readonly NewRecord[], bytesMax: number): NewRecord[][] {
  const chunks: NewRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = sizeOf(record);
    if (bytes + size > bytesMax) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(record);
    bytes += size;
  }
  return chunks;
}

/** Bytes of key and value, with what a record takes besides. */
export function sizeOf({ key, value }: NewRecord): number {
  const valueBytes = value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  return Buffer.byteLength(key) + valueBytes + 24;
}
