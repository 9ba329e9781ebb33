// What the aggregation stage is told: which bars, metrics and curves a market gets, and how long an
// instrument's observations stay reopenable. Filled in from configuration by the composition root.

import type { MarketSpec } from './domain/market.ts';
import type { MetricSpec } from './domain/rolling.ts';
import type { BarSize } from './domain/wire.ts';

export interface BarRule {
  readonly size: BarSize;
  /** Fewer observations make no bar. */
  readonly minTrades: number;
  /** More are folded all the same, and noted. */
  readonly maxTrades: number;
}

export interface CurveRule {
  readonly enabled: boolean;
  /** Points of an operating day before any of them is written. */
  readonly minPoints: number;
  /** More are written all the same, and noted. */
  readonly maxPoints: number;
}

export interface RunWindows {
  /** Event time behind the newest observation in which late ones reopen bars; rounded out to whole days. */
  readonly retainedMs: number;
  /** What rolling metrics may look back on, before the end of an hour. */
  readonly lookbackMs: number;
  readonly allowedLatenessMs: number;
}

export interface MarketPolicy {
  readonly spec: MarketSpec;
  readonly bars: readonly BarRule[];
  readonly metrics: readonly MetricSpec[];
  readonly curves: Readonly<Record<'trade' | 'price' | 'spot' | 'forward', CurveRule>>;
  readonly windows: (run: string) => RunWindows;
}

export interface AggregationOptions {
  readonly markets: ReadonlyMap<string, MarketPolicy>;
  /** Rises only when a reprocess runs under changed rules. */
  readonly epoch: number;
  readonly tenantId: string;
  readonly producer: string;
}
