// Compression of record batches: what ours are written with, and what other producers' are read from. gzip
// and zstd are built into Bun; snappy and lz4 are not, and a batch of theirs says so by name.

import { LogFault } from './log-fault.ts';

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

const NUMBERS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 };
const NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** The attribute bits of a batch that say how it is compressed. */
export function compressionBits(of: Compression): number {
  return NUMBERS[of];
}

export function compress(of: Compression, bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  if (of === 'none') return bytes;
  return of === 'gzip' ? Bun.gzipSync(bytes, { level: 1 }) : Bun.zstdCompressSync(bytes, { level: 1 });
}

/** Throws LogFault `kafka_compression` for a codec that is not built in. */
export function decompress(bits: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  switch (bits) {
    case 0:
      return bytes;
    case 1:
      return Bun.gunzipSync(bytes);
    case 4:
      return Bun.zstdDecompressSync(bytes);
    default: {
      const name = NAMES[bits] ?? `codec ${bits}`;
      const hint = 'set compression.type=producer and another codec at the producer: gzip, zstd or none';
      throw new LogFault(`a record batch is compressed by ${name}: ${hint}`, 'kafka_compression', false);
    }
  }
}
