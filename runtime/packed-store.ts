// The packed local store: what is stored of each instrument of a partition, as bytes in few large chunks, so
// that tens of thousands of instruments cost neither objects nor time until one is needed. What is taken out
// is a copy; a chunk goes when all that stood in it is out.
//
//   an instrument: ([name length u8][name][length u32][bytes])* by part

const CHUNK_BYTES = 1 << 20;
/** So much may be open beyond twice what is held. */
const SPARE_BYTES = 4 * CHUNK_BYTES;

interface Chunk {
  readonly bytes: Uint8Array;
  used: number;
  /** Instruments that stand in it. */
  held: number;
}

interface Span {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class PackedStore {
  readonly #spans = new Map<string, Span>();
  #open: Chunk = chunkOf(0);
  /** Bytes of the instruments, and of the chunks that they stand in. */
  #live = 0;
  #opened = 0;

  get size(): number {
    return this.#spans.size;
  }

  /** Bytes that it occupies: less than thrice what is held and six chunks more, whatever left. */
  get bytes(): number {
    return this.#opened;
  }

  has(id: string): boolean {
    return this.#spans.has(id);
  }

  ids(): Iterable<string> {
    return this.#spans.keys();
  }

  /** All parts of an instrument; they replace what stood there. */
  put(id: string, parts: Iterable<readonly [part: string, bytes: Uint8Array]>): void {
    this.delete(id);
    const all = [...parts].map(([part, bytes]) => ({ name: nameOf(part), bytes }));
    const length = all.reduce((sum, { name, bytes }) => sum + 5 + name.length + bytes.length, 0);
    const chunk = this.#chunkFor(length);
    const from = chunk.used;
    const view = new DataView(chunk.bytes.buffer);
    for (const { name, bytes } of all) {
      view.setUint8(chunk.used, name.length);
      chunk.bytes.set(name, chunk.used + 1);
      view.setUint32(chunk.used + 1 + name.length, bytes.length);
      chunk.bytes.set(bytes, chunk.used + 5 + name.length);
      chunk.used += 5 + name.length + bytes.length;
    }
    chunk.held += 1;
    this.#live += length;
    this.#spans.set(id, { chunk, from, to: chunk.used });
  }

  #chunkFor(length: number): Chunk {
    if (this.#open.used + length <= this.#open.bytes.length) return this.#open;
    if (this.#open.held === 0) this.#opened -= this.#open.bytes.length;
    if (this.#opened > 2 * this.#live + SPARE_BYTES) this.#moveTogether();
    this.#open = chunkOf(Math.max(CHUNK_BYTES, length));
    this.#opened += this.#open.bytes.length;
    return this.#open;
  }

  /** One that stays long would keep the whole chunk of those that left. */
  #moveTogether(): void {
    const chunk = chunkOf(this.#live);
    for (const [id, { chunk: old, from, to }] of this.#spans) {
      chunk.bytes.set(old.bytes.subarray(from, to), chunk.used);
      this.#spans.set(id, { chunk, from: chunk.used, to: chunk.used + to - from });
      chunk.used += to - from;
      chunk.held += 1;
    }
    this.#opened = this.#live;
  }

  /** Views that hold until the instrument is put again or taken; null: it is not here. */
  peek(id: string): ReadonlyMap<string, Uint8Array> | null {
    const span = this.#spans.get(id);
    return span === undefined ? null : read(span.chunk.bytes.subarray(span.from, span.to));
  }

  /** Its parts, which are here no more. */
  take(id: string): ReadonlyMap<string, Uint8Array> | null {
    const span = this.#spans.get(id);
    if (span === undefined) return null;
    this.delete(id);
    return read(span.chunk.bytes.slice(span.from, span.to));
  }

  delete(id: string): boolean {
    const span = this.#spans.get(id);
    if (span === undefined) return false;
    span.chunk.held -= 1;
    this.#live -= span.to - span.from;
    // Nothing refers to it any more but the next to be put.
    if (span.chunk === this.#open && span.chunk.held === 0) span.chunk.used = 0;
    else if (span.chunk.held === 0) this.#opened -= span.chunk.bytes.length;
    return this.#spans.delete(id);
  }
}

/** Names are few: each is encoded once. */
const names = new Map<string, Uint8Array>();
const NAMES_MAX = 10_000;

function nameOf(part: string): Uint8Array {
  const found = names.get(part);
  if (found !== undefined) return found;
  const made = encoder.encode(part);
  if (names.size < NAMES_MAX) names.set(part, made);
  return made;
}

function chunkOf(length: number): Chunk {
  return { bytes: new Uint8Array(length), used: 0, held: 0 };
}

function read(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const name = view.getUint8(at);
    const length = view.getUint32(at + 1 + name);
    const from = at + 5 + name;
    parts.set(decoder.decode(bytes.subarray(at + 1, at + 1 + name)), bytes.subarray(from, from + length));
    at = from + length;
  }
  return parts;
}
