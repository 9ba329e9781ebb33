// Gathers records into batches of the stored form and packs them. Bounds are checked here: a key, a value,
// and the size at which a batch is cut.

import { isLines, NEWLINE } from '../../actors/batch.ts';
import type { Lines, OutputValue } from './log.ts';
import { type Packed, PLAIN, ZSTD } from './stored-batch.ts';

/** A batch is cut where it reaches this, so that a read never unpacks much more than it takes. */
export const BATCH_BYTES_MAX = 1024 * 1024;

export const VALUE_BYTES_MAX = 8 * 1024 * 1024;
export const KEY_BYTES_MAX = 1_024;
const COMPRESS_FROM_BYTES = 512;
const BUFFER_BYTES = 64 * 1024;
/** A buffer that one large batch has made larger than this is not kept. */
const BUFFER_BYTES_KEPT = 4 * BATCH_BYTES_MAX;
const encoder = new TextEncoder();

/** Bytes that grow as they are written; reused for the next batch. */
class Growing {
  bytes = new Uint8Array(BUFFER_BYTES);
  used = 0;

  /** Returns the bytes written. */
  write(of: string | Uint8Array): number {
    this.room(typeof of === 'string' ? of.length * 3 : of.length);
    const from = this.used;
    if (typeof of === 'string') this.used += encoder.encodeInto(of, this.bytes.subarray(from)).written;
    else {
      this.bytes.set(of, from);
      this.used += of.length;
    }
    return this.used - from;
  }

  clear(): void {
    this.used = 0;
    if (this.bytes.length > BUFFER_BYTES_KEPT) this.bytes = new Uint8Array(BUFFER_BYTES);
  }

  room(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.used + more));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }
}

interface Run {
  readonly keyEnd: number;
  /** Records of this run and those before it. */
  records: number;
}

/** Grows as records are added. One batch at a time. */
export class BatchWriter {
  readonly #lines = new Growing();
  readonly #keys = new Growing();
  #ends: number[] = [];
  #runs: Run[] = [];
  #lastKey: string | null = null;
  #forSink = false;

  get full(): boolean {
    return this.#lines.used >= BATCH_BYTES_MAX;
  }

  /** Throws a RangeError for a key or value over its bound; the writer is then of no more use. */
  add(key: string, value: OutputValue): void {
    // In UTF-8 a text is no shorter than it is in characters.
    if (key.length > KEY_BYTES_MAX) throw over(key);
    if (!isLines(value) && value.length > VALUE_BYTES_MAX) throw over(key);
    const run = this.#runOf(key);
    if (isLines(value)) this.#addLines(value);
    else this.#addValue(key, value);
    run.records = this.#ends.length;
  }

  /**
   * Packs the batch beside this thread. The writer is free for another one when this has resolved. What was
   * given as lines is for a sink, which takes it packed: only other batches keep their text at hand.
   */
  async finish(): Promise<Packed> {
    const text = this.#lines.bytes.subarray(0, this.#lines.used);
    const plain = this.#forSink ? null : text.slice();
    const index = this.#index();
    const count = this.#ends.length;
    const packed = text.length < COMPRESS_FROM_BYTES ? text : await Bun.zstdCompress(text, { level: 1 });
    const smaller = packed.length < text.length;
    const bytes = smaller ? packed : (plain ?? text.slice());
    this.#lines.clear();
    this.#keys.clear();
    this.#ends = [];
    this.#runs = [];
    this.#lastKey = null;
    this.#forSink = false;
    return { count, codec: smaller ? ZSTD : PLAIN, index, bytes, plain };
  }

  #addValue(key: string, value: string | Uint8Array): void {
    if (this.#lines.write(value) > VALUE_BYTES_MAX) throw over(key);
    this.#lines.room(1);
    this.#lines.bytes[this.#lines.used] = NEWLINE;
    this.#lines.used += 1;
    this.#ends.push(this.#lines.used);
  }

  #addLines({ bytes, count }: Lines): void {
    this.#forSink = true;
    const from = this.#lines.used;
    this.#lines.write(bytes);
    const before = this.#ends.length;
    // A Buffer's search is the system's; a Uint8Array's looks at byte after byte.
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, end + 1)) {
      this.#ends.push(from + end + 1);
    }
    const found = this.#ends.length - before;
    if (found !== count || this.#ends.at(-1) !== this.#lines.used)
      throw new RangeError(`${count} lines were announced, and ${found} are there`);
  }

  #runOf(key: string): Run {
    const last = this.#runs.at(-1);
    if (last !== undefined && key === this.#lastKey) return last;
    if (this.#keys.write(key) > KEY_BYTES_MAX) throw over(key);
    const run = { keyEnd: this.#keys.used, records: this.#ends.length };
    this.#runs.push(run);
    this.#lastKey = key;
    return run;
  }

  /** Places, then the keys. */
  #index(): Uint8Array {
    const places = new Uint32Array(1 + this.#runs.length * 2 + this.#ends.length);
    places[0] = this.#runs.length;
    for (const [n, { keyEnd, records }] of this.#runs.entries()) {
      places[1 + n * 2] = keyEnd;
      places[2 + n * 2] = records;
    }
    places.set(this.#ends, 1 + this.#runs.length * 2);
    const index = new Uint8Array(places.byteLength + this.#keys.used);
    index.set(new Uint8Array(places.buffer));
    index.set(this.#keys.bytes.subarray(0, this.#keys.used), places.byteLength);
    return index;
  }
}

function over(key: string): RangeError {
  return new RangeError(`record '${key.slice(0, 80)}' is over the bound of the log`);
}
