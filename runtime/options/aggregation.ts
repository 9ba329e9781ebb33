// aggregation_policies.yaml as the options of aggregation: bars, rolling metrics, curves, windows by market.

import type {
  AggregationOptions,
  CurveRule,
  MarketPolicy,
  RunWindows,
} from '../../actors/aggregation-options.ts';
import type { MarketSpec } from '../../actors/domain/market.ts';
import type { MetricKind, MetricSpec } from '../../actors/domain/rolling.ts';
import { HOUR_MS, MINUTE_MS } from '../../actors/domain/time.ts';
import { runOf } from '../../actors/runs.ts';
import type { Config } from '../../configs/load.ts';
import type { AggregationPolicies } from '../../configs/schema-aggregation.ts';
import { byMarket } from './by-market.ts';

export function aggregationOptions(config: Config, markets: readonly MarketSpec[]): AggregationOptions {
  return {
    markets: byMarket(markets, (spec) => policyOf(spec, config.aggregation.get(spec.market))),
    epoch: Math.max(0, ...[...config.aggregation.values()].map((each) => each.global.epoch)),
    tenantId: config.runtime.tenant_id,
    producer: 'aggregation-service',
  };
}

function policyOf(spec: MarketSpec, policies: AggregationPolicies | undefined): MarketPolicy | null {
  if (policies === undefined) return null;
  const { ohlc_policies: ohlc, curve_prestage: curves, runs } = policies;
  const bars = (
    [
      ['5M', ohlc.five_minute],
      ['15M', ohlc.fifteen_minute],
      ['1H', ohlc.hourly],
      ['1D', ohlc.daily],
    ] as const
  ).filter(([, rule]) => rule.enabled);
  const curve = (of: { enabled: boolean; min_points: number; max_points: number }): CurveRule => ({
    enabled: of.enabled,
    minPoints: of.min_points,
    maxPoints: of.max_points,
  });
  const windows = {
    5: windowsOf(runs.five_minute),
    15: windowsOf(runs.quarter_hourly),
    60: windowsOf(runs.hourly),
  };
  return {
    spec,
    bars: bars.map(([size, rule]) => ({ size, minTrades: rule.min_trades, maxTrades: rule.max_trades })),
    metrics: metricsOf(policies),
    curves: {
      trade: curve(curves.trade_curves),
      price: curve(curves.price_curves),
      spot: curve(curves.spot_curves),
      forward: curve(curves.price_curves),
    },
    windows: (run) => {
      const minutes = runOf(spec, run)?.intervalMinutes ?? 60;
      return minutes === 5 ? windows[5] : minutes === 15 ? windows[15] : windows[60];
    },
  };
}

function windowsOf(of: AggregationPolicies['runs']['hourly']): RunWindows {
  return {
    retainedMs: of.retained_hours * HOUR_MS,
    lookbackMs: of.lookback_hours * HOUR_MS,
    allowedLatenessMs: of.allowed_lateness_minutes * MINUTE_MS,
  };
}

function metricsOf({ rolling_metrics: of }: AggregationPolicies): MetricSpec[] {
  const { price_metrics: price, volume_metrics: volume, trade_count_metrics: trades } = of;
  const all = [
    ['average_price', price.rolling_average_price],
    ['price_volatility', price.rolling_price_volatility],
    ['price_std', price.rolling_price_std],
    ['price_percentiles', price.rolling_price_percentiles],
    ['total_volume', volume.rolling_total_volume],
    ['average_volume', volume.rolling_average_volume],
    ['volume_volatility', volume.rolling_volume_volatility],
    ['trade_count', trades.rolling_trade_count],
    ['average_trade_size', trades.rolling_average_trade_size],
    // Older files have no key of its own for it: it goes with the average price.
    ['vwap', price.rolling_average_price],
  ] as const satisfies readonly (readonly [MetricKind, typeof price.rolling_average_price])[];
  return all.flatMap(([kind, rule]): MetricSpec[] => {
    if (!rule.enabled) return [];
    const percentiles = kind === 'price_percentiles' ? price.rolling_price_percentiles.percentiles : [];
    const { window_sizes: windows, min_samples: minSamples, max_samples: maxSamples } = rule;
    return [{ kind, windows, minSamples, maxSamples, percentiles }];
  });
}
