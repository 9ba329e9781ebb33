// data_quality_rules.yaml.

import { z } from 'zod';
import { qualityAlerting, qualityMonitoring } from './schema-advisory.ts';
import { nonNegative, severity, share, texts, wholePositive } from './schema-parts.ts';

const range = z
  .strictObject({ min: z.number(), max: z.number(), warning_threshold: z.number() })
  .refine((of) => of.min < of.max, { message: 'min is not below max', path: ['min'] });

const market = z.strictObject({
  price_ranges: range,
  quantity_ranges: range,
  required_fields: texts.default([]),
  data_freshness_minutes: nonNegative.default(15),
});

const rule = z
  .strictObject({
    type: z.enum(['numeric', 'integer', 'string']),
    required: z.boolean().default(false),
    min: z.number().optional(),
    max: z.number().optional(),
    format: z.string().optional(),
  })
  .refine((of) => of.min === undefined || of.max === undefined || of.min <= of.max, {
    message: 'min is above max',
    path: ['min'],
  });

const crossField = z.strictObject({
  name: z.string(),
  condition: z.string(),
  severity: severity.default('medium'),
  tolerance: nonNegative.default(0),
});

export const quality = z.strictObject({
  anomaly_detection: z
    .strictObject({
      price_spike_threshold: nonNegative.default(3),
      price_spike_severity_high: nonNegative.default(4),
      price_spike_severity_critical: nonNegative.default(5),
      volume_spike_threshold: nonNegative.default(3),
      volume_spike_severity_high: nonNegative.default(4),
      missing_data_window_minutes: nonNegative.default(30),
      missing_data_severity: severity.default('medium'),
      outlier_threshold: nonNegative.default(2.5),
      outlier_method: z.enum(['iqr', 'zscore']).default('iqr'),
      duplicate_window_seconds: nonNegative.default(60),
      duplicate_severity: severity.default('low'),
      min_samples_for_detection: wholePositive.default(10),
      price_buffer_size: wholePositive.max(500).default(100),
      volume_buffer_size: wholePositive.max(500).default(100),
    })
    .refine((of) => of.price_spike_threshold <= of.price_spike_severity_high, {
      message: 'price_spike_threshold is above price_spike_severity_high',
      path: ['price_spike_threshold'],
    })
    .refine((of) => of.price_spike_severity_high <= of.price_spike_severity_critical, {
      message: 'price_spike_severity_high is above price_spike_severity_critical',
      path: ['price_spike_severity_high'],
    })
    .refine((of) => of.volume_spike_threshold <= of.volume_spike_severity_high, {
      message: 'volume_spike_threshold is above volume_spike_severity_high',
      path: ['volume_spike_threshold'],
    })
    .prefault({}),
  markets: z.record(z.string(), market).default({}),
  quality_thresholds: z
    .strictObject({
      critical: share.default(0.5),
      warning: share.default(0.7),
      good: share.default(0.9),
    })
    .refine((of) => of.critical <= of.warning && of.warning <= of.good, 'expected critical ≤ warning ≤ good')
    .prefault({}),
  validation: z
    .strictObject({
      field_validation: z.record(z.string(), rule).default({}),
      cross_field_validation: z.array(crossField).default([]),
    })
    .prefault({}),
  alerting: qualityAlerting,
  monitoring: qualityMonitoring,
  features: z
    .strictObject({
      enable_price_spike_detection: z.boolean().default(true),
      enable_volume_anomaly_detection: z.boolean().default(true),
      enable_missing_data_detection: z.boolean().default(true),
      enable_schema_drift_detection: z.boolean().default(true),
      enable_duplicate_detection: z.boolean().default(true),
      enable_outlier_detection: z.boolean().default(true),
      enable_validation_error_detection: z.boolean().default(true),
    })
    .prefault({}),
});

export type QualityRules = z.output<typeof quality>;
