// From touched observations to rows: which bars, metric hours and curve points a change reaches, each folded
// once from the observations held. The live stage and the rebuilder both come through here, so they cannot
// disagree.

import { type CurvePoint, Emitter } from './aggregation-emit.ts';
import type { AggregationOptions, MarketPolicy, RunWindows } from './aggregation-options.ts';
import { seriesOf } from './aggregation-series.ts';
import { type Bar, type Bounds, barBounds, foldBar, sizeFits } from './domain/bar.ts';
import type { Instrument } from './domain/instrument.ts';
import { currentOf, type Observation } from './domain/observation.ts';
import type { MarketCalendar } from './domain/operating-day.ts';
import { changesBetween, indexAt, metricsAt } from './domain/rolling.ts';
import { HOUR_MS } from './domain/time.ts';
import { runOf } from './runs.ts';
import type { Emission } from './stage.ts';

/** Where observations can be had from: the state's open days, or silver. */
export interface ObservationSource {
  /** With event time in [fromMs, toMs), in order. */
  between(fromMs: number, toMs: number): readonly Observation[];
}

export interface FoldContext {
  readonly id: string;
  readonly instrument: Instrument;
  readonly options: AggregationOptions;
  readonly policy: MarketPolicy;
  readonly calendar: MarketCalendar;
  readonly windows: RunWindows;
  readonly traceId: string;
  readonly nowMs: number;
}

export interface Reach {
  /** Event times whose content changed, ascending. */
  readonly touchedMs: readonly number[];
  /** Rows that start before this are somebody else's to write. */
  readonly fromMs: number;
  readonly watermarkMs: number;
  /** The watermark before: bars that ended after it and are settled now become final. */
  readonly watermarkBeforeMs: number;
  /** Nothing is known of what was written of the touched days before: their curves are written whole. */
  readonly wholeCurves: boolean;
}

export interface Folded {
  readonly emissions: Emission[];
  readonly notes: string[];
}

export function foldReach(source: ObservationSource, reach: Reach, context: FoldContext): Folded {
  const emitter = new Emitter(
    context.id,
    context.instrument,
    context.options,
    context.policy,
    context.calendar,
  );
  const out: Folded = { emissions: [], notes: [] };
  foldBars(source, reach, context, emitter, out);
  if (reach.touchedMs.length > 0) {
    foldMetrics(source, reach, context, emitter, out);
    foldCurve(source, reach, context, emitter, out);
  }
  return out;
}

function foldBars(
  source: ObservationSource,
  reach: Reach,
  context: FoldContext,
  emitter: Emitter,
  out: Folded,
): void {
  const { policy, calendar, instrument } = context;
  const minutes = runOf(policy.spec, instrument.run)?.intervalMinutes ?? 0;
  for (const rule of policy.bars) {
    if (!sizeFits(rule.size, minutes)) continue;
    for (const bounds of barsReached(source, reach, (ms) => barBounds(rule.size, ms, calendar))) {
      const observations = source.between(bounds.startMs, bounds.endMs);
      if (observations.length < rule.minTrades) continue;
      const bar = foldBar(rule.size, bounds, observations);
      if (bar === null) continue;
      if (bar.count > rule.maxTrades) out.notes.push(tooMany(bar, rule.maxTrades));
      const final = reach.watermarkMs >= bounds.endMs;
      out.emissions.push(emitter.bar(bar, final, context.traceId, context.nowMs));
    }
  }
}

/**
 * End of the first bar that the watermark may still make final, when the newest observation is at
 * `maxEventMs`; Infinity: there is none. Some bar may be empty: it can be too early, never too late.
 */
export function nextFinalMs(
  maxEventMs: number,
  watermarkMs: number,
  { policy, calendar, instrument }: FoldContext,
): number {
  const minutes = runOf(policy.spec, instrument.run)?.intervalMinutes ?? 0;
  let next = Number.POSITIVE_INFINITY;
  for (const { size } of policy.bars) {
    if (!sizeFits(size, minutes)) continue;
    const { startMs, endMs } = barBounds(size, watermarkMs, calendar);
    if (startMs <= maxEventMs) next = Math.min(next, endMs);
  }
  return next;
}

/** An operating day of 25 hours. */
const LONGEST_BAR_MS = 25 * HOUR_MS;

function tooMany(bar: Bar, most: number): string {
  const folded = `a ${bar.size} bar folds ${bar.count} observations`;
  return `${folded}, configured for ${most}; it is complete all the same`;
}

