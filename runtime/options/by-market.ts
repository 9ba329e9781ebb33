// One value for each market of the product that has one.

import type { MarketSpec } from '../../actors/domain/market.ts';

export function byMarket<T>(
  markets: readonly MarketSpec[],
  of: (spec: MarketSpec) => T | null,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const spec of markets) {
    const value = of(spec);
    if (value !== null) found.set(spec.market, value);
  }
  return found;
}
