// Aggregation: enriched ticks of one instrument → OHLC bars, rolling metrics and curve points. A pure stage:
// the same set of versions gives the same rows in any order, batching or repetition; what is too late to
// reopen is forwarded to the rebuilder and never dropped.

import { type FoldContext, foldReach, nextFinalMs, type ObservationSource } from './aggregation-fold.ts';
import { inspectAggregation } from './aggregation-inspect.ts';
import type { AggregationOptions, MarketPolicy } from './aggregation-options.ts';
import {
  type AggregationState,
  emptyState,
  OpenDays,
  restoreState,
  storeState,
} from './aggregation-state.ts';
import { checkTick, type FoldableTick, readTick } from './aggregation-tick.ts';
import { type Instrument, parseInstrumentId } from './domain/instrument.ts';
import { Defect, present } from './domain/invariant.ts';
import { compareObservations, type Observation, place } from './domain/observation.ts';
import { type MarketCalendar, marketCalendar } from './domain/operating-day.ts';
import { checkDay } from './domain/packed-day.ts';
import { isRejection } from './domain/rejection.ts';
import { DAY_MS } from './domain/time.ts';
import { watermarkMs } from './domain/watermark.ts';
import type { Emission, Refused, Stage, StageContext, StageRecord, StageResult, Tally } from './stage.ts';
import { NO_TALLY } from './stage.ts';

type MutableTally = { -readonly [K in keyof Tally]: Tally[K] };

interface Rules {
  readonly options: AggregationOptions;
  readonly calendars: ReadonlyMap<string, MarketCalendar>;
}

export function aggregationStage(options: AggregationOptions): Stage<AggregationState> {
  const rules = rulesOf(options);
  return {
    name: 'aggregation',
    initial: emptyState,
    process: (state, records, context) => process(rules, state, records, context),
    advance: (state, toMs, context) => advance(rules, state, toMs, context),
    store: storeState,
    restore: restoreState,
    watermarkMs: (state) => settledTo(rules, state),
    dueMs: (state) => due(rules, state),
    glance(id, parts) {
      const state = restoreState(id, parts, checkDay);
      return { watermarkMs: settledTo(rules, state), dueMs: due(rules, state) };
    },
    inspect: (state) => inspectAggregation(state, contextOf(rules, state.instrumentId, '', 0)),
  };
}

function settledTo({ options }: Rules, state: AggregationState): number | null {
  const [market = '', run = ''] = state.instrumentId.split(':', 2);
  const windows = options.markets.get(market)?.windows(run);
  return windows === undefined || state.maxEventMs === null
    ? null
    : watermarkMs(state, windows.allowedLatenessMs);
}

function due(rules: Rules, state: AggregationState): number {
  const { maxEventMs } = state;
  if (maxEventMs === null) return Number.POSITIVE_INFINITY;
  const context = contextOf(rules, state.instrumentId, '', 0);
  return nextFinalMs(maxEventMs, watermarkMs(state, context.windows.allowedLatenessMs), context);
}

function rulesOf(options: AggregationOptions): Rules {
  const calendars = [...options.markets].map(
    ([name, policy]) => [name, marketCalendar(policy.spec.zone)] as const,
  );
  return { options, calendars: new Map(calendars) };
}

function contextOf(rules: Rules, id: string, traceId: string, nowMs: number): FoldContext {
  const instrument = parseInstrumentId(id);
  if (isRejection(instrument)) throw new Defect(instrument.detail);
  const policy: MarketPolicy = present(rules.options.markets.get(instrument.market), `policy of ${id}`);
  const calendar = present(rules.calendars.get(instrument.market), `calendar of ${id}`);
  const windows = policy.windows(instrument.run);
  return {
    id,
    instrument: plain(instrument),
    options: rules.options,
    policy,
    calendar,
    windows,
    traceId,
    nowMs,
  };
}

function plain({ market, run, location }: Instrument): Instrument {
  return { market, run, location };
}

function process(
  rules: Rules,
  state: AggregationState,
  records: readonly StageRecord[],
  { nowMs }: StageContext,
): StageResult<AggregationState> {
  const id = state.instrumentId;
  const context = contextOf(rules, id, '', nowMs);
  const days = new OpenDays(state, context.calendar, context.windows);
  const tally: MutableTally = { ...NO_TALLY };
  const refused: Refused[] = [];
  const emissions: Emission[] = [];
  const touched = new Set<number>();
  let traceId = '';
  for (const { offset, value } of records) {
    const tick = readTick(value, id);
    const placed = isRejection(tick) ? tick : placeTick(days, tick);
    if (isRejection(placed)) {
      refused.push({ offset, rejection: placed });
      tally.rejected += 1;
    } else if (placed === 'forwarded') {
      emissions.push({ to: 'rebuild', value: decoder.decode(value) });
      tally.forwarded += 1;
      if (!isRejection(tick) && days.zoneOf(tick.startMs) === 'lookback') touched.add(tick.startMs);
    } else {
      tally[placed] += 1;
      if (placed !== 'duplicate' && !isRejection(tick)) touched.add(tick.startMs);
    }
    if (!isRejection(tick)) traceId = tick.traceId;
  }
  const rows = settle(days, state, state.advancedToMs, [...touched], { ...context, traceId });
  return {
    state: rows.changed ? days.close(state.advancedToMs) : state,
    emissions: [...emissions, ...rows.emissions],
    refused,
    tally,
    notes: rows.notes,
  };
}

