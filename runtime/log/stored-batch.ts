// How a produced batch is stored: the records' bytes one after the other, compressed when it pays, with an
// index of where each key and value ends, and a checksum over all of it. Written once, read as a view.
//
//   bytes:  key₀ value₀ key₁ value₁ …      index: Uint32 [end of key₀, end of value₀, end of key₁, …]

import type { Batch, TopicPartition } from './log.ts';
import { LogFault } from './log-fault.ts';

export interface StoredBatch {
  readonly baseOffset: number;
  readonly count: number;
  readonly appendedMs: number;
  readonly index: Uint8Array;
  readonly bytes: Uint8Array;
  /** 0: as it is. 1: zstd. */
  readonly codec: number;
  readonly checksum: number;
}

/** A stored batch as it was just written, with its bytes as they are read. */
export interface Written {
  readonly stored: StoredBatch;
  readonly opened: Opened;
}

/** A batch is cut where it reaches this, so that a read never unpacks much more than it takes. */
export const BATCH_BYTES_MAX = 1024 * 1024;

export const VALUE_BYTES_MAX = 8 * 1024 * 1024;
export const KEY_BYTES_MAX = 1_024;
const COMPRESS_FROM_BYTES = 512;
const BUFFER_BYTES = 64 * 1024;
/** A buffer that one large batch has made larger than this is not kept. */
const BUFFER_BYTES_KEPT = 4 * BATCH_BYTES_MAX;

/** Grows as records are added; reused for the next batch after `finish`. */
export class BatchWriter {
  #buffer = new Uint8Array(BUFFER_BYTES);
  #index = new Uint32Array(1_024);
  #used = 0;
  #count = 0;
  readonly #encoder = new TextEncoder();

  get full(): boolean {
    return this.#used >= BATCH_BYTES_MAX;
  }

