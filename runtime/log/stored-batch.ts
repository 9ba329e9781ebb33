// How a produced batch is stored: the records' values as lines, compressed when it pays, and an index of
// where each ends and of their keys, with a checksum over all of it. Records of one key stand together
// mostly, so a key is stored once a run. Written once, read as a view; the lines go to a sink as they stand.
//
//   bytes:  value₀ \n value₁ \n …
//   index:  Uint32 [runs, (end of key, records up to here) a run …, end of line a record …], key₀ key₁ …

import type { Piece, TopicPartition } from './log.ts';
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

/** A batch ready to be stored: only where it begins is still open. */
export interface Packed extends Omit<StoredBatch, 'baseOffset' | 'appendedMs' | 'checksum'> {
  /** Its text, for readers that keep pace; null: they take it packed. */
  readonly plain: Uint8Array | null;
}

/** A packed batch at its place. */
export function storedAt(packed: Packed, baseOffset: number, appendedMs: number): StoredBatch {
  const { count, codec, index, bytes } = packed;
  const header = { baseOffset, count, appendedMs, codec, index, bytes };
  return { ...header, checksum: checksum(header) };
}

/** 52 bits of xxHash64 over header, index and bytes, so that it stays an exact number in SQLite and here. */
function checksum(of: Omit<StoredBatch, 'checksum'>): number {
  const header = Bun.hash.xxHash64(`${of.baseOffset} ${of.count} ${of.appendedMs} ${of.codec}`);
  const hash = Bun.hash.xxHash64(of.bytes, Bun.hash.xxHash64(of.index, header));
  return Number(BigInt.asUintN(52, hash));
}

export const PLAIN = 0;
export const ZSTD = 1;
const decoder = new TextDecoder();

/** A batch that was checked. It is unpacked when somebody wants its text. */
export class Opened {
  readonly baseOffset: number;
  readonly count: number;
  readonly appendedMs: number;
  readonly stored: Omit<StoredBatch, 'checksum'>;
  readonly #places: Uint32Array;
  readonly #keys: Uint8Array;
  readonly #runs: number;
  #plain: Uint8Array | null;
  /** The run that was looked at last: readers go forward. */
  #run = 0;
  #key: string | null = null;

  constructor(stored: Omit<StoredBatch, 'checksum'>, plain: Uint8Array | null) {
    const { baseOffset, count, appendedMs } = stored;
    this.baseOffset = baseOffset;
    this.count = count;
    this.appendedMs = appendedMs;
    this.stored = stored;
    this.#plain = plain;
    // 32-bit numbers must stand at a multiple of four; a copy does.
    const index = stored.index.byteOffset % 4 === 0 ? stored.index : stored.index.slice();
    this.#runs = new Uint32Array(index.buffer, index.byteOffset, 1)[0] ?? 0;
    this.#places = new Uint32Array(index.buffer, index.byteOffset, 1 + this.#runs * 2 + count);
    this.#keys = index.subarray(this.#places.byteLength);
  }

  /** Bytes that are held for it. */
  get bytesHeld(): number {
    return this.stored.bytes.length + this.stored.index.length * 2 + (this.#plain?.length ?? 0);
  }

  /** For one reader: what it unpacks goes with it, and is not held here. */
  forReader(): Opened {
    return this.#plain === null ? new Opened(this.stored, null) : this;
  }

  key(at: number): string {
    if (this.#run > 0 && at < this.#recordsAfter(this.#run - 1)) this.#moveTo(0);
    while (at >= this.#recordsAfter(this.#run)) this.#moveTo(this.#run + 1);
    this.#key ??= decoder.decode(this.#keys.subarray(this.#keyEnd(this.#run - 1), this.#keyEnd(this.#run)));
    return this.#key;
  }

  value(at: number): Uint8Array {
    return this.#text().subarray(this.#end(at - 1), this.#end(at) - 1);
  }

  lines(from: number, to: number): Piece {
    const { bytes, codec } = this.stored;
    if (codec === ZSTD && from === 0 && to === this.count) return { bytes, zstd: true };
    return { bytes: this.#text().subarray(this.#end(from - 1), this.#end(to - 1)), zstd: false };
  }

  #text(): Uint8Array {
    const { bytes, codec } = this.stored;
    this.#plain ??= codec === ZSTD ? Bun.zstdDecompressSync(bytes) : bytes;
    return this.#plain;
  }

  #moveTo(run: number): void {
    this.#run = run;
    this.#key = null;
  }

  #recordsAfter(run: number): number {
    return this.#places[2 + run * 2] ?? Number.POSITIVE_INFINITY;
  }

  #keyEnd(run: number): number {
    return run < 0 ? 0 : (this.#places[1 + run * 2] ?? 0);
  }

  #end(at: number): number {
    return at < 0 ? 0 : (this.#places[1 + this.#runs * 2 + at] ?? 0);
  }
}

/**
 * Checks. Throws a LogFault `log_corrupt` that names the place when the checksum does not hold.
 */
export function openStored(of: TopicPartition, stored: StoredBatch): Opened {
  if (checksum(stored) !== stored.checksum) throw damaged(of, stored.baseOffset);
  return new Opened(stored, null);
}

export function damaged(of: TopicPartition, offset: number): LogFault {
  const place = `${of.topic}/${of.partition} at offset ${offset}`;
  return new LogFault(`stored records of ${place} are damaged`, 'log_corrupt', false);
}
