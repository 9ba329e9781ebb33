// Naive bars: every observation in a list, every bar by filtering it, prices as exact rationals. Slow and
// plain on purpose; the product is right when it gives the same rows. Closed: after a replay every bar is
// final.

import { groupBy } from './group.ts';
import type { Observation, Observed } from './observe.ts';
import { isPriced } from './peak.ts';
import { dayBounds, utc } from './wall-clock.ts';

export interface OracleBar {
  readonly market: string;
  readonly run: string;
  readonly delivery_location: string;
  readonly bar_size: string;
  readonly bar_start: string;
  readonly bar_end: string;
  readonly open_price: number;
  readonly high_price: number;
  readonly low_price: number;
  readonly close_price: number;
  readonly volume: number;
  readonly vwap: null;
  readonly twap: number;
  readonly trade_count: number;
  /** Intervals of the bar in which the location is priced. */
  readonly expected_count: number;
  readonly revision: number;
  readonly complete: boolean;
  readonly final: true;
}

const MINUTES: Record<string, number> = { '5M': 5, '15M': 15, '1H': 60, '1D': 1_440 };

/** By `barKey`. */
export function oracleBars(instruments: readonly Observed[]): Map<string, OracleBar> {
  const out = new Map<string, OracleBar>();
  for (const { market, run, location, minutes, observations } of instruments) {
    for (const [size, length] of Object.entries(MINUTES)) {
      if (length < minutes) continue;
      const bounds = (ms: number) =>
        size === '1D' ? dayBounds(market, ms) : floorBounds(ms, length * 60_000);
      for (const members of groupBy(observations, (each) => String(bounds(each.startMs)[0])).values()) {
        const [startMs, endMs] = bounds(members[0]?.startMs ?? 0);
        const expected_count = expected(location, startMs, endMs, minutes);
        const row = {
          market,
          run,
          delivery_location: location,
          bar_size: size,
          bar_start: utc(startMs),
          bar_end: utc(endMs),
          ...fold(members),
          expected_count,
          complete: members.length >= expected_count,
          final: true as const,
        };
        out.set(barKey(row), row);
      }
    }
  }
  return out;
}

export function barKey(
  of: Pick<OracleBar, 'market' | 'run' | 'delivery_location' | 'bar_size' | 'bar_start'>,
): string {
  return [of.market, of.run, of.delivery_location, of.bar_size, of.bar_start].join('|');
}

function expected(location: string, fromMs: number, toMs: number, minutes: number): number {
  let count = 0;
  for (let ms = fromMs; ms < toMs; ms += minutes * 60_000) if (isPriced(location, ms)) count += 1;
  return count;
}

function fold(members: readonly Observation[]) {
  const prices = members.map((each) => Number(each.price));
  let weighted = 0n;
  let seconds = 0n;
  for (const each of members) {
    const length = BigInt((each.endMs - each.startMs) / 1_000);
    weighted += micros(each.price) * length;
    seconds += length;
  }
  return {
    open_price: prices[0] ?? Number.NaN,
    high_price: Math.max(...prices),
    low_price: Math.min(...prices),
    close_price: prices[prices.length - 1] ?? Number.NaN,
    volume: 0,
    vwap: null,
    twap: quotient(weighted, seconds * 1_000_000n),
    trade_count: members.length,
    revision: members.reduce((sum, each) => sum + each.changes, 0),
  };
}

/** `-.16` → −160000n. */
export function micros(text: string): bigint {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const shift = 6 + Number(exponent) - fraction.length;
  const digits = BigInt(`${whole}${fraction}` || '0');
  if (shift < 0) throw new Error(`${text} has more than six decimals`);
  const value = digits * 10n ** BigInt(shift);
  return sign === '-' ? -value : value;
}

/** The double nearest to a/b, by way of thirty decimal digits. */
export function quotient(a: bigint, b: bigint): number {
  const scale = 10n ** 30n;
  const scaled = ((a < 0n ? -a : a) * scale) / b;
  const digits = scaled.toString().padStart(31, '0');
  return Number(`${a < 0n ? '-' : ''}${digits.slice(0, -30)}.${digits.slice(-30)}`);
}

function floorBounds(ms: number, length: number): readonly [number, number] {
  const start = Math.floor(ms / length) * length;
  return [start, start + length];
}