  /** Throws a RangeError for a key or value over its bound: callers check before. */
  add(key: string, value: string | Uint8Array): void {
    // In UTF-8 a text is no shorter than it is in characters.
    if (key.length > KEY_BYTES_MAX || value.length > VALUE_BYTES_MAX) throw over(key);
    const from = this.#used;
    this.#write(key);
    const keyEnd = this.#used;
    this.#write(value);
    if (keyEnd - from > KEY_BYTES_MAX || this.#used - keyEnd > VALUE_BYTES_MAX) {
      this.#used = from;
      throw over(key);
    }
    if (this.#count * 2 + 2 > this.#index.length) {
      const larger = new Uint32Array(this.#index.length * 2);
      larger.set(this.#index);
      this.#index = larger;
    }
    this.#index[this.#count * 2] = keyEnd;
    this.#index[this.#count * 2 + 1] = this.#used;
    this.#count += 1;
  }

  finish(baseOffset: number, appendedMs: number): Written {
    const plain = this.#buffer.slice(0, this.#used);
    const ends = this.#index.slice(0, this.#count * 2);
    const index = new Uint8Array(ends.buffer);
    const packed = plain.length >= COMPRESS_FROM_BYTES ? Bun.zstdCompressSync(plain, { level: 1 }) : plain;
    const smaller = packed.length < plain.length;
    const bytes = smaller ? packed : plain;
    const header = { baseOffset, count: this.#count, appendedMs, codec: smaller ? 1 : 0 };
    const stored: StoredBatch = { ...header, index, bytes, checksum: checksum({ ...header, index, bytes }) };
    this.#used = 0;
    this.#count = 0;
    if (this.#buffer.length > BUFFER_BYTES_KEPT) this.#buffer = new Uint8Array(BUFFER_BYTES);
    return { stored, opened: { baseOffset, count: stored.count, appendedMs, index: ends, bytes: plain } };
  }

  #write(of: string | Uint8Array): void {
    const most = typeof of === 'string' ? of.length * 3 : of.length;
    if (this.#used + most > this.#buffer.length) this.#grow(most);
    if (typeof of !== 'string') {
      this.#buffer.set(of, this.#used);
      this.#used += of.length;
      return;
    }
    this.#used += this.#encoder.encodeInto(of, this.#buffer.subarray(this.#used)).written;
  }

  #grow(more: number): void {
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#used + more));
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
  }
}

function over(key: string): RangeError {
  return new RangeError(`record '${key.slice(0, 80)}' is over the bound of the log`);
}

/** 52 bits of xxHash64 over header, index and bytes, so that it stays an exact number in SQLite and here. */
function checksum(of: Omit<StoredBatch, 'checksum'>): number {
  const header = Bun.hash.xxHash64(`${of.baseOffset} ${of.count} ${of.appendedMs} ${of.codec}`);
  const hash = Bun.hash.xxHash64(of.bytes, Bun.hash.xxHash64(of.index, header));
  return Number(BigInt.asUintN(52, hash));
}

/** A batch that was checked and unpacked. */
export interface Opened {
  readonly baseOffset: number;
  readonly count: number;
  readonly appendedMs: number;
  readonly index: Uint32Array;
  readonly bytes: Uint8Array;
}

/**
 * Checks and unpacks. Throws a LogFault `log_corrupt` that names the place when the checksum does not hold.
 */
export function openStored(of: TopicPartition, stored: StoredBatch): Opened {
  if (checksum(stored) !== stored.checksum) throw damaged(of, stored.baseOffset);
  const bytes = stored.codec === 1 ? Bun.zstdDecompressSync(stored.bytes) : stored.bytes;
  const copy = stored.index.slice();
  const { baseOffset, count, appendedMs } = stored;
  return { baseOffset, count, appendedMs, index: new Uint32Array(copy.buffer), bytes };
}

export function damaged(of: TopicPartition, offset: number): LogFault {
  const place = `${of.topic}/${of.partition} at offset ${offset}`;
  return new LogFault(`stored records of ${place} are damaged`, 'log_corrupt', false);
}

const decoder = new TextDecoder();

/**
 * One batch over several stored ones; `skip` records of the first are left out, and at most `recordsMax`
 * taken.
 */
export function batchView(
  of: TopicPartition,
  opened: readonly Opened[],
  skip: number,
  recordsMax: number,
): Batch {
  const held = opened.reduce((sum, each) => sum + each.count, 0);
  const count = Math.min(recordsMax, held - skip);
  const starts: number[] = [];
  let sum = 0;
  for (const each of opened) {
    starts.push(sum);
    sum += each.count;
  }
  let last = 0;
  let lastKey = '';
  let lastKeyBytes: Uint8Array = new Uint8Array();
  const place = (index: number): { readonly from: Opened; readonly at: number } => {
    const wanted = index + skip;
    if (wanted < (starts[last] ?? 0)) last = 0;
    while (last + 1 < starts.length && wanted >= (starts[last + 1] ?? 0)) last += 1;
    const from = opened[last];
    if (from === undefined || index < 0 || index >= count)
      throw new RangeError(`no record ${index} of ${count}`);
    return { from, at: wanted - (starts[last] ?? 0) };
  };
  const offset = (index: number): number => {
    const { from, at } = place(index);
    return from.baseOffset + at;
  };
  return {
    ...of,
    count,
    nextOffset: offset(count - 1) + 1,
    offset,
    key(index) {
      const { from, at } = place(index);
      const bytes = from.bytes.subarray(from.index[at * 2 - 1] ?? 0, from.index[at * 2]);
      // Records of one instrument stand together: most keys are the one before.
      if (!sameBytes(bytes, lastKeyBytes)) {
        lastKey = decoder.decode(bytes);
        lastKeyBytes = bytes;
      }
      return lastKey;
    },
    value(index) {
      const { from, at } = place(index);
      return from.bytes.subarray(from.index[at * 2] ?? 0, from.index[at * 2 + 1]);
    },
    timestampMs: (index) => place(index).from.appendedMs,
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = a.length - 1; index >= 0; index -= 1) if (a[index] !== b[index]) return false;
  return true;
}
