// An instrument's aggregation state: what it saw of event time and its observations by operating day, packed.
// It is immutable; a batch opens the days it touches, and closing gives a new state that shares every other
// day.
//
//   evicted │ lookback: rolling metrics may look here │ retained: late observations reopen bars │ now
//           lookbackFrom                         retainedFrom                            maxEvent

import type { RunWindows } from './aggregation-options.ts';
import type { FoldableTick } from './aggregation-tick.ts';
import { Defect } from './domain/invariant.ts';
import { compareObservations, type Disposition, type Observation, place } from './domain/observation.ts';
import type { MarketCalendar } from './domain/operating-day.ts';
import { packDay, unpackDay } from './domain/packed-day.ts';
import type { Rejection } from './domain/rejection.ts';
import { seal, unsealJson } from './domain/sealed.ts';
import type { EventTime } from './domain/watermark.ts';
import type { StoredPart } from './stage.ts';

export interface AggregationState extends EventTime {
  readonly instrumentId: string;
  /** Packed observations by start of the operating day, ascending. */
  readonly days: ReadonlyMap<number, Uint8Array>;
}

export function emptyState(instrumentId: string): AggregationState {
  return { instrumentId, maxEventMs: null, advancedToMs: null, days: new Map() };
}

/** Where a tick's event time falls. */
export type Zone = 'retained' | 'lookback' | 'older';

/** The days that a batch touches, open for change. Owned by one `process` call. */
export class OpenDays {
  readonly #state: AggregationState;
  readonly #calendar: MarketCalendar;
  readonly #windows: RunWindows;
  readonly #open = new Map<number, Observation[]>();
  readonly #dirty = new Set<number>();
  maxEventMs: number | null;

  constructor(state: AggregationState, calendar: MarketCalendar, windows: RunWindows) {
    this.#state = state;
    this.#calendar = calendar;
    this.#windows = windows;
    this.maxEventMs = state.maxEventMs;
  }

  zoneOf(ms: number): Zone {
    if (this.maxEventMs === null) return 'retained';
    const retained = this.retainedFrom(this.maxEventMs);
    if (ms >= retained) return 'retained';
    return ms >= this.#lookbackFrom(retained) ? 'lookback' : 'older';
  }

  /** Start of the oldest day in which late observations reopen bars. */
  retainedFrom(maxEventMs: number): number {
    return this.#calendar.dayOf(maxEventMs - this.#windows.retainedMs).startMs;
  }

