// Puts together records that share most of their text: what they share is encoded once and copied, and only
// what differs is written. Lines are views of chunks that nobody writes to again, so nothing is copied out.

import { type Lines, NEWLINE } from './batch.ts';

const CHUNK_BYTES = 256 * 1024;
const encoder = new TextEncoder();

/** Where the next lines go. One writer at a time. */
let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
let chunkUsed = 0;

export class LineWriter {
  readonly #shared: Uint8Array;
  #from = chunkUsed;
  #count = 0;

  constructor(shared: string) {
    this.#shared = encoder.encode(shared);
  }

  /** Adds the record `shared + first + text + last`. `text` is ASCII; none of them holds a newline. */
  add(first: Uint8Array, text: string, last: Uint8Array): void {
    this.#room(this.#shared.length + first.length + text.length + last.length + 1);
    chunk.set(this.#shared, chunkUsed);
    chunkUsed += this.#shared.length;
    chunk.set(first, chunkUsed);
    chunkUsed += first.length;
    chunkUsed += chunk.write(text, chunkUsed, 'latin1');
    chunk.set(last, chunkUsed);
    chunkUsed += last.length;
    chunk[chunkUsed] = NEWLINE;
    chunkUsed += 1;
    this.#count += 1;
  }

  finish(): Lines {
    return { bytes: chunk.subarray(this.#from, chunkUsed), count: this.#count };
  }

  #room(more: number): void {
    if (chunkUsed + more <= chunk.length) return;
    const begun = chunk.subarray(this.#from, chunkUsed);
    chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, 2 * (begun.length + more)));
    chunk.set(begun);
    this.#from = 0;
    chunkUsed = begun.length;
  }
}
