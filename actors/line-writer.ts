// Puts together records that share most of their text: `head` and `middle` are encoded once, and what differs
// is written between them. One writer at a time: the scratch is shared, and `finish` copies out of it.

import { type Lines, NEWLINE } from './batch.ts';

const encoder = new TextEncoder();
let scratch = new Uint8Array(64 * 1024);

export class LineWriter {
  readonly #head: Uint8Array;
  readonly #middle: Uint8Array;
  #used = 0;
  #count = 0;

  constructor(head: string, middle: string) {
    this.#head = encoder.encode(head);
    this.#middle = encoder.encode(middle);
  }

  /** Adds the record `head + own + middle + rest`. Neither may hold a newline. */
  add(own: string, rest: string): void {
    const most = this.#head.length + this.#middle.length + 3 * (own.length + rest.length) + 1;
    if (this.#used + most > scratch.length) grow(this.#used + most);
    scratch.set(this.#head, this.#used);
    this.#used += this.#head.length;
    this.#write(own);
    scratch.set(this.#middle, this.#used);
    this.#used += this.#middle.length;
    this.#write(rest);
    scratch[this.#used] = NEWLINE;
    this.#used += 1;
    this.#count += 1;
  }

  finish(): Lines {
    return { bytes: scratch.slice(0, this.#used), count: this.#count };
  }

  #write(text: string): void {
    this.#used += encoder.encodeInto(text, scratch.subarray(this.#used)).written;
  }
}

function grow(least: number): void {
  const larger = new Uint8Array(Math.max(scratch.length * 2, least));
  larger.set(scratch);
  scratch = larger;
}
