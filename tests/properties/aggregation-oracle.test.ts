// Bars, metrics and curves of any ticks against lists that are filtered and summed anew: hourly prices over
// days of 24, 23 and 24 hours, and trades with quantities, revised and repeated, in batches of any size.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { hourlyTick, run, type TestTick, tradeTick } from './aggregation-bench.ts';

const HOUR = 3_600_000;
const LOOKBACK = 12 * HOUR;

interface Seen {
  readonly startMs: number;
  readonly hours: number;
  readonly price: number;
  readonly quantity: number | null;
  readonly changes: number;
}

const hashOf = (of: TestTick) =>
  Bun.hash.xxHash64(`${of.price}|${of.quantity}`).toString(16).padStart(16, '0').slice(0, 12);

/** One entry an observation, in the order of event time and trade id. */
function observed(ticks: readonly TestTick[]): Seen[] {
  const groups = Map.groupBy(
    ticks,
    (each) => `${String(each.startMs).padStart(16, '0')}|${each.tradeId ?? ''}`,
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, versions]) => {
      const key = (of: TestTick) => `${String(of.publication).padStart(9, '0')}|${hashOf(of)}`;
      const sorted = versions.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
      const [last] = sorted.slice(-1);
      if (last === undefined) throw new Error('no version');
      const { startMs, endMs, price, quantity } = last;
      const changes = sorted.filter((each, n) => n === 0 || hashOf(each) !== hashOf(sorted[n - 1] ?? each));
      return { startMs, hours: (endMs - startMs) / HOUR, price, quantity, changes: changes.length };
    });
}

const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0);
const mean = (of: readonly number[]) => sum(of) / of.length;
const deviation = (of: readonly number[]) =>
  Math.sqrt(sum(of.map((each) => (each - mean(of)) ** 2)) / (of.length - 1));
const traded = (of: readonly Seen[]) => of.filter((each) => each.quantity !== null);
const volume = (of: readonly Seen[]) => sum(of.map((each) => each.quantity ?? 0));

function vwap(of: readonly Seen[]): number | null {
  const all = volume(of);
  return all === 0 ? null : sum(traded(of).map((each) => each.price * (each.quantity ?? 0))) / all;
}

const local = new Map<number, string>();
function dayOf(ms: number): string {
  const found =
    local.get(ms) ?? new Date(ms).toLocaleDateString('sv-SE', { timeZone: 'America/Los_Angeles' });
  local.set(ms, found);
  return found;
}

function dayBounds(ms: number): [number, number] {
  let start = Math.floor(ms / HOUR) * HOUR;
  while (dayOf(start - HOUR) === dayOf(ms)) start -= HOUR;
  let end = start;
  while (dayOf(end) === dayOf(ms)) end += HOUR;
  return [start, end];
}

type Row = Record<string, unknown>;

function bars(ticks: readonly TestTick[]): Map<string, Row> {
  const seen = observed(ticks);
  const priced = ticks[0]?.run === 'DAM';
  const out = new Map<string, Row>();
  for (const size of priced ? ['1H', '1D'] : ['5M', '15M', '1H', '1D']) {
    const length = { '5M': 300_000, '15M': 900_000, '1H': HOUR }[size] ?? 0;
    const bounds = (ms: number): [number, number] =>
      size === '1D' ? dayBounds(ms) : [ms - (ms % length), ms - (ms % length) + length];
    for (const [startMs, of] of Map.groupBy(seen, (each) => bounds(each.startMs)[0])) {
      const endMs = bounds(startMs)[1];
      const prices = of.map((each) => each.price);
      const expected = priced ? (endMs - startMs) / HOUR : null;
      const revision = sum(of.map((each) => each.changes));
      out.set(`${size}|${startMs * 1_000}`, {
        bar_end: endMs * 1_000,
        open_price: prices[0],
        high_price: Math.max(...prices),
        low_price: Math.min(...prices),
        close_price: prices.at(-1),
        volume: volume(of),
        vwap: vwap(of),
        twap: priced
          ? sum(of.map((each) => each.price * each.hours)) / sum(of.map((each) => each.hours))
          : null,
        trade_count: of.length,
        expected_count: expected,
        complete: expected === null || of.length === expected,
        revision,
        final: true,
        row_version: 2 * revision + 1,
      });
    }
  }
  return out;
}

function ranked(prices: readonly number[], p: number): number {
  const sorted = prices.toSorted((a, b) => a - b);
  const at = ((sorted.length - 1) * p) / 100;
  const [low, high] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return low + (high - low) * (at % 1);
}

