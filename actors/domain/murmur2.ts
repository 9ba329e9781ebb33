// murmur2 as Kafka's default partitioner uses it, so that a key lands on the same partition whichever log is
// behind the port. Source: the reference MurmurHash2 with Kafka's seed 0x9747b28c.

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Unsigned 32-bit murmur2 of the bytes. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  const words = length >> 2;
  for (let word = 0; word < words; word += 1) {
    const at = word * 4;
    let k =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const rest = length & 3;
  const tail = words * 4;
  if (rest === 3) hash ^= (bytes[tail + 2] ?? 0) << 16;
  if (rest >= 2) hash ^= (bytes[tail + 1] ?? 0) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[tail] ?? 0), M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return (hash ^ (hash >>> 15)) >>> 0;
}

const encoder = new TextEncoder();

/** What Kafka takes modulo the number of partitions: murmur2 of the key's UTF-8, made positive. */
export function keyHash(key: string): number {
  return murmur2(encoder.encode(key)) & 0x7fffffff;
}

/** Another hash of the same key for each `salt`: the finalizer of murmur3 over both. Unsigned 32-bit. */
export function mix(hash: number, salt: number): number {
  let h = hash ^ Math.imul(salt, 0x9e3779b9);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
