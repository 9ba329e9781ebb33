// From configuration to the options that each part declares: the one place where names in YAML meet names in
// code. What is configured and cannot be done comes out as warnings, to be said at start.

import type { AggregationOptions } from '../actors/aggregation-options.ts';
import { type AssessmentOptions, CROSS_FIELD_CONDITIONS } from '../actors/assessment-options.ts';
import type { MarketSpec } from '../actors/domain/market.ts';
import { marketCalendar } from '../actors/domain/operating-day.ts';
import { MINUTE_MS } from '../actors/domain/time.ts';
import type { EnrichmentOptions, MarketTaxonomy, ValueClass } from '../actors/enrichment-options.ts';
import { type NormalizeOptions, unsupportedNormalization } from '../actors/normalize-options.ts';
import type { RestartPolicy } from '../actors/supervision.ts';
import type { Config } from '../configs/load.ts';
import { policyOf } from './aggregation-policy.ts';
import type { RuntimePolicy } from './platform.ts';

export interface StageOptions {
  readonly normalize: NormalizeOptions;
  readonly enrichment: EnrichmentOptions;
  readonly aggregation: AggregationOptions;
  readonly assessment: AssessmentOptions;
}

const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const OUTPUT_BYTES_MAX = 1_000_000;
/** The operators' labels for the operating day and the hour ending. */
const LABELS = { operatingDay: ['OPR_DT', 'OPR_DATE'], hourEnding: ['OPR_HR', 'hour_ending'] };

export function stageOptions(config: Config, markets: readonly MarketSpec[]): StageOptions {
  return {
    normalize: normalizeOptions(config, markets),
    enrichment: enrichmentOptions(config, markets),
    aggregation: {
      markets: byMarket(markets, (spec) => policyOf(spec, config.aggregation.get(spec.market))),
      epoch: Math.max(0, ...[...config.aggregation.values()].map((each) => each.global.epoch)),
      tenantId: config.runtime.tenant_id,
      producer: 'aggregation-service',
    },
    assessment: assessmentOptions(config, markets),
  };
}

function byMarket<T>(markets: readonly MarketSpec[], of: (spec: MarketSpec) => T | null): Map<string, T> {
  const found = new Map<string, T>();
  for (const spec of markets) {
    const value = of(spec);
    if (value !== null) found.set(spec.market, value);
  }
  return found;
}

function normalizeOptions(config: Config, markets: readonly MarketSpec[]): NormalizeOptions {
  const { global, markets: rules } = config.normalization;
  const { field_validation } = config.quality.validation;
  return {
    markets: byMarket(markets, (spec) => {
      const of = rules[spec.market];
      const calendar = marketCalendar(spec.zone);
      return {
        spec,
        calendar: {
          operatingDay: (ms) => calendar.dayOf(ms).date,
          hourEnding: (ms) => calendar.hourEnding(ms),
          hourStart: (day, hour) => calendar.hourStart(day, hour),
        },
        labels: LABELS,
        currency: of?.currency ?? 'USD',
        unit: of?.unit ?? 'MWh',
        priceUnit: of?.price_unit ?? '$/MWh',
        fieldMappings: of?.field_mappings ?? {},
        transforms: (of?.transforms ?? []).map((each) => ({
          name: each.name,
          ...(each.fields === undefined ? {} : { fields: each.fields }),
          ...(each.required_fields === undefined ? {} : { requiredFields: each.required_fields }),
          ...(each.target_timezone === undefined ? {} : { targetTimezone: each.target_timezone }),
        })),
      };
    }),
    validation: {
      strictMode: global.validation.strict_mode,
      allowNullValues: global.validation.allow_null_values,
      validateSchemas: global.validation.validate_schemas,
      checkRequiredFields: global.validation.check_required_fields,
    },
    fieldValidation: Object.fromEntries(
      Object.entries(field_validation).map(([field, rule]) => [
        field,
        {
          type: rule.type,
          required: rule.required,
          ...(rule.min === undefined ? {} : { min: rule.min }),
          ...(rule.max === undefined ? {} : { max: hoursOf(field, rule.max) }),
          ...(rule.format === undefined ? {} : { format: rule.format }),
        },
      ]),
    ),
    numericPrecision: Math.min(6, global.transformations.numeric_precision),
    recordBytesMax: RECORD_BYTES_MAX,
    tenantId: config.runtime.tenant_id,
  };
}

/** A day has 25 hours in fall: an older file's 24 would refuse the repeated one. */
function hoursOf(field: string, max: number): number {
  return field === 'delivery_hour' && max === 24 ? 25 : max;
}

function classesOf(of: Readonly<Record<string, Omit<ValueClass, 'name'>>>): ValueClass[] {
  const classes = Object.entries(of).map(([name, each]) => ({ name, ...each }));
  return classes.sort((a, b) => a.min - b.min);
}