/** Bars that hold a touched observation, and bars that the watermark passed; each once, in order. */
function barsReached(source: ObservationSource, reach: Reach, boundsOf: (ms: number) => Bounds): Bounds[] {
  const found = new Map<number, Bounds>();
  let last: Bounds | null = null;
  const reachAt = (ms: number): void => {
    if (last !== null && ms >= last.startMs && ms < last.endMs) return;
    last = boundsOf(ms);
    if (last.startMs >= reach.fromMs) found.set(last.startMs, last);
  };
  for (const ms of reach.touchedMs) reachAt(ms);
  if (reach.watermarkMs > reach.watermarkBeforeMs) {
    const fromMs = Math.max(reach.fromMs, reach.watermarkBeforeMs - LONGEST_BAR_MS);
    for (const each of source.between(fromMs, reach.watermarkMs)) {
      if (last !== null && each.startMs >= last.startMs && each.startMs < last.endMs) continue;
      const bounds = boundsOf(each.startMs);
      last = bounds;
      const settledNow = bounds.endMs > reach.watermarkBeforeMs && bounds.endMs <= reach.watermarkMs;
      if (settledNow && bounds.startMs >= reach.fromMs) found.set(bounds.startMs, bounds);
    }
  }
  return [...found.values()].sort((a, b) => a.startMs - b.startMs);
}

function foldMetrics(
  source: ObservationSource,
  reach: Reach,
  context: FoldContext,
  emitter: Emitter,
  out: Folded,
): void {
  const { calendar, windows, policy } = context;
  const first = reach.touchedMs[0] ?? 0;
  const last = reach.touchedMs[reach.touchedMs.length - 1] ?? first;
  const fromHour = Math.max(calendar.hourOf(first), reach.fromMs);
  const series = seriesOf(
    source.between(fromHour - windows.lookbackMs - HOUR_MS, last + windows.lookbackMs + HOUR_MS),
  );
  let hour = Number.NEGATIVE_INFINITY;
  for (let n = indexAt(series, fromHour); n < series.count; n += 1) {
    const next = calendar.hourOf(series.startMs[n] ?? 0);
    if (next === hour) continue;
    hour = next;
    const endMs = hour + HOUR_MS;
    if (!touches(reach.touchedMs, endMs - windows.lookbackMs, endMs)) continue;
    const from = indexAt(series, endMs - windows.lookbackMs);
    const to = indexAt(series, endMs);
    const values = metricsAt(series, from, to, policy.metrics);
    emitter.metrics(
      endMs,
      changesBetween(series, from, to),
      values,
      context.traceId,
      context.nowMs,
      out.emissions,
    );
  }
}

/** Whether one of the ascending instants lies in [fromMs, toMs). */
function touches(ascending: readonly number[], fromMs: number, toMs: number): boolean {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < fromMs) low = middle + 1;
    else high = middle;
  }
  return (ascending[low] ?? Number.POSITIVE_INFINITY) < toMs;
}

const CURVE_OF_KIND = { day_ahead: 'price', real_time: 'spot', trade: 'trade', curve: 'forward' } as const;
const CURVE_TYPE = {
  price: 'price_curve',
  spot: 'spot_curve',
  trade: 'trade_curve',
  forward: 'forward_curve',
} as const;

/** Points of the touched hours; all points of a day when it has just got enough of them. */
function foldCurve(
  source: ObservationSource,
  reach: Reach,
  context: FoldContext,
  emitter: Emitter,
  out: Folded,
): void {
  const { policy, calendar, instrument } = context;
  const kind = runOf(policy.spec, instrument.run)?.kind;
  if (kind === undefined) return;
  const curve = CURVE_OF_KIND[kind];
  const rule = policy.curves[curve];
  if (!rule.enabled) return;
  const touchedHours = new Set(reach.touchedMs.map((ms) => calendar.hourOf(ms)));
  const days = new Set([...touchedHours].map((ms) => calendar.dayOf(ms)));
  for (const day of days) {
    if (day.startMs < reach.fromMs) continue;
    const points = pointsOf(source.between(day.startMs, day.endMs), CURVE_TYPE[curve], calendar);
    if (points.length < rule.minPoints) continue;
    if (points.length > rule.maxPoints) {
      const many = `a ${curve} curve has ${points.length} points`;
      out.notes.push(`${many}, configured for ${rule.maxPoints}; all are written`);
    }
    const fresh = points.filter((point) => touchedHours.has(point.hourStartMs));
    // A gate that may have opened in this very batch: hours that were withheld so far are written now.
    const opened = reach.wholeCurves || points.length - fresh.length < rule.minPoints;
    for (const point of opened ? points : fresh) {
      out.emissions.push(emitter.point(point, context.traceId, context.nowMs));
    }
  }
}

function pointsOf(
  observations: readonly Observation[],
  type: CurvePoint['type'],
  calendar: MarketCalendar,
): CurvePoint[] {
  const hours = new Map<number, Observation[]>();
  for (const each of observations) {
    const hour = calendar.hourOf(each.startMs);
    const found = hours.get(hour);
    if (found === undefined) hours.set(hour, [each]);
    else found.push(each);
  }
  const points: CurvePoint[] = [];
  for (const [hourStartMs, members] of hours) {
    const bar = foldBar('1H', { startMs: hourStartMs, endMs: hourStartMs + HOUR_MS }, members);
    if (bar === null) continue;
    const price = bar.vwap ?? bar.twap ?? bar.close;
    const traded = members.some((each) => currentOf(each).quantity !== null);
    points.push({ type, hourStartMs, price, quantity: traded ? bar.volume : null, revision: bar.revision });
  }
  return points;
}
