// Runs that every market has besides its own: where other producers' trades, curves and spot prices go when
// they name no run of the market.

import type { MarketSpec, RunSpec } from './domain/market.ts';

/** By name. Trades have no interval; spot prices and a curve's points are hours. */
export const GENERIC_RUNS: Readonly<Record<'TRADE' | 'CURVE' | 'SPOT', RunSpec>> = {
  TRADE: { intervalMinutes: 0, kind: 'trade', settlement: 'none' },
  CURVE: { intervalMinutes: 60, kind: 'curve', settlement: 'none' },
  SPOT: { intervalMinutes: 60, kind: 'real_time', settlement: 'none' },
};

/** The run of that name in the market or among the generic ones; null when there is none. */
export function runOf(market: Pick<MarketSpec, 'runs'>, run: string): RunSpec | null {
  if (Object.hasOwn(market.runs, run)) return market.runs[run] ?? null;
  if (run === 'TRADE' || run === 'CURVE' || run === 'SPOT') return GENERIC_RUNS[run];
  return null;
}
