// Sealed bytes: how a part of a state is stored. A version byte and a checksum stand before the body, so that
// a damaged or foreign part is always noticed and never read as a number.
//
//   [version u8][checksum u64 of version and body][body …]

import { Defect } from './invariant.ts';

const HEADER = 9;

function checksum(version: number, body: Uint8Array): bigint {
  return Bun.hash.xxHash64(body, BigInt(version));
}

export function seal(version: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  bytes[0] = version;
  new DataView(bytes.buffer).setBigUint64(1, checksum(version, body));
  bytes.set(body, HEADER);
  return bytes;
}

/** The body, when the bytes are whole and of one of `versions`; else a Defect that says what is wrong. */
export function unseal(
  bytes: Uint8Array,
  versions: readonly number[],
): { version: number; body: Uint8Array } {
  const version = bytes[0];
  if (version === undefined || bytes.length < HEADER)
    throw new Defect(`stored part is cut: ${bytes.length} bytes`);
  const body = bytes.subarray(HEADER);
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1);
  if (stored !== checksum(version, body))
    throw new Defect('stored part is damaged: its checksum does not hold');
  if (!versions.includes(version))
    throw new Defect(`stored part has format ${version}, known: ${versions.join(', ')}`);
  return { version, body };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function sealJson(version: number, value: unknown): Uint8Array {
  return seal(version, encoder.encode(JSON.stringify(value)));
}

export function unsealJson(bytes: Uint8Array, versions: readonly number[]): unknown {
  return JSON.parse(decoder.decode(unseal(bytes, versions).body));
}
