// The transactions of one epoch of a transactional id. Nothing is sent twice: any failure ends the epoch, and
// the next one of the same id (`kafka-epochs.ts`) ends whatever was open. So no retry can double a record, no
// answer that got lost can leave a gap in the sequence, and a returning zombie is fenced.
//
//   add partitions ─▶ add group ─▶ produce (a request a leader, a chunk a partition) ┐
//                                  offsets with their token ─────────────────────────┴▶ end
//
// The client's own producer is not used: it retries while requests are in flight, and loses and doubles.

import type { KafkaCluster, Node } from './kafka-cluster.ts';
import type { Compression } from './kafka-codecs.ts';
import type { Looks } from './kafka-left-open.ts';
import { BUSY, whilePassing } from './kafka-patience.ts';
import { byTopic, placeOf } from './kafka-places.ts';
import { type Encoded, produceRequest } from './kafka-produce.ts';
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
  /** For what a transaction has left open. */
  readonly looks: Looks;
}

/** Who sends. */
export interface Stamp {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** How things were when the epoch began. */
export interface EpochStart {
  /** Connections that had broken by then. */
  readonly breaks: number;
  /** Places where nobody could say what is open: nothing is sent there. */
  readonly unseen: ReadonlySet<string>;
}

export class Transactions {
  readonly #cluster: KafkaCluster;
  readonly #stamp: Stamp;
  readonly #options: TransactionOptions;
  readonly #since: EpochStart;
  readonly #sequences = new Map<string, number>();
  /** One is under way, or has failed. */
  #inDoubt = false;

  constructor(cluster: KafkaCluster, stamp: Stamp, options: TransactionOptions, since: EpochStart) {
    this.#cluster = cluster;
    this.#stamp = stamp;
    this.#options = options;
    this.#since = since;
  }

  /**
   * False: nothing may be begun any more. A failure ends an epoch, and so does a broken connection: a broker
   * that promised the last commit and came back may have it in some places only.
   */
  get usable(): boolean {
    return !this.#inDoubt && this.#since.breaks === this.#cluster.breaks;
  }

  /**
   * All of it, or nothing. Returns where each partition ends for who wants to read his own writes. After a
   * throw the outcome is open: the next epoch settles it.
   */
  async run(parts: readonly Part[], input: InputOffset | null): Promise<ReadonlyMap<string, number>> {
    const { transactionalId } = this.#stamp;
    if (!this.usable) throw new Error(`a connection broke since ${transactionalId} began its epoch`);
    this.#inDoubt = true;
    const blind = parts.map(placeOf).find((place) => this.#since.unseen.has(place));
    if (blind !== undefined)
      throw new Error(`${blind} had no leader when ${transactionalId} began its epoch`);
    const ends = await this.#run(parts, input);
    this.#inDoubt = false;
    return ends;
  }

  async #run(parts: readonly Part[], input: InputOffset | null): Promise<ReadonlyMap<string, number>> {
    const stamp = { ...this.#stamp };
    const { broker } = await this.#cluster.coordinator('transaction', stamp.transactionalId);
    const topics = byTopic(parts);
    if (topics.length > 0) await this.#whileBusy(() => broker.addPartitionsToTxn({ ...stamp, topics }));
    if (input !== null) {
      const { group: groupId } = input;
      await this.#whileBusy(() => broker.addOffsetsToTxn({ ...stamp, groupId }));
    }
    const [produced, offsets] = await Promise.allSettled([
      this.#produce(parts),
      input === null ? null : this.#offsets(input),
    ]);
    if (produced.status === 'rejected') throw produced.reason;
    if (offsets.status === 'rejected') throw offsets.reason;
    if (topics.length > 0 || input !== null) await broker.endTxn({ ...stamp, transactionResult: true });
    return produced.value;
  }

  async #offsets({ group, of, nextOffset, token }: InputOffset): Promise<void> {
    const { broker } = await this.#cluster.coordinator('group', group);
    const { topic, partition } = of;
    const partitions = [{ partition, offset: String(nextOffset), metadata: token }];
    await broker.txnOffsetCommit({ ...this.#stamp, groupId: group, topics: [{ topic, partitions }] });
  }

  /** Chunks of a partition go one after the other; the first of all partitions together, and so on. */
  async #produce(parts: readonly Part[]): Promise<ReadonlyMap<string, number>> {
    const ends = new Map<string, number>();
    let left = parts.map((part) => ({
      of: part,
      chunks: chunked(part.records, this.#options.batchBytesMax),
    }));
    while (left.length > 0) {
      const byLeader = new Map<Node, Encoded[]>();
      for (const { of, chunks } of left) {
        const records = chunks.shift() ?? [];
        const bytes = this.#encode(of, records);
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

  #encode(of: TopicPartition, records: readonly NewRecord[]): Uint8Array {
    const key = placeOf(of);
    const firstSequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (firstSequence + records.length) % 2 ** 31);
    const { compression, nowMs } = this.#options;
    const { producerId, producerEpoch } = this.#stamp;
    return encodeBatch(records, {
      producerId: BigInt(producerId),
      producerEpoch,
      firstSequence,
      nowMs: nowMs(),
      compression,
    });
  }

  async #send(node: Node, batches: readonly Encoded[], ends: Map<string, number>): Promise<void> {
    const bases = await node.send(produceRequest(this.#stamp.transactionalId, batches));
    for (const { of, count } of batches) {
      const base = bases.get(placeOf(of));
      if (base === undefined) throw new Error(`no answer for ${placeOf(of)}`);
      ends.set(placeOf(of), base + count);
    }
  }

  #whileBusy<T>(ask: () => Promise<T>): Promise<T> {
    return whilePassing(BUSY, this.#cluster, ask);
  }
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
