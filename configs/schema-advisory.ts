// Keys of older files that decide nothing here (dispositions.ts says why), typed all the same: a value of the
// wrong type is somebody's mistake whether or not it is obeyed. Every key may be absent.

import { z } from 'zod';
import { duration, nonNegative, severity, share, texts, whole, wholePositive } from './schema-parts.ts';

const bool = z.boolean();
const text = z.string();

/** A section whose keys all may be absent; keys that it does not list are unknown. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).partial().optional();
}

/** Of normalization_rules.yaml and enrichment_taxonomy.yaml. */
export const qualityShares = section({
  completeness: share,
  accuracy: share,
  consistency: share,
  timeliness: share,
  validity: share,
});

/** `global` of aggregation_policies.yaml. */
export const aggregationGlobal = {
  buffer_management: section({
    max_total_buffers: wholePositive,
    buffer_cleanup_interval: duration,
    buffer_ttl: duration,
    memory_limit_mb: wholePositive,
  }),
  performance: section({
    max_concurrent_aggregations: wholePositive,
    aggregation_timeout: nonNegative,
    flush_timeout: nonNegative,
    batch_size: wholePositive,
  }),
  quality: section({
    min_data_quality_score: share,
    max_missing_values: share,
    outlier_detection: bool,
    outlier_threshold: nonNegative,
  }),
  monitoring: section({
    metrics_enabled: bool,
    detailed_logging: bool,
    performance_tracking: bool,
    alert_thresholds: section({
      aggregation_latency_ms: nonNegative,
      buffer_size: whole,
      error_rate: share,
    }),
  }),
  retention: section({
    ohlc_bars_days: wholePositive,
    rolling_metrics_days: wholePositive,
    curve_prestage_days: wholePositive,
    raw_buffers_days: wholePositive,
  }),
};

const rate = { enabled: bool, threshold: nonNegative, window_minutes: nonNegative, severity };

/** `alerting` and `monitoring` of data_quality_rules.yaml. */
export const qualityAlerting = section({
  high_anomaly_rate: section(rate),
  low_quality_score: section(rate),
  missing_data: section({ enabled: bool, threshold_minutes: nonNegative, severity }),
  validation_errors: section({
    enabled: bool,
    threshold_count: whole,
    window_minutes: nonNegative,
    severity,
  }),
});

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day such as 08:00');

export const qualityMonitoring = section({
  metrics_interval_seconds: wholePositive,
  anomaly_retention_hours: wholePositive,
  quality_score_retention_hours: wholePositive,
  daily_report_enabled: bool,
  daily_report_time: timeOfDay,
});

const refresh = z.union([text, z.number(), z.record(z.string(), z.union([text, z.number(), bool]))]);

/** What projection_policies.yaml sets beside queries, cache and the two servers. */
export const projectionAdvisory = {
  projection: section({
    batch_sizes: section({
      ohlc_bars: wholePositive,
      rolling_metrics: wholePositive,
      curve_data: wholePositive,
    }),
    flush_intervals: section({
      ohlc_bars: nonNegative,
      rolling_metrics: nonNegative,
      curve_data: nonNegative,
    }),
    parallelism: section({
      max_concurrent_projections: wholePositive,
      max_concurrent_queries: wholePositive,
    }),
  }),
  materialized_views: section({
    auto_refresh: section({ enabled: bool, interval_minutes: nonNegative }),
    views: z.array(z.strictObject({ name: text, table: text, refresh_policy: refresh }).partial()),
  }),
  monitoring: section({
    metrics_interval_seconds: wholePositive,
    alerts: section({
      high_projection_latency_ms: nonNegative,
      high_error_rate: share,
      low_cache_hit_rate: share,
    }),
  }),
  logging: section({ level: text, format: text, structured: bool, include_trace_id: bool }),
  health: section({
    dependencies: z
      .record(z.string(), z.strictObject({ type: text, timeout_seconds: nonNegative }).partial())
      .optional(),
    check_interval_seconds: wholePositive,
  }),
  features: section({
    enable_materialized_views: bool,
    enable_query_caching: bool,
    enable_batch_optimization: bool,
    enable_parallel_processing: bool,
    enable_debug_logging: bool,
    enable_metrics_export: bool,
  }),
};

export const queryTimeouts = section({
  ohlc_query: nonNegative,
  metrics_query: nonNegative,
  curve_query: nonNegative,
});

/** `instruments.system_status` of a market of enrichment_taxonomy.yaml. */
export const statusTags = texts.optional();
