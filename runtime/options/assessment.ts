// data_quality_rules.yaml as the options of data quality.

import {
  type AssessmentOptions,
  CROSS_FIELD_CONDITIONS,
  type MarketRules,
} from '../../actors/assessment-options.ts';
import type { MarketSpec } from '../../actors/domain/market.ts';
import { MINUTE_MS } from '../../actors/domain/time.ts';
import type { Config } from '../../configs/load.ts';
import { byMarket } from './by-market.ts';

export function assessmentOptions(config: Config, markets: readonly MarketSpec[]): AssessmentOptions {
  const { anomaly_detection: of, markets: rules, features, validation } = config.quality;
  const { connectors } = config.connectors;
  const followed = new Set(config.environment.connectors.map((name) => connectors[name]?.market));
  const range = (each: { min: number; max: number; warning_threshold: number }) => ({
    min: each.min,
    max: each.max,
    warningThreshold: each.warning_threshold,
  });
  return {
    markets: byMarket(markets, (spec) => {
      const rule = rules[spec.market];
      if (rule === undefined) return noRules(spec);
      return {
        spec,
        price: range(rule.price_ranges),
        quantity: range(rule.quantity_ranges),
        requiredFields: rule.required_fields,
        dataFreshnessMs: rule.data_freshness_minutes * MINUTE_MS,
        live: followed.has(spec.market),
      };
    }),
    detection: {
      priceSpikeThreshold: of.price_spike_threshold,
      priceSpikeHigh: of.price_spike_severity_high,
      priceSpikeCritical: of.price_spike_severity_critical,
      volumeSpikeThreshold: of.volume_spike_threshold,
      volumeSpikeHigh: of.volume_spike_severity_high,
      missingWindowMs: of.missing_data_window_minutes * MINUTE_MS,
      missingSeverity: of.missing_data_severity,
      outlierThreshold: of.outlier_threshold,
      outlierMethod: of.outlier_method,
      duplicateWindowMs: of.duplicate_window_seconds * 1_000,
      duplicateSeverity: of.duplicate_severity,
      minSamples: of.min_samples_for_detection,
      priceBuffer: of.price_buffer_size,
      volumeBuffer: of.volume_buffer_size,
    },
    features: {
      priceSpike: features.enable_price_spike_detection,
      volume: features.enable_volume_anomaly_detection,
      missing: features.enable_missing_data_detection,
      schemaDrift: features.enable_schema_drift_detection,
      duplicate: features.enable_duplicate_detection,
      outlier: features.enable_outlier_detection,
      validation: features.enable_validation_error_detection,
    },
    crossField: validation.cross_field_validation.filter(({ condition }) =>
      CROSS_FIELD_CONDITIONS.includes(condition),
    ),
    tenantId: config.runtime.tenant_id,
  };
}

/** A market that the rules do not name: its ticks are scored, and no range is checked. */
function noRules(spec: MarketSpec): MarketRules {
  const open = {
    min: Number.NEGATIVE_INFINITY,
    max: Number.POSITIVE_INFINITY,
    warningThreshold: Number.POSITIVE_INFINITY,
  };
  return { spec, price: open, quantity: open, requiredFields: [], dataFreshnessMs: 0, live: false };
}
