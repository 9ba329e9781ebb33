// Zip archives: whole, cut anywhere, damaged in any byte, bombs that say so and bombs that lie. Never a
// throw, never more bytes than allowed, never bytes that the checksum denies.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { type Member, UNPACKED_BYTES_MAX, unzip } from '../../../../actors/feeds/zip.ts';
import { recording } from '../../../support/recordings.ts';
import { withEntry, zipOf } from '../../../support/zips.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const text = (of: Member | undefined) => new TextDecoder().decode(of?.bytes);
const CRC = 16;
const UNPACKED = 24;
const OFFSET = 42;

function members(zip: Uint8Array): readonly Member[] {
  const found = unzip(zip);
  if ('reason' in found) throw new Error(`${found.reason}: ${found.detail}`);
  return found;
}

describe('a whole archive', () => {
  test('gives its files in its own order, folders left out', () => {
    const found = members(zipOf({ 'b.csv': 'two', 'folder/': '', 'a.csv': 'one', 'folder/c.xml': '' }));
    expect(found.map((each) => [each.name, text(each)])).toEqual([
      ['b.csv', 'two'],
      ['a.csv', 'one'],
      ['folder/c.xml', ''],
    ]);
  });

  test('may hold files that are stored, and names that mean something to JavaScript', () => {
    const stored = zipSync({ 'a.txt': new TextEncoder().encode('stored') }, { level: 0 });
    expect(members(stored).map(text)).toEqual(['stored']);
    const named = zipOf({ constructor: 'x', x__proto__: 'y' });
    const bytes = Buffer.from(
      Buffer.from(named).toString('latin1').replaceAll('x__proto__', '__proto__x'),
      'latin1',
    );
    expect(members(new Uint8Array(bytes)).map((each) => each.name)).toEqual(['constructor', '__proto__x']);
  });

  test('that holds the same name twice gives both', () => {
    const twice = Buffer.from(zipOf({ 'a1.csv': 'one', 'a2.csv': 'two' })).toString('latin1');
    const bytes = Buffer.from(twice.replaceAll('a2.csv', 'a1.csv'), 'latin1');
    expect(members(new Uint8Array(bytes)).map(text)).toEqual(['one', 'two']);
  });

  test('any files come back as they were packed', () => {
    const files = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}\.csv$/), fc.uint8Array({ maxLength: 2_000 }));
    fc.assert(
      fc.property(files, (of) => {
        const found = members(zipOf(of));
        expect(found.map((each) => [each.name, [...each.bytes]])).toEqual(
          Object.entries(of).map(([name, bytes]) => [name, [...bytes]]),
        );
      }),
    );
  });
});

describe('a damaged archive', () => {
  const zip = zipOf({ 'a.csv': 'price,29.5\n'.repeat(40), 'b.csv': 'price,-.16\n'.repeat(40) });

  test('cut anywhere, it is refused as truncated', () => {
    for (let bytes = 0; bytes < zip.length; bytes += 1) {
      expect(unzip(zip.subarray(0, bytes))).toMatchObject({ reason: 'truncated' });
    }
  });

  test('with its beginning lost, it is refused as truncated, as the recorded one is', () => {
    expect(unzip(zip.subarray(50))).toMatchObject({ reason: 'truncated' });
    expect(unzip(readFileSync(recording('TRUNCATED')))).toMatchObject({ reason: 'truncated' });
  });

  test('with a byte changed, it gives what was packed, or is refused with a reason', () => {
    const before = members(zip).map(text);
    for (let at = 0; at < zip.length; at += 1) {
      for (const bits of [0x01, 0x80, 0xff]) {
        const copy = new Uint8Array(zip);
        copy[at] = (copy[at] ?? 0) ^ bits;
        const found = unzip(copy);
        if ('reason' in found) expect(found.detail.length).toBeGreaterThan(10);
        else for (const each of found) expect(before).toContain(text(each));
      }
    }
  });

  test('of any bytes, it is refused and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const found = unzip(new Uint8Array([0x50, 0x4b, 3, 4, ...bytes]));
        if ('reason' in found) expect(found.reason).toMatch(/truncated|malformed|too_large/);
      }),
    );
  });

  test('a checksum that does not hold names the file', () => {
    expect(unzip(withEntry(zip, 1, CRC, 12_345))).toEqual({
      reason: 'malformed',
      detail: "'b.csv' in the zip is damaged: it is not what its checksum says",
    });
    expect(unzip(withEntry(zip, 1, OFFSET, 7))).toMatchObject({ reason: 'truncated' });
  });
});

describe('a bomb', () => {
  const zeros = zipOf({ 'bomb.csv': new Uint8Array(16 * 1_048_576) });

  test('that says its size is refused before it is unpacked', () => {
    expect(zeros.length).toBeLessThan(20_000);
    const found = unzip(zeros);
    expect(found).toMatchObject({ reason: 'too_large' });
    expect(found).toHaveProperty('detail', 'the zip holds packed more than 200:1');
  });

  test('that claims to be small gives no more than it claims, and is refused', () => {
    const liar = withEntry(zeros, 0, UNPACKED, 1_000);
    expect(unzip(liar)).toMatchObject({ reason: 'malformed' });
  });

  test('that claims more than a response may be is refused, however little it holds', () => {
    const claim = withEntry(zipOf({ a: 'x' }), 0, UNPACKED, UNPACKED_BYTES_MAX + 1);
    expect(unzip(claim)).toMatchObject({ reason: 'too_large' });
  });

  test('of many files that share one body is refused by their sum', () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`${n}.csv`, new Uint8Array(1_000_000)] as const),
    );
    expect(unzip(zipOf(files))).toMatchObject({ reason: 'too_large' });
  });

  test('of more files than a response has is refused by their number', () => {
    const files = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`${n}.csv`, 'x'] as const));
    expect(unzip(zipOf(files))).toEqual({ reason: 'too_large', detail: 'the zip holds more than 64 files' });
  });
});