  #lookbackFrom(retainedFrom: number): number {
    return this.#calendar.dayOf(retainedFrom - this.#windows.lookbackMs).startMs;
  }

  /** Puts a tick's version where it belongs; the state's greatest event time follows. */
  add(tick: FoldableTick): Disposition | Rejection {
    const observations = this.day(this.#calendar.dayOf(tick.startMs).startMs);
    const wanted = { startMs: tick.startMs, tradeId: tick.tradeId };
    const at = position(observations, wanted);
    const found = observations[at];
    this.maxEventMs = Math.max(this.maxEventMs ?? tick.startMs, tick.startMs);
    if (found === undefined || compareObservations(found, wanted) !== 0) {
      observations.splice(at, 0, { ...wanted, endMs: tick.endMs, versions: [tick.version] });
      this.#touch(tick.startMs);
      return 'first';
    }
    const placed = place(found, tick.version);
    if ('reason' in placed) return placed;
    if (placed.observation !== found) {
      observations[at] = placed.observation;
      this.#touch(tick.startMs);
    }
    return placed.disposition;
  }

  #touch(ms: number): void {
    this.#dirty.add(this.#calendar.dayOf(ms).startMs);
  }

  /** Observations of a day, in order. The list is this batch's own. */
  day(dayStartMs: number): Observation[] {
    const found = this.#open.get(dayStartMs);
    if (found !== undefined) return found;
    const packed = this.#state.days.get(dayStartMs);
    const opened = packed === undefined ? [] : unpackDay(packed);
    this.#open.set(dayStartMs, opened);
    return opened;
  }

  /** Starts of all days held, ascending. */
  dayStarts(): number[] {
    const all = new Set([...this.#state.days.keys(), ...this.#dirty]);
    return [...all].sort((a, b) => a - b);
  }

  /** Observations with event time in [fromMs, toMs), in order. */
  between(fromMs: number, toMs: number): Observation[] {
    const out: Observation[] = [];
    for (const start of this.dayStarts()) {
      if (start >= toMs || this.#calendar.dayOf(start).endMs <= fromMs) continue;
      for (const each of this.day(start)) if (each.startMs >= fromMs && each.startMs < toMs) out.push(each);
    }
    return out;
  }

  /** The new state: touched days packed again, days before the lookback gone. */
  close(advancedToMs: number | null): AggregationState {
    const { maxEventMs } = this;
    const keepFrom =
      maxEventMs === null ? Number.NEGATIVE_INFINITY : this.#lookbackFrom(this.retainedFrom(maxEventMs));
    const days = new Map<number, Uint8Array>();
    for (const start of this.dayStarts()) {
      if (start < keepFrom) continue;
      const packed = this.#dirty.has(start) ? packDay(start, this.day(start)) : this.#state.days.get(start);
      if (packed !== undefined) days.set(start, packed);
    }
    return { instrumentId: this.#state.instrumentId, maxEventMs, advancedToMs, days };
  }
}

function position(
  observations: readonly Observation[],
  wanted: Pick<Observation, 'startMs' | 'tradeId'>,
): number {
  let low = 0;
  let high = observations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const each = observations[middle];
    if (each !== undefined && compareObservations(each, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Since 2 the head names the days that are stored, so that a lost one is noticed. */
const HEAD_FORMAT = 2;
const HEAD_FORMATS = [1, HEAD_FORMAT];
const DAY_PREFIX = 'day:';
const encoder = new TextEncoder();

/** Parts of `after` that `before` does not have; days that left are removed. */
export function storeState(before: AggregationState | null, after: AggregationState): StoredPart[] {
  const parts: StoredPart[] = [];
  const head = headOf(after);
  if (before === null || headOf(before) !== head)
    parts.push({ part: 'head', bytes: seal(HEAD_FORMAT, encoder.encode(head)) });
  for (const [start, bytes] of after.days) {
    if (before?.days.get(start) !== bytes) parts.push({ part: `${DAY_PREFIX}${start}`, bytes });
  }
  for (const start of before?.days.keys() ?? []) {
    if (!after.days.has(start)) parts.push({ part: `${DAY_PREFIX}${start}`, bytes: null });
  }
  return parts;
}

/**
 * Inverse of storeState. Every day is checked, by opening it where nothing else is given, so that damage
 * shows now and not at the next tick.
 */
export function restoreState(
  instrumentId: string,
  parts: ReadonlyMap<string, Uint8Array>,
  check: (day: Uint8Array) => void = unpackDay,
): AggregationState {
  const head = parts.get('head');
  if (head === undefined) throw new Defect(`${instrumentId} is stored without its head`);
  const value = unsealJson(head, HEAD_FORMATS);
  if (typeof value !== 'object' || value === null) throw new Defect('the head is an object');
  const starts: [number, Uint8Array][] = [];
  for (const [part, bytes] of parts) {
    if (!part.startsWith(DAY_PREFIX)) continue;
    check(bytes);
    starts.push([Number(part.slice(DAY_PREFIX.length)), bytes]);
  }
  starts.sort((a, b) => a[0] - b[0]);
  const named: unknown = Reflect.get(value, 'days');
  const held = starts.map(([start]) => start);
  if (named !== undefined && JSON.stringify(named) !== JSON.stringify(held))
    throw new Defect(`stored days are ${held.join()}, the head names ${named}`);
  return {
    instrumentId,
    maxEventMs: instant(Reflect.get(value, 'maxEventMs')),
    advancedToMs: instant(Reflect.get(value, 'advancedToMs')),
    days: new Map(starts),
  };
}

function headOf({ maxEventMs, advancedToMs, days }: AggregationState): string {
  return JSON.stringify({ maxEventMs, advancedToMs, days: [...days.keys()] });
}

function instant(value: unknown): number | null {
  if (value === null) return null;
  if (typeof value !== 'number') throw new Defect('an instant of the head is no number');
  return value;
}
