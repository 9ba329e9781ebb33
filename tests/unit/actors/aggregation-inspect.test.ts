// A look at an instrument shows whole bars, however short the lookback of its rolling metrics is.

import { expect, test } from 'bun:test';
import { aggregationStage } from '../../../actors/aggregate.ts';
import { testOptions } from '../../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../../support/wire-ticks.ts';

const ID = 'CAISO:RTM:TH_SP15_GEN-APND';
const FIVE_MINUTES = 300_000;

test('the bar of a day holds what came before the lookback', () => {
  const stage = aggregationStage(testOptions().aggregation);
  // Sixteen hours from 01:00; the shipped lookback of a five-minute price is twelve.
  const from = TEN_O_CLOCK - 9 * 3_600_000;
  const ticks = Array.from({ length: 192 }, (_, n) => {
    const startMs = from + n * FIVE_MINUTES;
    const end = { interval_end: (startMs + FIVE_MINUTES) * 1_000 };
    return lmpTick(startMs, n === 3 ? -500 : n, { run: 'RTM', ...end });
  });
  const records = ticks.map((tick, offset) => ({
    offset,
    value: new TextEncoder().encode(JSON.stringify(tick)),
  }));
  const { state } = stage.process(stage.initial(ID), records, { nowMs: 0 });
  const shown: { bars?: Record<string, object[]> } = stage.inspect(state);
  expect(shown.bars?.['1D']).toEqual([
    expect.objectContaining({ open: 0, low: -500, high: 191, close: 191, count: 192, revision: 192 }),
  ]);
});
