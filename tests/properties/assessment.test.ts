// The laws of data quality: every finding and score of a random stream equals the naive oracle's; batching
// and restarts leave no trace; the state is restored exactly, bounded, and damage to it is noticed.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { assessmentStage } from '../../actors/assess.ts';
import { expectedFindings, expectedScore, type SeenTick } from '../oracle/quality.ts';
import { type Run, runStage } from '../support/run-stage.ts';
import { testOptions } from '../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../support/wire-ticks.ts';

const stage = assessmentStage(testOptions().assessment);
const ID = 'CAISO:RTPD:TH_SP15_GEN-APND';
const QUARTER = 900_000;

interface Arrival {
  /** Quarters from the interval before it; 0 and below: a duplicate, a revision or something late. */
  readonly step: number;
  readonly price: number;
  readonly quantity: number | null;
  readonly ghg: boolean;
  readonly waitMs: number;
  /** The version before it, once more. */
  readonly again: boolean;
}

const arrival: fc.Arbitrary<Arrival> = fc.record({
  step: fc.oneof(
    { weight: 12, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: -6, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 400 }) },
  ),
  price: fc.oneof(
    { weight: 40, arbitrary: fc.integer({ min: -30, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: -120, max: 120 }) },
    { weight: 1, arbitrary: fc.integer({ min: -300, max: 2_500 }) },
  ),
  quantity: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 20, arbitrary: fc.integer({ min: 90, max: 110 }) },
    { weight: 1, arbitrary: fc.integer({ min: 70, max: 130 }) },
  ),
  ghg: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  waitMs: fc.constantFrom(0, 1, 20_000, 61_000),
  again: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
});
const arrivals = fc.array(arrival, { minLength: 1, maxLength: 160, size: 'max' });

function streamOf(of: readonly Arrival[]) {
  let startMs = TEN_O_CLOCK;
  let arrivedMs = 0;
  const seen: SeenTick[] = [];
  const ticks = of.map((each, n) => {
    const { step, price, quantity, ghg } = each.again ? { ...(of[n - 1] ?? each), step: 0 } : each;
    startMs += step * QUARTER;
    arrivedMs += each.waitMs;
    const parts = { energy_price: price, congestion_price: 0, loss_price: 0, ghg_price: ghg ? 0 : null };
    const tick = lmpTick(startMs, price, { quantity, ...parts });
    const fields = `${quantity !== null}${ghg}`;
    seen.push({ id: tick.event_id, startMs, price, quantity, fields, arrivedMs });
    return tick;
  });
  return { ticks, seen };
}

/** Findings of each tick, then its score. */
function judged({ out }: Run<unknown>): { readonly findings: string[]; readonly score: unknown }[] {
  const all: { findings: string[]; score: unknown }[] = [];
  let findings: string[] = [];
  for (const { to, value } of out) {
    if (to === 'anomalies') findings.push(`${value.anomaly_type}/${value.severity}`);
    else {
      all.push({ findings: findings.sort(), score: value.quality_score });
      findings = [];
    }
  }
  return all;
}

test('findings and scores equal the oracle, tick by tick', () => {
  const types = new Set<string>();
  fc.assert(
    fc.property(arrivals, (of) => {
      const { ticks, seen } = streamOf(of);
      const nowMs = (offset: number): number => seen[offset]?.arrivedMs ?? 0;
      const got = judged(runStage(stage, ID, ticks, { sizes: [1], nowMs }));
      expect(got.length).toBe(ticks.length);
      for (const [n, { findings, score }] of got.entries()) {
        const expected = expectedFindings(seen.slice(0, n + 1));
        expect(findings).toEqual(expected);
        expect(score).toBeCloseTo(expectedScore(expected), 12);
        for (const each of expected) types.add(each);
      }
    }),
    { numRuns: 60 },
  );
  expect([...types].sort()).toEqual([
    'duplicate/low',
    'missing_data/medium',
    'outlier/medium',
    'price_spike/critical',
    'price_spike/high',
    'price_spike/medium',
    'range_violation/high',
    'range_warning/low',
    'schema_drift/low',
    'volume_spike/high',
    'volume_spike/medium',
  ]);
}, 60_000);

test('batching and restarts between batches change nothing', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(arrivals, sizes, (of, batches) => {
      const { ticks } = streamOf(of);
      const whole = runStage(stage, ID, ticks);
      const split = runStage(stage, ID, ticks, { sizes: batches, restarts: true });
      expect(split.out).toEqual(whole.out);
      expect(split.state).toEqual(whole.state);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('what is stored is what is restored, and it is bounded', () => {
  fc.assert(
    fc.property(arrivals, (of) => {
      const { state } = runStage(stage, ID, streamOf(of).ticks);
      const parts = stage
        .store(null, state)
        .map(({ part, bytes }) => [part, bytes ?? new Uint8Array()] as const);
      const back = stage.restore(ID, new Map(parts));
      expect(back).toEqual(state);
      expect(stage.store(null, back)).toEqual(stage.store(null, state));
      expect(parts.reduce((sum, [, bytes]) => sum + bytes.length, 0)).toBeLessThan(6_000);
    }),
    { numRuns: 60 },
  );
});

test('a flipped bit is noticed, wherever it is', () => {
  const ticks = [1, 2, 3].map((n) => lmpTick(TEN_O_CLOCK + n * QUARTER, n * 10, { quantity: n }));
  const { stored } = runStage(stage, ID, ticks);
  expect([...stored.keys()].sort()).toEqual(['memory', 'prices', 'volumes']);
  for (const [part, bytes] of stored) {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => stage.restore(ID, new Map([...stored, [part, damaged]]))).toThrow();
    }
  }
  expect(() => stage.restore(ID, new Map())).toThrow('without its memory');
});