function enrichmentOptions(config: Config, markets: readonly MarketSpec[]): EnrichmentOptions {
  const { global, markets: taxonomies } = config.taxonomy;
  const { enrichment_rules: rules, semantic_tagging: tagging, default_taxonomy: defaults } = global;
  return {
    markets: byMarket(markets, (spec) => {
      const of = taxonomies[spec.market];
      if (of === undefined) return noTaxonomy(spec);
      return {
        spec,
        region: of.region,
        instruments: of.instruments,
        locations: of.locations,
        priceClasses: classesOf(of.price_ranges),
        quantityClasses: classesOf(of.quantity_ranges),
        periods: Object.entries(of.time_periods).map(([name, each]) => ({ name, ...each })),
      };
    }),
    apply: {
      taxonomy: rules.apply_taxonomy,
      semanticTags: rules.apply_semantic_tags,
      geospatial: rules.apply_geospatial && global.geospatial.enabled,
      metadata: rules.apply_metadata && global.metadata.enabled,
    },
    tagging: {
      marketSpecific: tagging.market_specific,
      dataTypeSpecific: tagging.data_type_specific,
      priceBased: tagging.price_based,
      quantityBased: tagging.quantity_based,
      timeBased: tagging.time_based,
      locationBased: tagging.location_based,
    },
    defaults: {
      instruments: defaults.instruments,
      locations: defaults.locations,
      priceRanges: defaults.price_ranges,
      quantityRanges: defaults.quantity_ranges,
      timePeriods: defaults.time_periods,
    },
  };
}

/** A market that the taxonomy does not name: its ticks get the default tags. */
function noTaxonomy(spec: MarketSpec): MarketTaxonomy {
  return {
    spec,
    region: 'unknown',
    instruments: { trade: [], curve: [], market_price: [] },
    locations: { hub: [], node: [], default: [] },
    priceClasses: [],
    quantityClasses: [],
    periods: [],
  };
}

function assessmentOptions(config: Config, markets: readonly MarketSpec[]): AssessmentOptions {
  const { anomaly_detection: of, markets: rules, features, validation } = config.quality;
  const range = (each: { min: number; max: number; warning_threshold: number }) => ({
    min: each.min,
    max: each.max,
    warningThreshold: each.warning_threshold,
  });
  return {
    markets: byMarket(markets, (spec) => {
      const rule = rules[spec.market];
      if (rule === undefined) return null;
      return {
        spec,
        price: range(rule.price_ranges),
        quantity: range(rule.quantity_ranges),
        requiredFields: rule.required_fields,
        dataFreshnessMs: rule.data_freshness_minutes * MINUTE_MS,
        live: false,
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
    crossField: validation.cross_field_validation,
    tenantId: config.runtime.tenant_id,
  };
}

export function runtimePolicy({ runtime }: Config): RuntimePolicy {
  const { supervision, log } = runtime;
  const policy = (of: { intensity: number; period_seconds: number }): RestartPolicy => ({
    intensity: of.intensity,
    periodMs: of.period_seconds * 1_000,
  });
  const { backoff } = supervision;
  return {
    tenantId: runtime.tenant_id,
    batchRecordsMax: log.max_poll_records,
    sinkRecordsMax: log.sink_records_max,
    parkedMax: supervision.parked_max,
    outputBytesMax: OUTPUT_BYTES_MAX,
    shardChildrenMax: supervision.shard_children_max,
    backoff: { initialMs: backoff.initial_ms, maxMs: backoff.max_ms, jitter: backoff.jitter },
    quarantine: policy(supervision.quarantine),
    ladder: {
      shard: policy(supervision.shard),
      market: policy(supervision.market),
      service: policy(supervision.service),
    },
    routerRestarts: policy(supervision.router),
  };
}

/** What is configured and cannot be done as written, one sentence each. */
export function unsupported(config: Config, markets: readonly MarketSpec[], options: StageOptions): string[] {
  const found = unsupportedNormalization(options.normalize);
  const hours = config.quality.validation.field_validation.delivery_hour?.max;
  if (hours === 24)
    found.push('field_validation.delivery_hour.max 24: read as 25, the repeated hour in fall');
  for (const { name, condition } of config.quality.validation.cross_field_validation) {
    if (CROSS_FIELD_CONDITIONS.includes(condition)) continue;
    const known = CROSS_FIELD_CONDITIONS.join(', ');
    found.push(`cross_field_validation '${name}': condition '${condition}' is not one of ${known}`);
  }
  for (const { market } of markets) {
    if (config.taxonomy.markets[market] === undefined)
      found.push(`enrichment_taxonomy has no market ${market}: the defaults apply`);
    if (config.quality.markets[market] === undefined)
      found.push(`data_quality_rules has no market ${market}: no ranges are checked`);
    const { price_ranges: prices = {} } = config.taxonomy.markets[market] ?? {};
    found.push(...gaps(`${market}.price_ranges`, classesOf(prices)));
  }
  return found;
}

function gaps(where: string, classes: readonly ValueClass[]): string[] {
  const found: string[] = [];
  const [lowest] = classes;
  if (lowest !== undefined && lowest.min >= 0)
    found.push(`${where}: no class is below 0: negative prices count as '${lowest.name}'`);
  for (const [index, each] of classes.entries()) {
    const next = classes[index + 1];
    if (next !== undefined && next.min > each.max)
      found.push(`${where}: nothing holds ${each.max}–${next.min}: such a price has no class`);
  }
  return found;
}
