// A calendar that nothing is due at need not be told: an instrument that hears of it only when something is,
// or before its next record, emits what one emits that hears of it each time.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { aggregationStage } from '../../actors/aggregate.ts';
import type { AggregationState } from '../../actors/aggregation-state.ts';
import type { Emission } from '../../actors/stage.ts';
import { hourlyTick, options, type TestTick, tradeTick, wire } from './aggregation-bench.ts';

const stage = aggregationStage(options);
const HOUR_MS = 3_600_000;
/** UTC; clocks go forward at ten. */
const SIX_O_CLOCK = Date.UTC(2024, 2, 10, 6);
const encoder = new TextEncoder();

interface Step {
  readonly ticks: readonly TestTick[];
  /** How far the calendar moves after them. */
  readonly byMs: number;
}

class Told {
  state: AggregationState;
  readonly emitted: Emission[] = [];
  /** Times that it was not told. */
  spared = 0;
  constructor(id: string) {
    this.state = stage.initial(id);
  }

  advance(toMs: number): void {
    this.#take(stage.advance(this.state, toMs, { nowMs: 0 }));
  }

  fold(ticks: readonly TestTick[]): void {
    const records = ticks.map((tick, offset) => ({
      offset,
      value: encoder.encode(JSON.stringify(wire(tick))),
    }));
    if (records.length > 0) this.#take(stage.process(this.state, records, { nowMs: 0 }));
  }

  dueMs(): number {
    return stage.dueMs?.(this.state) ?? Number.NEGATIVE_INFINITY;
  }

  #take(of: { readonly state: AggregationState; readonly emissions: readonly Emission[] }): void {
    this.state = of.state;
    this.emitted.push(...of.emissions);
  }
}

const movesMs = fc.oneof(
  fc.integer({ min: 0, max: 15 * 60_000 }),
  fc.constantFrom(0, HOUR_MS, HOUR_MS, 2 * HOUR_MS, 24 * HOUR_MS),
);

/** In the same six hours. */
function near(tick: TestTick): TestTick {
  const backMs = Math.floor(tick.startMs / (6 * HOUR_MS)) * 6 * HOUR_MS - SIX_O_CLOCK;
  return { ...tick, startMs: tick.startMs - backMs, endMs: tick.endMs - backMs };
}

for (const [name, tick] of [
  ['hourly prices', hourlyTick],
  ['trades', tradeTick],
] as const) {
  const step = fc.record({ ticks: fc.array(tick.map(near), { maxLength: 2 }), byMs: movesMs });
  const story = fc.array(step, { minLength: 1, maxLength: 12 });

  test(`${name}: who is told when something is due emits what one emits that is told each time`, () => {
    let spared = 0;
    fc.assert(
      fc.property(story, (steps) => {
        const [each, due] = tell(steps);
        if (each === undefined || due === undefined) return;
        expect(due.emitted).toEqual(each.emitted);
        spared += due.spared;
      }),
      { numRuns: 120 },
    );
    expect(spared).toBeGreaterThan(0);
  }, 60_000);
}

function tell(steps: readonly Step[]): readonly Told[] {
  const first = steps.flatMap(({ ticks }) => ticks)[0];
  if (first === undefined) return [];
  const id = `TEST:${first.run}:L`;
  const [each, due] = [new Told(id), new Told(id)];
  // Behind the ticks, as a calendar is that comes late: every bar's end may be met to the millisecond.
  let nowMs = Math.min(...steps.flatMap(({ ticks }) => ticks.map(({ startMs }) => startMs)));
  let known = false;
  for (const { ticks, byMs } of steps) {
    if (known && ticks.length > 0) due.advance(nowMs);
    each.fold(ticks);
    due.fold(ticks);
    known ||= ticks.length > 0;
    nowMs += byMs;
    if (!known) continue;
    each.advance(nowMs);
    if (nowMs >= due.dueMs()) due.advance(nowMs);
    else due.spared += 1;
  }
  return [each, due];
}
