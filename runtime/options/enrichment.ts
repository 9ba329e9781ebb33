// enrichment_taxonomy.yaml as enrichment's options.

import type { MarketSpec } from '../../actors/domain/market.ts';
import type { EnrichmentOptions, MarketTaxonomy, ValueClass } from '../../actors/enrichment-options.ts';
import type { Config } from '../../configs/load.ts';
import { byMarket } from './by-market.ts';

export function classesOf(of: Readonly<Record<string, Omit<ValueClass, 'name'>>>): ValueClass[] {
  const classes = Object.entries(of).map(([name, each]) => ({ name, ...each }));
  return classes.sort((a, b) => a.min - b.min);
}

export function enrichmentOptions(config: Config, markets: readonly MarketSpec[]): EnrichmentOptions {
  const { global, markets: taxonomies } = config.taxonomy;
  const { enrichment_rules: rules, semantic_tagging: tagging, default_taxonomy: defaults } = global;
  return {
    markets: byMarket(markets, (spec) => {
      const of = taxonomies[spec.market];
      if (of === undefined) return noTaxonomy(spec);
      return {
        spec,
        region: of.region,
        instruments: {
          trade: of.instruments.trade,
          curve: of.instruments.curve,
          market_price: of.instruments.market_price,
        },
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
    region: null,
    instruments: { trade: [], curve: [], market_price: [] },
    locations: { hub: [], node: [], default: [] },
    priceClasses: [],
    quantityClasses: [],
    periods: [],
  };
}
