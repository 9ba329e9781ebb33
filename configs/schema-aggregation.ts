// aggregation_policies.yaml.

import { z } from 'zod';
import { aggregationGlobal } from './schema-advisory.ts';
import { duration, whole, wholePositive } from './schema-parts.ts';

const bar = (window: string) =>
  z.strictObject({
    enabled: z.boolean().default(true),
    aggregation_window: z.literal(window).default(window),
    buffer_size: wholePositive.optional(),
    flush_interval: duration.optional(),
    min_trades: wholePositive.default(1),
    max_trades: wholePositive.default(10_000),
  });

const ascending = z
  .array(wholePositive)
  .min(1)
  .refine(
    (sizes) => sizes.every((size, n) => n === 0 || size > (sizes[n - 1] ?? 0)),
    'expected ascending sizes',
  );

const metricShape = {
  enabled: z.boolean().default(true),
  window_sizes: ascending.default([5, 10, 20, 50]),
  min_samples: wholePositive.default(3),
  max_samples: wholePositive.default(1_000),
};

const samples = (of: { min_samples: number; max_samples: number }): boolean =>
  of.min_samples <= of.max_samples;
const SAMPLES = { message: 'min_samples is above max_samples', path: ['min_samples'] };
const metric = z.strictObject(metricShape).refine(samples, SAMPLES);
const percentiles = z
  .strictObject({
    ...metricShape,
    percentiles: z.array(z.number().min(0).max(100)).default([25, 50, 75, 90]),
  })
  .refine(samples, SAMPLES);

const curve = z.strictObject({
  enabled: z.boolean().default(true),
  buffer_size: wholePositive.optional(),
  flush_interval: duration.optional(),
  min_points: wholePositive.default(5),
  max_points: wholePositive.default(10_000),
});

const run = z.strictObject({
  retained_hours: z.number().positive().max(2_400),
  lookback_hours: z.number().positive().max(2_400),
  allowed_lateness_minutes: z.number().nonnegative().max(100_000),
});

export const aggregation = z.strictObject({
  ohlc_policies: z
    .strictObject({
      daily: bar('1D').prefault({}),
      hourly: bar('1H').prefault({}),
      fifteen_minute: bar('15M').prefault({}),
      five_minute: bar('5M').prefault({}),
    })
    .prefault({}),
  rolling_metrics: z
    .strictObject({
      price_metrics: z
        .strictObject({
          rolling_average_price: metric.prefault({}),
          rolling_price_volatility: metric.prefault({}),
          rolling_price_std: metric.prefault({}),
          rolling_price_percentiles: percentiles.prefault({}),
        })
        .prefault({}),
      volume_metrics: z
        .strictObject({
          rolling_total_volume: metric.prefault({}),
          rolling_average_volume: metric.prefault({}),
          rolling_volume_volatility: metric.prefault({}),
        })
        .prefault({}),
      trade_count_metrics: z
        .strictObject({
          rolling_trade_count: metric.prefault({}),
          rolling_average_trade_size: metric.prefault({}),
        })
        .prefault({}),
    })
    .prefault({}),
  curve_prestage: z
    .strictObject({
      trade_curves: curve.prefault({}),
      price_curves: curve.prefault({}),
      spot_curves: curve.prefault({}),
      status_curves: curve.prefault({}),
    })
    .prefault({}),
  runs: z
    .strictObject({
      hourly: run.prefault({ retained_hours: 72, lookback_hours: 144, allowed_lateness_minutes: 120 }),
      quarter_hourly: run.prefault({ retained_hours: 48, lookback_hours: 36, allowed_lateness_minutes: 60 }),
      five_minute: run.prefault({ retained_hours: 24, lookback_hours: 12, allowed_lateness_minutes: 30 }),
    })
    .prefault({}),
  global: z
    .strictObject({
      epoch: whole.max(4_000).default(0),
      ...aggregationGlobal,
    })
    .prefault({}),
});

export type AggregationPolicies = z.output<typeof aggregation>;
