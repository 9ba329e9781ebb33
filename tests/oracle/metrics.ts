// Naive rolling metrics: at the end of each hour that has an observation, the last n observations as a list,
// measured by the schoolbook. The windows are those that the shipped configuration promises, written down
// here a second time.

import { groupBy } from './group.ts';
import type { Observed } from './observe.ts';
import { dayOf, utc } from './wall-clock.ts';

export interface OracleMetric {
  readonly market: string;
  readonly run: string;
  readonly delivery_location: string;
  readonly delivery_date: string;
  readonly metric_type: string;
  readonly window_size: number;
  readonly hour_end: string;
  readonly metric_value: number;
  readonly metric_unit: string;
  readonly sample_count: number;
  readonly row_version: number;
}

interface Measure {
  readonly type: string;
  readonly windows: readonly number[];
  readonly least: number;
  readonly unit: string;
  readonly of: (prices: readonly number[]) => number;
}

const HOUR = 3_600_000;
const WINDOWS = [5, 10, 20, 50];
/** How far back a window may reach, hours, by the length of an interval. */
const LOOKBACK: Record<number, number> = { 60: 144, 15: 36, 5: 12 };
const USD = '$/MWh';

function measures(market: string): Measure[] {
  const volatile = market === 'MISO' ? [10, 20, 50, 100] : [10, 20, 50];
  const percentile = (p: number): Measure => ({
    type: `rolling_price_p${p}`,
    windows: [10, 20, 50],
    least: 10,
    unit: USD,
    of: (prices) => ranked(prices, p),
  });
  return [
    { type: 'rolling_average_price', windows: WINDOWS, least: 3, unit: USD, of: mean },
    { type: 'rolling_price_std', windows: WINDOWS, least: 3, unit: USD, of: deviation },
    {
      type: 'rolling_price_volatility',
      windows: volatile,
      least: 5,
      unit: USD,
      of: (prices) => deviation(prices.slice(1).map((price, n) => price - (prices[n] ?? 0))),
    },
    ...[25, 50, 75, 90].map(percentile),
    { type: 'rolling_trade_count', windows: WINDOWS, least: 1, unit: 'count', of: (prices) => prices.length },
  ];
}

/** All rows of one instrument. */
export function oracleMetrics(of: Observed): OracleMetric[] {
  const { market, run, location, minutes, observations } = of;
  const lookbackMs = (LOOKBACK[minutes] ?? 0) * HOUR;
  const hours = groupBy(observations, (each) => String(Math.floor(each.startMs / HOUR)));
  const out: OracleMetric[] = [];
  for (const hour of hours.keys()) {
    const endMs = (Number(hour) + 1) * HOUR;
    const within = observations.filter((each) => each.startMs < endMs && each.startMs >= endMs - lookbackMs);
    const row_version = 2 * within.reduce((sum, each) => sum + each.changes, 0);
    const prices = within.map((each) => Number(each.price));
    for (const measure of measures(market)) {
      for (const window_size of measure.windows) {
        const last = prices.slice(-window_size);
        if (last.length < measure.least) continue;
        out.push({
          market,
          run,
          delivery_location: location,
          delivery_date: dayOf(market, endMs - 1),
          metric_type: measure.type,
          window_size,
          hour_end: utc(endMs),
          metric_value: measure.of(last),
          metric_unit: measure.unit,
          sample_count: last.length,
          row_version,
        });
      }
    }
  }
  return out;
}

export function metricKey(of: OracleMetric): string {
  const { market, run, delivery_location, metric_type, window_size, hour_end } = of;
  return [market, run, delivery_location, metric_type, window_size, hour_end].join('|');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, each) => sum + (each - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** Between the two neighbours of rank (n−1)·p/100, in proportion. */
function ranked(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = ((sorted.length - 1) * p) / 100;
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below * (1 - (rank % 1)) + above * (rank % 1);
}
