// A record as it waits in the parking topic: where it stood, a line feed, and its bytes as they were. So a
// parked record that is refused later still names its true origin.

import { NEWLINE, type Place } from './batch.ts';
import { Defect } from './domain/invariant.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function packParked({ topic, partition, offset }: Place, value: Uint8Array): Uint8Array {
  const head = encoder.encode(`${topic}/${partition}/${offset}\n`);
  const bytes = new Uint8Array(head.length + value.length);
  bytes.set(head);
  bytes.set(value, head.length);
  return bytes;
}

/** Inverse of `packParked`; throws a Defect on bytes it did not write. */
export function unpackParked(bytes: Uint8Array): { readonly origin: Place; readonly value: Uint8Array } {
  const cut = bytes.indexOf(NEWLINE);
  const found = /^(.+)\/(\d+)\/(\d+)$/.exec(decoder.decode(bytes.subarray(0, Math.max(0, cut))));
  const [, topic, partition, offset] = found ?? [];
  if (topic === undefined) throw new Defect('a parked record does not say where it stood');
  const origin = { topic, partition: Number(partition), offset: Number(offset) };
  return { origin, value: bytes.subarray(cut + 1) };
}
