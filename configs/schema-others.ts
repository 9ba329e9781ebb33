// normalization_rules.yaml, projection_policies.yaml, runtime.yaml and contacts.yaml.

import { z } from 'zod';
import { projectionAdvisory, qualityShares, queryTimeouts } from './schema-advisory.ts';
import { nonNegative, share, texts, whole, wholePositive } from './schema-parts.ts';

const transform = z.strictObject({
  name: z.string(),
  fields: texts.optional(),
  required_fields: texts.optional(),
  target_timezone: z.string().optional(),
});

export const normalization = z.strictObject({
  markets: z
    .record(
      z.string(),
      z.strictObject({
        market_id: z.string().optional(),
        timezone: z.string().optional(),
        currency: z.string().optional(),
        unit: z.string().optional(),
        price_unit: z.string().optional(),
        field_mappings: z.record(z.string(), z.string()).default({}),
        transforms: z.array(transform).default([]),
      }),
    )
    .default({}),
  global: z
    .strictObject({
      default_timezone: z.string().optional(),
      default_currency: z.string().default('USD'),
      default_unit: z.string().default('MWh'),
      default_price_unit: z.string().default('$/MWh'),
      quality_thresholds: qualityShares,
      validation: z
        .strictObject({
          strict_mode: z.boolean().default(false),
          allow_null_values: z.boolean().default(true),
          validate_schemas: z.boolean().default(true),
          check_required_fields: z.boolean().default(true),
        })
        .prefault({}),
      transformations: z
        .strictObject({
          numeric_precision: whole.max(12).default(6),
          timestamp_format: z.string().optional(),
          string_encoding: z.string().optional(),
          case_sensitivity: z.string().optional(),
        })
        .prefault({}),
    })
    .prefault({}),
});

const cacheClass = z.strictObject({
  enabled: z.boolean().default(true),
  ttl: wholePositive.default(3_600),
  max_entries: wholePositive.default(10_000),
  prefetch: z.boolean().optional(),
});

export const projection = z.strictObject({
  clickhouse: z
    .strictObject({
      dsn: z.string().optional(),
      pool_size: wholePositive.max(200).default(10),
      batch_size: wholePositive.optional(),
      timeout: z.number().positive().default(30),
      retries: whole.optional(),
      retry_delay: nonNegative.optional(),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: z.string().optional(),
      pool_size: wholePositive.optional(),
      default_ttl: wholePositive.optional(),
      max_memory: z.string().optional(),
    })
    .prefault({}),
  cache: z
    .strictObject({
      ohlc_bars: cacheClass.prefault({}),
      rolling_metrics: cacheClass.prefault({}),
      curve_data: cacheClass.prefault({}),
      query_results: cacheClass.prefault({}),
    })
    .prefault({}),
  ...projectionAdvisory,
  query: z
    .strictObject({
      default_limits: z
        .strictObject({
          ohlc_bars: wholePositive.default(1_000),
          rolling_metrics: wholePositive.default(1_000),
          curve_data: wholePositive.default(1_000),
        })
        .prefault({}),
      timeouts: queryTimeouts,
      cache_queries: z.boolean().default(true),
      query_cache_ttl: wholePositive.default(300),
    })
    .prefault({}),
});

const intensity = z.strictObject({ intensity: whole, period_seconds: z.number().positive() });

export const runtime = z.strictObject({
  supervision: z
    .strictObject({
      quarantine: intensity.prefault({ intensity: 5, period_seconds: 60 }),
      shard: intensity.prefault({ intensity: 10, period_seconds: 60 }),
      market: intensity.prefault({ intensity: 3, period_seconds: 300 }),
      service: intensity.prefault({ intensity: 3, period_seconds: 600 }),
      router: intensity.prefault({ intensity: 5, period_seconds: 60 }),
      backoff: z
        .strictObject({
          initial_ms: wholePositive.default(100),
          max_ms: wholePositive.default(10_000),
          jitter: share.default(0.2),
        })
        .refine((of) => of.initial_ms <= of.max_ms, {
          message: 'initial_ms is above max_ms',
          path: ['initial_ms'],
        })
        .prefault({}),
      shard_children_max: wholePositive.max(1_000).default(256),
      parked_max: whole.default(10_000),
      stall_seconds: wholePositive.max(3_600).default(60),
      idle_seconds: wholePositive.max(86_400).default(900),
    })
    .prefault({}),
  log: z
    .strictObject({
      partitions: wholePositive.max(1_000).default(8),
      max_poll_records: wholePositive.max(100_000).default(5_000),
      sink_records_max: wholePositive.max(200_000).default(50_000),
      retention_hours: z.number().positive().default(168),
    })
    .prefault({}),
  kafka: z
    .strictObject({
      replication: wholePositive.max(7).nullable().default(null),
      min_insync_replicas: wholePositive.max(7).nullable().default(null),
      compression: z.enum(['none', 'gzip', 'zstd']).default('zstd'),
      session_timeout_ms: wholePositive.min(1_000).default(10_000),
      heartbeat_interval_ms: wholePositive.default(1_000),
      rebalance_timeout_ms: wholePositive.default(30_000),
      transaction_timeout_ms: wholePositive.min(1_000).default(30_000),
      request_timeout_ms: wholePositive.min(1_000).default(10_000),
      layout_poll_ms: wholePositive.min(100).max(30_000).default(10_000),
      fetch_max_bytes: wholePositive.min(1_024).default(2_097_152),
      fetch_min_bytes: wholePositive.default(1),
      fetch_max_wait_ms: wholePositive.max(60_000).default(500),
    })
    .refine((of) => of.heartbeat_interval_ms * 3 <= of.session_timeout_ms, {
      message: 'heartbeat_interval_ms is above a third of session_timeout_ms',
      path: ['heartbeat_interval_ms'],
    })
    .prefault({}),
  tenant_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ or -')
    .default('default'),
});

const team = z.strictObject({
  email: z.string().optional(),
  slack: texts.optional(),
  pagerduty: z.string().optional(),
});

export const contacts = z.strictObject({
  teams: z.record(z.string(), team).default({}),
  external: z.record(z.string(), z.string()).default({}),
});

export type NormalizationRules = z.output<typeof normalization>;
export type ProjectionPolicies = z.output<typeof projection>;
export type RuntimeSettings = z.output<typeof runtime>;
