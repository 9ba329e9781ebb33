// What a look at an instrument's aggregation shows: recent bars of each size, current rolling values, event
// time and what is held. Opens the newest days only.

import type { FoldContext } from './aggregation-fold.ts';
import { seriesOf } from './aggregation-series.ts';
import { type AggregationState, OpenDays } from './aggregation-state.ts';
import { barBounds, foldBar, sizeFits } from './domain/bar.ts';
import { fromMicros } from './domain/micros.ts';
import { changesOf, currentOf, type Observation } from './domain/observation.ts';
import { metricsAt } from './domain/rolling.ts';
import { formatUtc } from './domain/time.ts';
import { watermarkMs } from './domain/watermark.ts';

const BARS_SHOWN = 3;
const TICKS_SHOWN = 5;

export function inspectAggregation(
  state: AggregationState,
  context: FoldContext,
): Readonly<Record<string, unknown>> {
  const { maxEventMs, days } = state;
  const bytes = [...days.values()].reduce((sum, each) => sum + each.length, 0);
  const held = { days: days.size, bytes };
  if (maxEventMs === null) return { watermark: null, held };
  const open = new OpenDays(state, context.calendar, context.windows);
  const marks = watermarkMs(state, context.windows.allowedLatenessMs);
  const recent = open.between(maxEventMs - context.windows.lookbackMs, maxEventMs + 1);
  return {
    watermark: formatUtc(marks),
    newest: formatUtc(maxEventMs),
    held,
    bars: recentBars(open, recent, marks, context),
    rolling: rolling(recent, context),
    last_ticks: recent.slice(-TICKS_SHOWN).map(shown),
  };
}

/** Bars that `recent` reaches into, each over all its observations, though some may be before those. */
function recentBars(
  open: OpenDays,
  recent: readonly Observation[],
  marks: number,
  context: FoldContext,
): Record<string, unknown> {
  const { policy, calendar, instrument } = context;
  const minutes = policy.spec.runs[instrument.run]?.intervalMinutes ?? 0;
  const out: Record<string, unknown> = {};
  for (const { size } of policy.bars) {
    if (!sizeFits(size, minutes)) continue;
    const starts = new Set(recent.map((each) => barBounds(size, each.startMs, calendar).startMs));
    out[size] = [...starts].slice(-BARS_SHOWN).flatMap((startMs) => {
      const bounds = barBounds(size, startMs, calendar);
      const bar = foldBar(size, bounds, open.between(bounds.startMs, bounds.endMs));
      if (bar === null) return [];
      const { startMs: from, endMs: to, size: _, ...values } = bar;
      return [{ bar_start: formatUtc(from), bar_end: formatUtc(to), ...values, final: marks >= to }];
    });
  }
  return out;
}

function rolling(recent: readonly Observation[], context: FoldContext): Record<string, number> {
  const series = seriesOf(recent);
  const values = metricsAt(series, 0, series.count, context.policy.metrics);
  return Object.fromEntries(values.map((each) => [`${each.type}[${each.window}]`, each.value]));
}

function shown(of: Observation) {
  const { price, quantity, publication } = currentOf(of);
  return {
    interval_start: formatUtc(of.startMs),
    interval_end: formatUtc(of.endMs),
    trade_id: of.tradeId,
    price: price === null ? null : fromMicros(price),
    quantity: quantity === null ? null : fromMicros(quantity),
    published: formatUtc(publication / 1_000),
    versions: of.versions.length,
    revision: changesOf(of),
  };
}
