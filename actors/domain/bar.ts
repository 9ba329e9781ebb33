// OHLC bars: a fold over the observations of one stretch of time, in event-time order. A bar is a function of
// the set of versions alone: no arrival order, batch or restart shows in it (design §2).

import { fromMicros, MICROS, quotient } from './micros.ts';
import { changesOf, currentOf, type Observation } from './observation.ts';
import type { MarketCalendar } from './operating-day.ts';
import { MINUTE_MS } from './time.ts';
import type { BarSize } from './wire.ts';

export const BAR_SIZES: readonly BarSize[] = ['5M', '15M', '1H', '1D'];

const MINUTES: Readonly<Record<BarSize, number>> = { '5M': 5, '15M': 15, '1H': 60, '1D': 1_440 };

/** Whether observations of this length make bars of this size: an hourly price has no 5-minute bar. */
export function sizeFits(size: BarSize, intervalMinutes: number): boolean {
  return MINUTES[size] >= intervalMinutes;
}

export interface Bounds {
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

/** The bar of this size that holds `ms`: days by the operating day, hours by the local hour. */
export function barBounds(size: BarSize, ms: number, calendar: MarketCalendar): Bounds {
  if (size === '1D') return calendar.dayOf(ms);
  const hour = calendar.hourOf(ms);
  const lengthMs = MINUTES[size] * MINUTE_MS;
  const startMs = hour + Math.floor((ms - hour) / lengthMs) * lengthMs;
  return { startMs, endMs: startMs + lengthMs };
}

export interface Bar extends Bounds {
  readonly size: BarSize;
  /** $/MWh. */
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Σ quantity, MWh. */
  readonly volume: number;
  /** Σpq/Σq; null without volume. */
  readonly vwap: number | null;
  /** Σ price·length/Σ length; null when no observation has a length. */
  readonly twap: number | null;
  readonly count: number;
  /** Σ value changes of its observations. */
  readonly revision: number;
}

/** Folds observations (in order, all inside the bounds). Null when none has a price. */
export function foldBar(size: BarSize, bounds: Bounds, observations: readonly Observation[]): Bar | null {
  let open: number | null = null;
  let close = 0;
  let high = Number.NEGATIVE_INFINITY;
  let low = Number.POSITIVE_INFINITY;
  let volume = 0;
  let revision = 0;
  const traded: { price: number; quantity: number }[] = [];
  for (const observation of observations) {
    const { price, quantity } = currentOf(observation);
    revision += changesOf(observation);
    if (quantity !== null) volume += quantity;
    if (price === null) continue;
    if (quantity !== null) traded.push({ price, quantity });
    open ??= price;
    close = price;
    high = Math.max(high, price);
    low = Math.min(low, price);
  }
  if (open === null) return null;
  return {
    size,
    startMs: bounds.startMs,
    endMs: bounds.endMs,
    open: fromMicros(open),
    high: fromMicros(high),
    low: fromMicros(low),
    close: fromMicros(close),
    volume: fromMicros(volume),
    vwap: vwapOf(traded),
    twap: twapOf(observations),
    count: observations.length,
    revision,
  };
}

/** Σpq/Σq over trades, exact; null without volume. */
export function vwapOf(
  traded: readonly { readonly price: number; readonly quantity: number }[],
): number | null {
  let amount = 0n;
  let volume = 0n;
  for (const { price, quantity } of traded) {
    amount += BigInt(price) * BigInt(quantity);
    volume += BigInt(quantity);
  }
  return volume === 0n ? null : quotient(amount, volume * BigInt(MICROS));
}

/** Σ price·seconds/Σ seconds. Sums beyond the safe integers go by BigInt. */
export function twapOf(observations: readonly Observation[]): number | null {
  let weighted = 0;
  let seconds = 0;
  for (const observation of observations) {
    const { price } = currentOf(observation);
    const length = (observation.endMs - observation.startMs) / 1_000;
    if (price === null || length <= 0) continue;
    weighted += price * length;
    seconds += length;
  }
  if (seconds === 0) return null;
  return Number.isSafeInteger(weighted) ? weighted / (seconds * MICROS) : exactTwap(observations);
}

function exactTwap(observations: readonly Observation[]): number {
  let weighted = 0n;
  let millis = 0n;
  for (const observation of observations) {
    const { price } = currentOf(observation);
    const length = BigInt(observation.endMs - observation.startMs);
    if (price === null) continue;
    weighted += BigInt(price) * length;
    millis += length;
  }
  return quotient(weighted, millis * BigInt(MICROS));
}

/**
 * The version column that ClickHouse compares: epoch·2⁴⁰ + 2·revision + final. Grows with the content, is the
 * same on every machine; the epoch rises only when a reprocess runs under changed rules.
 */
export function rowVersion(epoch: number, revision: number, final: boolean): number {
  return epoch * 2 ** 40 + 2 * revision + (final ? 1 : 0);
}
