// What enrichment is told: the taxonomy of each market and which enrichments are on, in the words of
// enrichment_taxonomy.yaml.

import type { MarketSpec } from './domain/market.ts';
import type { InstrumentType } from './domain/wire.ts';

/** A class holds values in [min, max); the first also what is below it, the last what is above. */
export interface ValueClass {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly tags: readonly string[];
}

/** Local hours [start, end); where several hold an hour the shortest wins. */
export interface TimePeriod {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly tags: readonly string[];
}

export type LocationKind = 'hub' | 'node' | 'default';

export interface MarketTaxonomy {
  readonly spec: MarketSpec;
  /** Null for a market that the taxonomy does not name. */
  readonly region: string | null;
  readonly instruments: Readonly<Record<Exclude<InstrumentType, 'lmp'>, readonly string[]>>;
  readonly locations: Readonly<Record<LocationKind, readonly string[]>>;
  /** Disjoint, ascending; so the quantity classes. */
  readonly priceClasses: readonly ValueClass[];
  readonly quantityClasses: readonly ValueClass[];
  readonly periods: readonly TimePeriod[];
}

export interface EnrichmentOptions {
  readonly markets: ReadonlyMap<string, MarketTaxonomy>;
  readonly apply: {
    readonly taxonomy: boolean;
    readonly semanticTags: boolean;
    readonly geospatial: boolean;
    readonly metadata: boolean;
  };
  readonly tagging: {
    readonly marketSpecific: boolean;
    readonly dataTypeSpecific: boolean;
    readonly priceBased: boolean;
    readonly quantityBased: boolean;
    readonly timeBased: boolean;
    readonly locationBased: boolean;
  };
  /** Tags of a thing that the market's own taxonomy says nothing of. */
  readonly defaults: {
    readonly instruments: readonly string[];
    readonly locations: readonly string[];
    readonly priceRanges: readonly string[];
    readonly quantityRanges: readonly string[];
    readonly timePeriods: readonly string[];
  };
}
