// The laws of aggregation: rows are a function of the set of versions. Order, repetition, batching, restarts
// and the way through the rebuilder leave no trace.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { refold } from '../../actors/aggregate.ts';
import {
  hourlyTick,
  keep,
  options,
  type Run,
  run,
  type TestTick,
  tradeTick,
  wire,
} from './aggregation-bench.ts';

const ticksOf = (tick: fc.Arbitrary<TestTick>) => fc.array(tick, { minLength: 1, maxLength: 40 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

function shuffled<T>(of: readonly T[], keys: readonly number[]): T[] {
  return of
    .map((each, n) => [keys[n % keys.length] ?? 0, n, each] as const)
    .sort((a, b) => a[0] - b[0] || b[1] - a[1])
    .map(([, , each]) => each);
}

const sorted = (of: Run) => [...of.rows].sort(([a], [b]) => (a < b ? -1 : 1));

for (const [name, tick] of [
  ['hourly prices', hourlyTick],
  ['trades', tradeTick],
] as const) {
  describe(name, () => {
    test('batching and restarts between batches change nothing', () => {
      fc.assert(
        fc.property(ticksOf(tick), sizes, (ticks, batches) => {
          const whole = run(ticks, [1_000]);
          const split = run(ticks, batches, true);
          expect(sorted(split)).toEqual(sorted(whole));
          expect(split.tally).toEqual(whole.tally);
        }),
        { numRuns: 150 },
      );
    });

    test('order and repetition change nothing', () => {
      fc.assert(
        fc.property(ticksOf(tick), fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (ticks, keys) => {
          const once = run(ticks, [7]);
          const again = run(shuffled([...ticks, ...ticks], keys), [5]);
          expect(sorted(again)).toEqual(sorted(once));
          const { first, revision, duplicate, forwarded, rejected } = again.tally;
          expect(first + revision + duplicate + forwarded + rejected).toBe(2 * ticks.length);
        }),
        { numRuns: 150 },
      );
    });

    test('the rebuilder folds the same rows from the complete set', () => {
      const rebuilder = refold(options);
      fc.assert(
        fc.property(ticksOf(tick), (ticks) => {
          const live = run(ticks, [7]);
          const rebuilt: Run = { rows: new Map(), rebuild: [], tally: { ...live.tally } };
          const id = `TEST:${ticks[0]?.run}:L`;
          keep(
            rebuilt,
            rebuilder.fold(
              id,
              ticks.map(wire),
              ticks.map((each) => each.startMs),
              0,
            ),
          );
          expect(sorted(rebuilt)).toEqual(sorted(live));
        }),
        { numRuns: 150 },
      );
    });
  });
}

/** Hourly ticks of a time that is long past what stays open. */
const NINE_DAYS_MS = 9 * 24 * 3_600_000;
const old = hourlyTick.map((each) => ({
  ...each,
  startMs: each.startMs - NINE_DAYS_MS,
  endMs: each.endMs - NINE_DAYS_MS,
}));

test('what is too old is forwarded, and live and rebuilt rows together equal the whole', () => {
  const rebuilder = refold(options);
  fc.assert(
    fc.property(ticksOf(hourlyTick), ticksOf(old), (fresh, late) => {
      const inOrder = run(
        [...late, ...fresh].sort((a, b) => a.startMs - b.startMs),
        [6],
      );
      const reversed = run([...fresh, ...late], [6]);
      expect(reversed.tally.forwarded).toBe(late.length);
      expect(reversed.rebuild.length).toBe(late.length);
      const all = [...fresh, ...late].map(wire);
      keep(
        reversed,
        rebuilder.fold(
          'TEST:DAM:L',
          all,
          late.map((each) => each.startMs),
          0,
        ),
      );
      expect(sorted(reversed)).toEqual(sorted(inOrder));
    }),
    { numRuns: 100 },
  );
});

test('a day that was partly seen before it grew too old is made whole by the rebuilder', () => {
  const rebuilder = refold(options);
  fc.assert(
    fc.property(ticksOf(old), ticksOf(hourlyTick), ticksOf(old), (before, fresh, after) => {
      const all = [...before, ...fresh, ...after];
      const inOrder = run(
        all.toSorted((a, b) => a.startMs - b.startMs),
        [6],
      );
      const apart = run(all, [6]);
      for (const late of apart.rebuild) {
        const atMs = Number(Reflect.get(late, 'interval_start')) / 1_000;
        keep(apart, rebuilder.fold('TEST:DAM:L', all.map(wire), [atMs], 0));
      }
      expect(sorted(apart)).toEqual(sorted(inOrder));
    }),
    { numRuns: 100 },
  );
});

test('revisions: A, B, A again counts three changes; equal publications are ordered by their hash', () => {
  const at = Date.UTC(2024, 2, 9, 18);
  const version = (publication: number, price: number): TestTick => ({
    run: 'DAM',
    startMs: at,
    endMs: at + 3_600_000,
    tradeId: null,
    publication,
    price,
    quantity: null,
  });
  const bar = (ticks: TestTick[]) => run(ticks, [1]).rows.get(`bars|1H|${at * 1_000}||||`);
  expect(bar([version(1, 10), version(2, 20), version(3, 10)])).toMatchObject({
    revision: 3,
    close_price: 10,
  });
  expect(bar([version(3, 10), version(1, 10), version(2, 20)])).toMatchObject({
    revision: 3,
    close_price: 10,
  });
  expect(bar([version(1, 10), version(2, 10)])).toMatchObject({
    revision: 1,
    close_price: 10,
    trade_count: 1,
  });
  expect(bar([version(1, 10), version(1, 20)])).toEqual(bar([version(1, 20), version(1, 10)]));
  expect(run([version(1, 10), version(2, 20), version(2, 20)], [1]).tally).toMatchObject({
    first: 1,
    revision: 1,
    duplicate: 1,
  });
});
