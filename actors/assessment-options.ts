// What data quality is told, in the words of data_quality_rules.yaml.

import type { MarketSpec } from './domain/market.ts';
import type { Severity } from './domain/wire.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly warningThreshold: number;
}

export interface MarketRules {
  readonly spec: MarketSpec;
  /** Open to infinity in a market without rules. */
  readonly price: Range;
  readonly quantity: Range;
  readonly requiredFields: readonly string[];
  readonly dataFreshnessMs: number;
  /** Its ticks come from live feeds: only then is lateness a fault. */
  readonly live: boolean;
}

export interface CrossFieldRule {
  readonly name: string;
  readonly condition: string;
  readonly severity: Severity;
  readonly tolerance: number;
}

export interface AssessmentOptions {
  readonly markets: ReadonlyMap<string, MarketRules>;
  readonly detection: {
    readonly priceSpikeThreshold: number;
    readonly priceSpikeHigh: number;
    readonly priceSpikeCritical: number;
    readonly volumeSpikeThreshold: number;
    readonly volumeSpikeHigh: number;
    readonly missingWindowMs: number;
    readonly missingSeverity: Severity;
    readonly outlierThreshold: number;
    readonly outlierMethod: 'iqr' | 'zscore';
    readonly duplicateWindowMs: number;
    readonly duplicateSeverity: Severity;
    readonly minSamples: number;
    readonly priceBuffer: number;
    readonly volumeBuffer: number;
  };
  readonly features: {
    readonly priceSpike: boolean;
    readonly volume: boolean;
    readonly missing: boolean;
    readonly schemaDrift: boolean;
    readonly duplicate: boolean;
    readonly outlier: boolean;
    readonly validation: boolean;
  };
  readonly crossField: readonly CrossFieldRule[];
  readonly tenantId: string;
}

/** Conditions of `cross_field_validation` that can be checked; others are said at start to be unsupported. */
export const CROSS_FIELD_CONDITIONS: readonly string[] = ['lmp_equals_components', 'price_within_bid_offer'];
