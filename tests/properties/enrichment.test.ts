// The laws of enrichment: batching and restarts leave no trace, what is stored is what is restored, damage is
// noticed, and volatility is what a naive fold over the last fifty prices says.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { enrichmentStage } from '../../actors/enrich.ts';
import { runStage } from '../support/run-stage.ts';
import { testOptions } from '../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../support/wire-ticks.ts';

const stage = enrichmentStage(testOptions().enrichment);
const ID = 'CAISO:RTPD:TH_SP15_GEN-APND';

const price = fc.oneof(
  fc.integer({ min: -15_000, max: 200_000 }).map((cents) => cents / 100),
  fc.constant(0),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
);
const quantity = fc.option(fc.integer({ min: 0, max: 9_000 }), { nil: null });
const tick = fc
  .record({ at: fc.integer({ min: 0, max: 90 }), price, quantity, bad: fc.integer({ min: 0, max: 9 }) })
  .map(({ at, price, quantity, bad }) => {
    const made = lmpTick(TEN_O_CLOCK + at * 900_000, price, { quantity });
    return bad === 0 ? { ...made, market: 'ELSEWHERE' } : made;
  });
const ticks = fc.array(tick, { minLength: 1, maxLength: 120, size: 'max' });
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });

test('batching and restarts between batches change nothing', () => {
  fc.assert(
    fc.property(ticks, sizes, (of, batches) => {
      const whole = runStage(stage, ID, of);
      const split = runStage(stage, ID, of, { sizes: batches, restarts: true });
      expect(split.out).toEqual(whole.out);
      expect(split.refused).toEqual(whole.refused);
      expect(split.state).toEqual(whole.state);
      expect(whole.out.length + whole.refused.length).toBe(of.length);
    }),
    { numRuns: 100 },
  );
});

test('what is stored is what is restored, byte for byte', () => {
  fc.assert(
    fc.property(ticks, (of) => {
      const { state } = runStage(stage, ID, of);
      const parts = new Map(
        stage.store(null, state).map(({ part, bytes }) => [part, bytes ?? new Uint8Array()]),
      );
      const back = stage.restore(ID, parts);
      expect(back).toEqual(state);
      expect(stage.store(null, back)).toEqual(stage.store(null, state));
      expect(state.recent.prices.length).toBeLessThanOrEqual(50);
      expect(state.quantities.prices.length).toBeLessThanOrEqual(50);
    }),
    { numRuns: 100 },
  );
});

test('a flipped bit is noticed, wherever it is', () => {
  const of = [1, 2, 3].map((n) => lmpTick(TEN_O_CLOCK + n * 900_000, n * 10, { quantity: n }));
  const { stored } = runStage(stage, ID, of);
  expect([...stored.keys()].sort()).toEqual(['quantities', 'recent']);
  for (const [part, bytes] of stored) {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => stage.restore(ID, new Map([...stored, [part, damaged]]))).toThrow();
    }
    expect(() => stage.restore(ID, new Map([...stored, [part, bytes.slice(0, -1)]]))).toThrow();
  }
  expect(() => stage.restore(ID, new Map())).toThrow('without its recent prices');
});

describe('volatility', () => {
  /** The last fifty intervals that are known after `n` ticks, the latest arrival of each. */
  function naive(of: readonly { readonly at: number; readonly price: number }[]): string | null {
    const byTime = new Map<number, number>();
    for (const { at, price } of of) {
      byTime.set(at, price);
      if (byTime.size > 50) byTime.delete(Math.min(...byTime.keys()));
    }
    const values = [...byTime].sort(([a], [b]) => a - b).map(([, value]) => value);
    if (values.length < 5) return null;
    const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
    const variance =
      values.map((each) => (each - mean) ** 2).reduce((a, b) => a + b, 0) / (values.length - 1);
    const size = values.map(Math.abs).reduce((a, b) => a + b, 0) / values.length;
    const ratio = size === 0 ? 0 : Math.sqrt(variance) / size;
    const found = [0.1, 0.3, 1].findIndex((bound) => ratio < bound);
    return `${['low', 'moderate', 'high', 'extreme'][found < 0 ? 3 : found]}_volatility`;
  }

  test('is as a naive fold says, in any order of arrival', () => {
    const arrival = fc.record({
      at: fc.integer({ min: 0, max: 80 }),
      price: fc.integer({ min: -9, max: 50 }),
    });
    const seen = new Set<unknown>();
    fc.assert(
      fc.property(
        fc.array(arrival, { minLength: 1, maxLength: 120, size: 'max' }),
        fc.boolean(),
        (of, calm) => {
          const arrivals = calm ? of.map(({ at, price }) => ({ at, price: price + 100 })) : of;
          const { out } = runStage(
            stage,
            ID,
            arrivals.map((each) => lmpTick(TEN_O_CLOCK + each.at * 900_000, each.price)),
          );
          const got = out.map(({ value }) => value.volatility_category);
          expect(got).toEqual(arrivals.map((_, n) => naive(arrivals.slice(0, n + 1))));
          for (const each of got) seen.add(each);
        },
      ),
      { numRuns: 60 },
    );
    expect(seen.size).toBeGreaterThanOrEqual(4);
  });
});