function metrics(ticks: readonly TestTick[]): Map<string, Row> {
  const seen = observed(ticks);
  const out = new Map<string, Row>();
  for (const hour of new Set(seen.map((each) => Math.floor(each.startMs / HOUR)))) {
    const endMs = (hour + 1) * HOUR;
    const within = seen.filter((each) => each.startMs < endMs && each.startMs >= endMs - LOOKBACK);
    const row_version = 2 * sum(within.map((each) => each.changes));
    for (const window of [3, 5]) {
      const last = within.slice(-window);
      const prices = last.map((each) => each.price);
      const steps = prices.slice(1).map((each, n) => each - (prices[n] ?? 0));
      const put = (type: string, least: number, of: readonly unknown[], metric_value: number | null) => {
        if (of.length < least || metric_value === null) return;
        const key = `rolling_${type}|${window}|${endMs * 1_000}`;
        out.set(key, { metric_value, sample_count: of.length, row_version });
      };
      put('average_price', 2, prices, mean(prices));
      put('price_std', 2, prices, deviation(prices));
      put('price_volatility', 3, prices, deviation(steps));
      put('price_p25', 2, prices, ranked(prices, 25));
      put('price_p50', 2, prices, ranked(prices, 50));
      put('trade_count', 1, last, last.length);
      put('total_volume', 1, traded(last), volume(last));
      put('average_volume', 1, traded(last), mean(traded(last).map((each) => each.quantity ?? 0)));
      put('volume_volatility', 2, traded(last), deviation(traded(last).map((each) => each.quantity ?? 0)));
      put('average_trade_size', 1, traded(last), mean(traded(last).map((each) => each.quantity ?? 0)));
      put('vwap', 1, traded(last), vwap(last));
    }
  }
  return out;
}

function curves(ticks: readonly TestTick[]): Map<string, Row> {
  const out = new Map<string, Row>();
  const type = ticks[0]?.run === 'DAM' ? 'price_curve' : 'trade_curve';
  for (const [day, ofDay] of Map.groupBy(observed(ticks), (each) => dayOf(each.startMs))) {
    const hours = Map.groupBy(ofDay, (each) => Math.floor(each.startMs / HOUR) * HOUR);
    if (hours.size < 2) continue;
    for (const [startMs, of] of hours) {
      out.set(String(startMs * 1_000), {
        curve_type: type,
        delivery_date: day,
        price: vwap(of) ?? mean(of.map((each) => each.price)),
        quantity: traded(of).length > 0 ? volume(of) : null,
        row_version: 2 * sum(of.map((each) => each.changes)),
      });
    }
  }
  return out;
}

const near = (a: unknown, b: unknown): boolean =>
  typeof a === 'number' && typeof b === 'number'
    ? Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b))
    : Object.is(a, b);

function compare(found: ReadonlyMap<string, Row>, wanted: ReadonlyMap<string, Row>): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [key, row] of wanted) {
    for (const [column, value] of Object.entries(row)) {
      const actual = found.get(key)?.[column];
      if (!near(actual, value)) expect(`${key} ${column} ${actual}`).toBe(`${key} ${column} ${value}`);
    }
  }
}

test.each([
  ['hourly prices', hourlyTick],
  ['trades', tradeTick],
] as const)(
  '%s: every row of the gold tables, and no other',
  (_, tick) => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(tick, { minLength: 1, maxLength: 60 }), sizes, (ticks, batches) => {
        const rows = [...run(ticks, batches).rows];
        const of = (to: string, keyOf: (row: Row) => string) =>
          new Map(rows.filter(([key]) => key.startsWith(`${to}|`)).map(([, row]) => [keyOf(row), row]));
        compare(
          of('bars', (row) => `${row.bar_size}|${row.bar_start}`),
          bars(ticks),
        );
        compare(
          of('metrics', (row) => `${row.metric_type}|${row.window_size}|${row.hour_end}`),
          metrics(ticks),
        );
        compare(
          of('curves', (row) => String(row.hour_start)),
          curves(ticks),
        );
      }),
      { numRuns: 150 },
    );
  },
  60_000,
);

test('trades at one instant are ordered by their ids, and within a millisecond by their time', () => {
  const atMs = Date.UTC(2024, 2, 9, 18);
  const trade = (tradeId: string, us: number, price: number): TestTick => ({
    run: 'TRADE',
    startMs: atMs + us / 1_000,
    endMs: atMs + us / 1_000,
    tradeId,
    publication: 1,
    price,
    quantity: 1,
  });
  const bar = (ticks: TestTick[]) => run(ticks, [1]).rows.get(`bars|5M|${atMs * 1_000}||||`);
  for (const ticks of [
    [trade('b', 0, 2), trade('a', 0, 1)],
    [trade('a', 0, 1), trade('b', 0, 2)],
    [trade('a', 500, 2), trade('b', 250, 1)],
    [trade('b', 250, 1), trade('a', 500, 2)],
  ]) {
    expect(bar(ticks)).toMatchObject({ open_price: 1, close_price: 2, trade_count: 2, volume: 2, vwap: 1.5 });
  }
});
