// Record batches of Kafka (magic 2): written for one transaction, and read as a view over the fetched bytes
// with what `read_committed` must not see left out. Source: the message format in Kafka's documentation.
//
//   base offset · length · leader epoch · magic · crc · attributes · last offset delta · first and greatest
//   time · producer id, epoch, first sequence · count · records

import { LAYOUT_KEY } from '../../actors/layout.ts';
import { crc32c } from './crc32c.ts';
import { BytesReader, BytesWriter, varintSize } from './kafka-bytes.ts';
import { type Compression, compress, compressionBits, decompress } from './kafka-codecs.ts';
import type { Batch, TopicPartition } from './log.ts';

export interface NewRecord {
  readonly key: string;
  /** Null: a tombstone. */
  readonly value: string | Uint8Array | null;
}

export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly nowMs: number;
  readonly compression: Compression;
}

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const APPEND_TIME = 0x08;
const HEADER = 12;

/** One transactional batch. */
export function encodeBatch(records: readonly NewRecord[], stamp: Stamp): Uint8Array {
  const plain = new BytesWriter(16 * 1024);
  for (const [delta, { key, value }] of records.entries()) {
    const keyLength = Buffer.byteLength(key);
    const valueLength =
      value === null ? -1 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    const size =
      3 +
      varintSize(delta) +
      varintSize(keyLength) +
      keyLength +
      varintSize(valueLength) +
      Math.max(0, valueLength);
    plain.varint(size).int8(0).varint(0).varint(delta).sized(key).sized(value).varint(0);
  }
  const packed = compress(stamp.compression, new Uint8Array(plain.written));
  const body = new BytesWriter(packed.length + 64)
    .int16(TRANSACTIONAL | compressionBits(stamp.compression))
    .int32(records.length - 1)
    .int64(stamp.nowMs)
    .int64(stamp.nowMs)
    .int64(stamp.producerId)
    .int16(stamp.producerEpoch)
    .int32(stamp.firstSequence)
    .int32(records.length)
    .raw(packed);
  return new BytesWriter(body.length + 24)
    .int64(0)
    .int32(body.length + 9)
    .int32(-1)
    .int8(2)
    .uint32(crc32c(body.written))
    .raw(body.written).written;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** Records of one stored batch: where each key and value stands in its bytes. */
export interface Run {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  /** Four a record: start and end of key and value; a null value ends at −1. */
  readonly index: Int32Array;
}

export interface Decoded {
  readonly runs: readonly Run[];
  /** Where to read on: behind the last whole batch, markers and aborted records included. */
  readonly nextOffset: number;
}

/**
 * Committed records from `fromOffset` on. `aborted` are the transactions that the broker names for this
 * answer. An incomplete batch at the end is left for the next fetch.
 */
export function decodeBatches(
  bytes: Uint8Array,
  aborted: readonly AbortedTransaction[],
  fromOffset: number,
): Decoded {
  const reader = new BytesReader(bytes);
  const toCome = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const inAborted = new Set<bigint>();
  const runs: Run[] = [];
  let nextOffset = fromOffset;
  while (reader.left >= HEADER) {
    const baseOffset = reader.int64();
    const length = reader.int32();
    if (length > reader.left) break;
    const batch = new BytesReader(reader.raw(length));
    const head = readHead(batch, baseOffset);
    while (toCome[0] !== undefined && toCome[0].firstOffset <= head.lastOffset) {
      inAborted.add(toCome[0].producerId);
      toCome.shift();
    }
    nextOffset = Math.max(nextOffset, head.lastOffset + 1);
    if (head.attributes & CONTROL) inAborted.delete(head.producerId);
    else if (!(head.attributes & TRANSACTIONAL && inAborted.has(head.producerId))) {
      const run = readRun(batch, head, fromOffset);
      if (run.count > 0) runs.push(run);
    }
  }
  return { runs, nextOffset };
}

interface Head {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly firstMs: number;
  readonly greatestMs: number;
  readonly producerId: bigint;
  readonly count: number;
}

function readHead(batch: BytesReader, baseOffset: number): Head {
  batch.at = 9;
  const attributes = batch.int16();
  const lastOffset = baseOffset + batch.int32();
  const firstMs = batch.int64();
  const greatestMs = batch.int64();
  const producerId = batch.bigint();
  batch.at += 6;
  return { baseOffset, lastOffset, attributes, firstMs, greatestMs, producerId, count: batch.int32() };
}

function readRun(batch: BytesReader, head: Head, fromOffset: number): Run {
  const bytes = decompress(head.attributes & 7, new Uint8Array(batch.raw(batch.left)));
  const reader = new BytesReader(bytes);
  const offsets = new Float64Array(head.count);
  const timestamps = new Float64Array(head.count);
  const index = new Int32Array(head.count * 4);
  let kept = 0;
  for (let n = 0; n < head.count; n += 1) {
    const size = reader.varint();
    const end = reader.at + size;
    reader.at += 1;
    const ms = head.firstMs + reader.varint();
    const offset = head.baseOffset + reader.varint();
    const keyLength = reader.varint();
    const keyStart = reader.at;
    reader.at += Math.max(0, keyLength);
    const valueLength = reader.varint();
    if (offset >= fromOffset) {
      offsets[kept] = offset;
      timestamps[kept] = head.attributes & APPEND_TIME ? head.greatestMs : ms;
      index[kept * 4] = keyStart;
      index[kept * 4 + 1] = keyStart + Math.max(0, keyLength);
      index[kept * 4 + 2] = reader.at;
      index[kept * 4 + 3] = valueLength < 0 ? -1 : reader.at + valueLength;
      kept += 1;
    }
    reader.at = end;
  }
  return { bytes, count: kept, offsets, timestamps, index };
}

/** The same in pieces, so that a barrier, which is a stored batch of its own, stands alone. */
export function apart({ runs, nextOffset }: Decoded): readonly Decoded[] {
  const pieces: Run[][] = [];
  let last: Run[] | null = null;
  for (const run of runs) {
    const alone = run.count === 1 && recordKey(run, 0) === LAYOUT_KEY;
    if (alone || last === null) pieces.push([]);
    pieces.at(-1)?.push(run);
    last = alone ? null : (pieces.at(-1) ?? null);
  }
  return pieces.map((each, n) => ({
    runs: each,
    nextOffset: pieces[n + 1]?.[0]?.offsets[0] ?? nextOffset,
  }));
}

const decoder = new TextDecoder();
const NOTHING = new Uint8Array();
const NEWLINE = 10;

export function recordKey(run: Run, at: number): string {
  return decoder.decode(run.bytes.subarray(run.index[at * 4] ?? 0, run.index[at * 4 + 1] ?? 0));
}

/** Null: a tombstone. */
export function recordValue(run: Run, at: number): Uint8Array | null {
  const end = run.index[at * 4 + 3] ?? -1;
  return end < 0 ? null : run.bytes.subarray(run.index[at * 4 + 2] ?? 0, end);
}

/** One batch over several runs; `skip` records of the first are left out, and at most `recordsMax` taken. */
export function batchOver(
  of: TopicPartition,
  { runs, nextOffset }: Decoded,
  skip: number,
  recordsMax: number,
): Batch {
  const starts: number[] = [];
  let sum = -skip;
  for (const run of runs) {
    starts.push(sum);
    sum += run.count;
  }
  const count = Math.min(recordsMax, sum);
  let last = 0;
  const place = (index: number): readonly [run: Run, at: number] => {
    if (index < (starts[last] ?? 0)) last = 0;
    while (last + 1 < starts.length && index >= (starts[last + 1] ?? 0)) last += 1;
    const run = runs[last];
    if (run === undefined || index < 0 || index >= count)
      throw new RangeError(`no record ${index} of ${count}`);
    return [run, index - (starts[last] ?? 0)];
  };
  const offset = (index: number): number => {
    const [run, at] = place(index);
    return run.offsets[at] ?? -1;
  };
  return {
    topic: of.topic,
    partition: of.partition,
    count,
    nextOffset: count === sum ? nextOffset : offset(count - 1) + 1,
    offset,
    key: (index) => recordKey(...place(index)),
    value: (index) => recordValue(...place(index)) ?? NOTHING,
    timestampMs(index) {
      const [run, at] = place(index);
      return run.timestamps[at] ?? 0;
    },
    lines(from, to) {
      const values = Array.from({ length: to - from }, (_, n) => recordValue(...place(from + n)) ?? NOTHING);
      const bytes = new Uint8Array(values.reduce((sum, value) => sum + value.length + 1, 0));
      let at = 0;
      for (const value of values) {
        bytes.set(value, at);
        at += value.length + 1;
        bytes[at - 1] = NEWLINE;
      }
      return [{ bytes, zstd: false }];
    },
  };
}
