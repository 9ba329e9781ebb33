// Stored state that was damaged: every single bit of 4 KB flipped, and a cut at every length, is found and
// never read as a number. What is found makes a slot on which nothing is folded.

import { describe, expect, test } from 'bun:test';
import type { Observation } from '../../../actors/domain/observation.ts';
import { packDay, unpackDay } from '../../../actors/domain/packed-day.ts';
import { seal, sealJson, unseal, unsealJson } from '../../../actors/domain/sealed.ts';

const BYTES = 4_096;
const DAY_MS = Date.UTC(2023, 5, 1, 7);

/** Bytes of `seal(3, …)` that are 4 KB with their header. */
const plain = seal(
  3,
  Uint8Array.from({ length: BYTES - 9 }, (_, n) => (n * 37 + 11) & 0xff),
);

/** A day of five-minute prices: over 3 KB in columns. */
function observations(revised: boolean): Observation[] {
  return Array.from({ length: 288 }, (_, n) => {
    const startMs = DAY_MS + n * 300_000;
    const hash = (n * 1_234_567).toString(16).padStart(12, '0');
    const version = {
      publication: 1_700_000_000_000_000,
      hash,
      price: n * 10_007 - 40_000_000,
      quantity: null,
    };
    const later = { ...version, publication: version.publication + 1, price: 7 };
    const versions = revised && n === 5 ? [version, later] : [version];
    return { startMs, endMs: startMs + 300_000, tradeId: null, versions };
  });
}

const STORED: readonly (readonly [what: string, bytes: Uint8Array, read: (bytes: Uint8Array) => unknown])[] =
  [
    ['bytes', plain, (bytes) => unseal(bytes, [3])],
    ['a day in columns', packDay(DAY_MS, observations(false)), unpackDay],
    ['a day that is written out', packDay(DAY_MS, observations(true)), unpackDay],
    ['JSON', sealJson(1, { at: 'x'.repeat(BYTES - 20) }), (bytes) => unsealJson(bytes, [1])],
  ];

describe.each(STORED)('%s', (_, bytes, read) => {
  test('is read as it was written', () => {
    expect(bytes.length).toBeGreaterThan(3_500);
    expect(() => read(bytes)).not.toThrow();
  });

  test('with any one bit flipped is found', () => {
    const damaged = bytes.slice();
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const at = bit >> 3;
      damaged[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      expect(() => read(damaged)).toThrow('stored part');
      damaged[at] = bytes[at] ?? 0;
    }
  });

  test('cut at any length is found', () => {
    for (let length = 0; length < bytes.length; length += 1)
      expect(() => read(bytes.slice(0, length))).toThrow('stored part');
  });

  test('with anything behind it is found', () => {
    expect(() => read(Uint8Array.from([...bytes, 0]))).toThrow('stored part');
  });
});

test('a format is read by whoever knows it, such as the one before, and refused by others', () => {
  expect(unsealJson(sealJson(1, [7]), [1, 2])).toEqual([7]);
  expect(unsealJson(sealJson(2, [7]), [1, 2])).toEqual([7]);
  expect(() => unsealJson(sealJson(3, [7]), [1, 2])).toThrow('stored part has format 3, known: 1, 2');
});
