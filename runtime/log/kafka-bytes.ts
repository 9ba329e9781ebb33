// Numbers and strings as Kafka's protocol writes them: big-endian, and zigzag varints inside record batches.
// Writers grow; readers throw a RangeError past the end.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class BytesWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #used = 0;

  constructor(bytesAtFirst = 256) {
    this.#bytes = new Uint8Array(bytesAtFirst);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#used;
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  int8(value: number): this {
    this.#room(1);
    this.#view.setInt8(this.#used, value);
    this.#used += 1;
    return this;
  }

  int16(value: number): this {
    this.#room(2);
    this.#view.setInt16(this.#used, value);
    this.#used += 2;
    return this;
  }

  int32(value: number): this {
    this.#room(4);
    this.#view.setInt32(this.#used, value);
    this.#used += 4;
    return this;
  }

  uint32(value: number): this {
    return this.int32(value | 0);
  }

  int64(value: bigint | number): this {
    this.#room(8);
    this.#view.setBigInt64(this.#used, BigInt(value));
    this.#used += 8;
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const bytes = encoder.encode(value);
    return this.int16(bytes.length).raw(bytes);
  }

  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#used);
    this.#used += value.length;
    return this;
  }

  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length);
    for (const value of values) write(value);
    return this;
  }

  /** A string as newer requests have it. */
  text(value: string): this {
    return this.uvarint(Buffer.byteLength(value) + 1).raw(encoder.encode(value));
  }

  /** An array as newer requests have it; null is no array. */
  compact<T>(values: readonly T[] | null, write: (value: T) => void): this {
    this.uvarint(values === null ? 0 : values.length + 1);
    for (const value of values ?? []) write(value);
    return this;
  }

  /** A topic and its partitions, as newer requests have them. */
  partitions(of: { readonly topic: string; readonly partitions: readonly number[] }): this {
    return this.text(of.topic)
      .compact(of.partitions, (each) => this.int32(each))
      .untagged();
  }

  /** No tags: newer requests, and what is in them, end in some. */
  untagged(): this {
    return this.int8(0);
  }

  /** Zigzag varint of an integer of up to 53 bits. */
  varint(value: number): this {
    return this.uvarint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Of an integer from 0 on, up to 53 bits. */
  uvarint(value: number): this {
    this.#room(8);
    let left = value;
    while (left > 127) {
      this.#bytes[this.#used] = (left % 128) | 128;
      this.#used += 1;
      left = Math.floor(left / 128);
    }
    this.#bytes[this.#used] = left;
    this.#used += 1;
    return this;
  }

  /** A length as varint, then the bytes; null is length −1. */
  sized(value: string | Uint8Array | null): this {
    if (value === null) return this.varint(-1);
    if (typeof value !== 'string') return this.varint(value.length).raw(value);
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#room(length);
    encoder.encodeInto(value, this.#bytes.subarray(this.#used));
    this.#used += length;
    return this;
  }

  #room(more: number): void {
    if (this.#used + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + more));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

export function varintSize(value: number): number {
  let left = value < 0 ? -value * 2 - 1 : value * 2;
  let size = 1;
  while (left > 127) {
    left = Math.floor(left / 128);
    size += 1;
  }
  return size;
}

export class BytesReader {
  at = 0;
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  int8(): number {
    this.at += 1;
    return this.#view.getInt8(this.at - 1);
  }

  int16(): number {
    this.at += 2;
    return this.#view.getInt16(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#view.getInt32(this.at - 4);
  }

  /** An offset or a time: exact up to 2⁵³. */
  int64(): number {
    return Number(this.bigint());
  }

  bigint(): bigint {
    this.at += 8;
    return this.#view.getBigInt64(this.at - 8);
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : decoder.decode(this.raw(length));
  }

  raw(length: number): Uint8Array {
    if (length > this.left) throw new RangeError(`${length} bytes wanted, ${this.left} left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  /** A string as newer answers have it; none is empty. */
  text(): string {
    return decoder.decode(this.raw(Math.max(0, this.uvarint() - 1)));
  }

  /** An array as newer answers have it. */
  compact<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, read);
  }

  /** What newer answers say of each partition, gathered by topic there. */
  partitions<T>(read: (topic: string) => T): T[] {
    const topics = this.compact(() => {
      const topic = this.text();
      const found = this.compact(() => read(topic));
      this.skipTags();
      return found;
    });
    return topics.flat();
  }

  /** Newer answers, and what is in them, end in tags: none that is known here. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint();
      this.raw(this.uvarint());
    }
  }

  /** Zigzag. */
  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw new RangeError('a varint past the end');
      this.at += 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }
}
