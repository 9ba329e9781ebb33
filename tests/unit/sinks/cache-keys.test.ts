// Keys of cached answers: as others read them, different for different questions, bounded.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  locationPatterns,
  marketPatterns,
  queryKey,
  scopeName,
  scopeOfKey,
  scopesOf,
} from '../../../sinks/cache-keys.ts';
import { globPattern } from '../../../sinks/memory-cache.ts';
import type { GoldQuery } from '../../../sinks/queries.ts';

const OPEN: GoldQuery = {
  kind: 'ohlc',
  market: null,
  run: null,
  location: null,
  startDate: null,
  endDate: null,
  type: null,
  barSize: null,
  windowSize: null,
  limit: 1_000,
  cursor: null,
};
const day = '2025-01-15';

test('a plain question has the name that others know', () => {
  const place = { market: 'CAISO', run: 'RTPD', location: 'TH_SP15_GEN-APND' };
  const key = queryKey({ ...OPEN, ...place, startDate: day, endDate: day, barSize: '1H' });
  expect(key).toBe('ohlc:CAISO:RTPD:TH_SP15_GEN-APND:2025-01-15:1H');
  expect(queryKey({ ...OPEN, kind: 'curves', market: 'MISO' })).toBe('curves:MISO:-:-:all:all');
});

describe('different questions have different keys', () => {
  const name = fc.option(
    fc.oneof(
      fc.constantFrom('-', '', 'A', 'A B', 'A_B', 'A/B', 'a:b', 'A'.repeat(80), `${'A'.repeat(80)}B`, '東京'),
      fc.string({ maxLength: 100 }),
    ),
  );
  const number = fc.constantFrom(null, 1, 5, 1_000);
  const question = fc.record({
    kind: fc.constantFrom('ohlc' as const, 'metrics' as const, 'curves' as const),
    market: name,
    run: name,
    location: name,
    startDate: fc.constantFrom(null, day, '2025-01-16'),
    endDate: fc.constantFrom(null, day, '2025-01-16'),
    type: name,
    barSize: fc.constantFrom(null, '1H', '1D'),
    windowSize: number,
    limit: fc.constantFrom(1, 1_000),
    cursor: fc.option(fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 })),
  });

  test('whatever is asked', () => {
    fc.assert(
      fc.property(question, question, (a, b) => {
        const [one, two] = [queryKey(a), queryKey(b)];
        expect(one === two).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(one.length).toBeLessThan(400);
        expect(one).toMatch(/^(ohlc|metrics|curves)(:[A-Za-z0-9._-]+){5,6}$/);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that differ in one thing only', () => {
    fc.assert(
      fc.property(question, question, fc.constantFrom(...Object.keys(OPEN)), (a, b, field) => {
        const c: GoldQuery = { ...a, [field]: Reflect.get(b, field) };
        expect(queryKey(a) === queryKey(c)).toBe(JSON.stringify(a) === JSON.stringify(c));
      }),
      { numRuns: 5_000 },
    );
  });
});

test('patterns of a market and of a location match what holds their rows', () => {
  const keys = {
    own: queryKey({ ...OPEN, market: 'CAISO', location: 'A B' }),
    open: queryKey({ ...OPEN, kind: 'metrics' }),
    other: queryKey({ ...OPEN, market: 'MISO', location: 'C' }),
    market: queryKey({ ...OPEN, market: 'CAISO' }),
  };
  const matched = (patterns: readonly string[]) =>
    Object.entries(keys).flatMap(([what, key]) =>
      patterns.some((each) => globPattern(each).test(key)) ? [what] : [],
    );
  expect(matched(marketPatterns('CAISO'))).toEqual(['own', 'open', 'market']);
  expect(matched(locationPatterns('A B'))).toEqual(['own', 'open', 'market']);
  expect(matched(marketPatterns('PJM'))).toEqual(['open']);
});

test('a change of an instrument concerns every question that its rows answer, and no other', () => {
  const scopes = new Set(scopesOf('CAISO:RTM:NODE:1'));
  expect(scopes.size).toBe(8);
  for (const market of ['CAISO', null, 'MISO']) {
    for (const run of ['RTM', null, 'DAM']) {
      for (const location of ['NODE:1', null, 'NODE']) {
        const answers = market !== 'MISO' && run !== 'DAM' && location !== 'NODE';
        expect(scopes.has(scopeName({ market, run, location }))).toBe(answers);
        const key = queryKey({ ...OPEN, market, run, location, startDate: day, endDate: day, barSize: '1H' });
        expect(scopes.has(scopeOfKey(key))).toBe(answers);
      }
    }
  }
});
