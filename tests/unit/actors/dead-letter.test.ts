// A dead letter carries a bounded piece of what was refused; the whole of a larger body is in its chunks, to
// the byte, whatever the bytes are.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { deadLetter, deadLetterBodies } from '../../../actors/dead-letter.ts';
import { reject } from '../../../actors/domain/rejection.ts';

const ORIGIN = { topic: 'normalized.market.ticks.v1', partition: 3, offset: 17, key: 'CAISO:DAM:A' };
const CONTEXT = { service: 'enrichment-service', tenantId: 'default', nowMs: 1_000 };
const LOG_BYTES_MAX = 1_000_000;

const letterOf = (body: Uint8Array) => deadLetter(ORIGIN, body, reject('wrong_type', 'no'), CONTEXT);

function noise(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let at = 0, state = seed | 1; at < bytes; at += 1) {
    state = (state * 1_103_515_245 + 12_345) | 0;
    out[at] = state >>> 16;
  }
  return out;
}

describe('the chunks of a refused body', () => {
  test('together they are the body; each fits the log, and names its letter, place and order', () => {
    const sizes = fc.constantFrom(65_537, 262_144, 262_145, 524_288, 900_000, 3_000_001);
    fc.assert(
      fc.property(sizes, fc.integer(), (bytes, seed) => {
        const body = noise(bytes, seed);
        const letter = letterOf(body);
        const chunks = deadLetterBodies(letter, body);
        expect(Buffer.concat(chunks.map((each) => Buffer.from(each.body, 'base64'))).equals(body)).toBe(true);
        expect(new Set(chunks.map(({ event_id }) => event_id)).size).toBe(chunks.length);
        for (const [n, each] of chunks.entries()) {
          expect(each).toMatchObject({
            letter_id: letter.event_id,
            chunk: n,
            chunks: chunks.length,
            origin_offset: 17,
            original_bytes: bytes,
            original_sha256: letter.original_sha256,
          });
          expect(JSON.stringify(each).length).toBeLessThan(LOG_BYTES_MAX);
        }
        expect(Buffer.byteLength(letter.original)).toBeLessThan(4 * 65_536);
      }),
      { numRuns: 20 },
    );
  });

  test('a body that its letter holds has none', () => {
    const body = noise(65_536, 1);
    expect(deadLetterBodies(letterOf(body), body)).toEqual([]);
  });

  test('the same record refused again has the same chunks', () => {
    const body = noise(300_000, 7);
    const ids = () => deadLetterBodies(letterOf(body), body).map(({ event_id }) => event_id);
    expect(ids()).toEqual(ids());
  });
});
