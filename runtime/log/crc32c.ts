// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), the checksum of Kafka's record batches, four bytes
// at a time by tables.

const TABLES = makeTables();

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, n) => {
    let crc = n;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc >>> 0;
  });
  const tables = [first];
  for (let k = 1; k < 4; k += 1) {
    const before = tables[k - 1] ?? first;
    tables.push(before.map((crc) => (crc >>> 8) ^ (first[crc & 255] ?? 0)));
  }
  return tables;
}

/** Unsigned 32-bit CRC-32C of the bytes. */
export function crc32c(bytes: Uint8Array): number {
  const [t0 = new Uint32Array(), t1 = t0, t2 = t0, t3 = t0] = TABLES;
  let crc = 0xffffffff;
  const { length } = bytes;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    crc ^=
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    crc =
      (t3[crc & 255] ?? 0) ^
      (t2[(crc >>> 8) & 255] ?? 0) ^
      (t1[(crc >>> 16) & 255] ?? 0) ^
      (t0[crc >>> 24] ?? 0);
  }
  for (; at < length; at += 1) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
