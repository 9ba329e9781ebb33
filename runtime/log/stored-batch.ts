// How a produced batch is stored: the records' values as lines, then their keys, compressed when it pays,
// with an index of where each ends and a checksum over all of it. Records of one key stand together mostly,
// so a key is stored once a run. Written once, read as a view.
//
//   bytes:  value₀ \n value₁ \n … key₀ key₁ …
//   index:  Uint32 [runs, (end of key, records up to here) a run …, end of line a record …]

import type { TopicPartition } from './log.ts';
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
export interface Packed {
  readonly count: number;
  readonly codec: number;
  readonly index: Uint8Array;
  readonly bytes: Uint8Array;
  readonly places: Uint32Array;
  readonly plain: Uint8Array;
  readonly linesEnd: number;
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

const decoder = new TextDecoder();

/** A batch that was checked and unpacked. */
export class Opened {
  readonly #places: Uint32Array;
  readonly #runs: number;
  readonly #linesEnd: number;
  /** The run that was looked at last: readers go forward. */
  #run = 0;
  #key: string | null = null;

  constructor(
    readonly baseOffset: number,
    readonly count: number,
    readonly appendedMs: number,
    places: Uint32Array,
    readonly bytes: Uint8Array,
    linesEnd?: number,
  ) {
    this.#places = places;
    this.#runs = places[0] ?? 0;
    this.#linesEnd = linesEnd ?? this.#end(count - 1);
  }

  key(at: number): string {
    if (this.#run > 0 && at < this.#recordsAfter(this.#run - 1)) this.#moveTo(0);
    while (at >= this.#recordsAfter(this.#run)) this.#moveTo(this.#run + 1);
    this.#key ??= decoder.decode(
      this.bytes.subarray(
        this.#linesEnd + this.#keyEnd(this.#run - 1),
        this.#linesEnd + this.#keyEnd(this.#run),
      ),
    );
    return this.#key;
  }

  value(at: number): Uint8Array {
    return this.bytes.subarray(this.#end(at - 1), this.#end(at) - 1);
  }

  lines(from: number, to: number): Uint8Array {
    return this.bytes.subarray(this.#end(from - 1), this.#end(to - 1));
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
 * Checks and unpacks. Throws a LogFault `log_corrupt` that names the place when the checksum does not hold.
 */
export function openStored(of: TopicPartition, stored: StoredBatch): Opened {
  if (checksum(stored) !== stored.checksum) throw damaged(of, stored.baseOffset);
  const bytes = stored.codec === 1 ? Bun.zstdDecompressSync(stored.bytes) : stored.bytes;
  const copy = stored.index.slice();
  const { baseOffset, count, appendedMs } = stored;
  return new Opened(baseOffset, count, appendedMs, new Uint32Array(copy.buffer), bytes);
}

export function damaged(of: TopicPartition, offset: number): LogFault {
  const place = `${of.topic}/${of.partition} at offset ${offset}`;
  return new LogFault(`stored records of ${place} are damaged`, 'log_corrupt', false);
}
