// Naive bars: every observation in a list, every bar by filtering it, prices as exact rationals. Slow and
// plain on purpose; the product is right when it gives the same rows.

import type { Priced } from './read.ts';

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
  /** Length of the bar over length of the interval; null where the location has hours of its own. */
  readonly expected_count: number | null;
  readonly revision: number;
}

interface Observation {
  readonly startMs: number;
  readonly endMs: number;
  readonly price: string;
  readonly changes: number;
}

const MINUTES: Record<string, number> = { '5M': 5, '15M': 15, '1H': 60, '1D': 1_440 };

export function oracleBars(recordings: readonly Priced[]): Map<string, OracleBar> {
  const out = new Map<string, OracleBar>();
  for (const [instrument, priced] of groupBy(
    recordings,
    (each) => `${each.market}|${each.run}|${each.location}`,
  )) {
    const [market = '', run = '', location = ''] = instrument.split('|');
    const observations = observe(priced);
    const first = observations[0];
    if (first === undefined) continue;
    const minutes = (first.endMs - first.startMs) / 60_000;
    for (const [size, length] of Object.entries(MINUTES)) {
      if (length < minutes) continue;
      const bounds = (ms: number) =>
        size === '1D' ? dayBounds(market, ms) : floorBounds(ms, length * 60_000);
      for (const [, members] of groupBy(observations, (each) => String(bounds(each.startMs)[0]))) {
        const bar = fold(members, bounds(members[0]?.startMs ?? 0));
        const expected = (Date.parse(bar.bar_end) - Date.parse(bar.bar_start)) / 60_000 / minutes;
        const ownHours = /_(ON|OFF)PEAK/.test(location);
        const expected_count = ownHours ? null : expected;
        const row = { market, run, delivery_location: location, bar_size: size, ...bar, expected_count };
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

export function groupBy<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const found = groups.get(key(row));
    if (found === undefined) groups.set(key(row), [row]);
    else found.push(row);
  }
  return groups;
}

/** Versions by publication; the last is the value; a change is a version unlike the one before it. */
function observe(priced: readonly Priced[]): Observation[] {
  const observations = [...groupBy(priced, (each) => String(each.startMs)).values()].map((versions) => {
    const sorted = [...versions].sort((a, b) => (a.publishedMs ?? 0) - (b.publishedMs ?? 0));
    let changes = 0;
    for (const [n, version] of sorted.entries()) if (version.values !== sorted[n - 1]?.values) changes += 1;
    const last = sorted[sorted.length - 1];
    if (last === undefined) throw new Error('no version');
    return { startMs: last.startMs, endMs: last.endMs, price: last.price, changes };
  });
  return observations.sort((a, b) => a.startMs - b.startMs);
}

function fold(members: readonly Observation[], [startMs, endMs]: readonly [number, number]) {
  const exact = members.map((each) => micros(each.price));
  const prices = members.map((each) => Number(each.price));
  let weighted = 0n;
  let seconds = 0n;
  for (const [n, each] of members.entries()) {
    const length = BigInt((each.endMs - each.startMs) / 1_000);
    weighted += (exact[n] ?? 0n) * length;
    seconds += length;
  }
  return {
    bar_start: `${new Date(startMs).toISOString().slice(0, 19)}Z`,
    bar_end: `${new Date(endMs).toISOString().slice(0, 19)}Z`,
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
  const [, sign = '', whole = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(text) ?? [];
  if (fraction.length > 6) throw new Error(`${text} has more than six decimals`);
  const value = BigInt(whole || '0') * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
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

const HOUR = 3_600_000;

/** MISO: UTC−5 all year. CAISO: the Pacific midnights around it, found by trying every hour. */
function dayBounds(market: string, ms: number): readonly [number, number] {
  if (market === 'MISO') {
    const start = Math.floor((ms - 5 * HOUR) / (24 * HOUR)) * 24 * HOUR + 5 * HOUR;
    return [start, start + 24 * HOUR];
  }
  const day = pacificDay(ms);
  let start = Math.floor(ms / HOUR) * HOUR;
  while (pacificDay(start - HOUR) === day) start -= HOUR;
  let end = start + HOUR;
  while (pacificDay(end) === day) end += HOUR;
  return [start, end];
}

const days = new Map<number, string>();

function pacificDay(ms: number): string {
  const hour = Math.floor(ms / HOUR);
  const found =
    days.get(hour) ?? new Date(ms).toLocaleDateString('en-CA', { timeZone: 'America/Los_Angeles' });
  days.set(hour, found);
  return found;
}