const decoder = new TextDecoder();

/** Late beyond the retained days: kept for rolling if it is near enough, and forwarded in any case. */
function placeTick(days: OpenDays, tick: FoldableTick) {
  const zone = days.zoneOf(tick.startMs);
  if (zone === 'retained') return days.add(tick);
  if (zone === 'lookback') {
    const placed = days.add(tick);
    if (placed === 'duplicate' || isRejection(placed)) return placed;
  }
  return 'forwarded' as const;
}

function advance(
  rules: Rules,
  state: AggregationState,
  toMs: number,
  { nowMs }: StageContext,
): StageResult<AggregationState> {
  const nothing = { emissions: [], refused: [], tally: NO_TALLY, notes: [] };
  if (state.advancedToMs !== null && toMs <= state.advancedToMs) return { state, ...nothing };
  const context = contextOf(rules, state.instrumentId, `calendar-${toMs}`, nowMs);
  const days = new OpenDays(state, context.calendar, context.windows);
  const { emissions } = settle(days, state, toMs, [], context);
  return { ...nothing, state: { ...state, advancedToMs: toMs }, emissions };
}

function settle(
  days: OpenDays,
  before: AggregationState,
  advancedToMs: number | null,
  touched: number[],
  context: FoldContext,
): { emissions: readonly Emission[]; notes: readonly string[]; changed: boolean } {
  const { maxEventMs } = days;
  if (maxEventMs === null) return { emissions: [], notes: [], changed: false };
  const { allowedLatenessMs } = context.windows;
  const reach = {
    touchedMs: touched.sort((a, b) => a - b),
    fromMs: before.maxEventMs === null ? Number.NEGATIVE_INFINITY : days.retainedFrom(before.maxEventMs),
    watermarkMs: watermarkMs({ maxEventMs, advancedToMs }, allowedLatenessMs),
    watermarkBeforeMs: watermarkMs(before, allowedLatenessMs),
    wholeCurves: false,
  };
  const { emissions, notes } = foldReach(days, reach, context);
  return { emissions, notes, changed: true };
}

/** A tick of silver, with the fields of the wire. */
export type SilverTick = object;

export interface Refold {
  /** The stretch of silver to read for these event times, milliseconds. */
  span(instrumentId: string, eventMs: readonly number[]): { readonly fromMs: number; readonly toMs: number };
  /** Rows of the days that hold `eventMs`, and of the metric hours they reach, all final. */
  fold(
    instrumentId: string,
    ticks: readonly SilverTick[],
    eventMs: readonly number[],
    nowMs: number,
  ): readonly Emission[];
}

/** The same folds over a complete set of versions read back from silver: what the rebuilder runs. */
export function refold(options: AggregationOptions): Refold {
  const rules = rulesOf(options);
  return {
    span(id, eventMs) {
      const { calendar, windows } = contextOf(rules, id, '', 0);
      const first = eventMs.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
      const last = eventMs.reduce((most, ms) => Math.max(most, ms), Number.NEGATIVE_INFINITY);
      const reachMs = windows.lookbackMs + DAY_MS;
      return { fromMs: calendar.dayOf(first).startMs - reachMs, toMs: calendar.dayOf(last).endMs + reachMs };
    },
    fold(id, ticks, eventMs, nowMs) {
      const context = contextOf(rules, id, 'rebuild', nowMs);
      const touchedMs = [...new Set(eventMs)].sort((a, b) => a - b);
      const watermark = Number.MAX_SAFE_INTEGER;
      const reach = {
        touchedMs,
        fromMs: Number.NEGATIVE_INFINITY,
        watermarkMs: watermark,
        watermarkBeforeMs: watermark,
        wholeCurves: true,
      };
      return foldReach(observationsOf(ticks, id), reach, context).emissions;
    },
  };
}

function observationsOf(ticks: readonly SilverTick[], id: string): ObservationSource {
  const found = new Map<string, Observation>();
  for (const row of ticks) {
    const tick = checkTick(row, id);
    if (isRejection(tick)) continue;
    const key = `${tick.startMs}|${tick.tradeId ?? ''}`;
    const known = found.get(key);
    if (known === undefined) {
      const { startMs, endMs, tradeId, version } = tick;
      found.set(key, { startMs, endMs, tradeId, versions: [version] });
    } else {
      const placed = place(known, tick.version);
      if (!isRejection(placed)) found.set(key, placed.observation);
    }
  }
  const all = [...found.values()].sort(compareObservations);
  return {
    between: (fromMs, toMs) => all.filter((each) => each.startMs >= fromMs && each.startMs < toMs),
  };
}
