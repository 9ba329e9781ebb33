// enrichment_taxonomy.yaml.

import { z } from 'zod';
import { qualityShares, statusTags } from './schema-advisory.ts';
import { texts } from './schema-parts.ts';

const valueClass = z
  .strictObject({ min: z.number(), max: z.number(), tags: texts.default([]) })
  .refine((of) => of.min < of.max, { message: 'min is not below max', path: ['min'] });

const classes = z.record(z.string(), valueClass).refine(disjoint, 'classes overlap: each holds [min, max)');

function disjoint(of: Readonly<Record<string, { min: number; max: number }>>): boolean {
  const sorted = Object.values(of).sort((a, b) => a.min - b.min);
  return sorted.every((each, n) => n === 0 || each.min >= (sorted[n - 1]?.max ?? each.min));
}

const hour = z.int().min(0).max(24);
const period = z
  .strictObject({ start: hour, end: hour, tags: texts.default([]) })
  .refine((of) => of.start < of.end, { message: 'start is not before end', path: ['start'] });

const market = z.strictObject({
  region: z.string(),
  timezone: z.string().optional(),
  currency: z.string().optional(),
  unit: z.string().optional(),
  price_unit: z.string().optional(),
  instruments: z
    .strictObject({
      trade: texts.default([]),
      curve: texts.default([]),
      market_price: texts.default([]),
      system_status: statusTags,
    })
    .prefault({}),
  locations: z
    .strictObject({ hub: texts.default([]), node: texts.default([]), default: texts.default([]) })
    .prefault({}),
  price_ranges: classes.default({}),
  quantity_ranges: classes.default({}),
  time_periods: z.record(z.string(), period).default({}),
});

const on = z.boolean().default(true);
const said = z.boolean().optional();

export const taxonomy = z.strictObject({
  markets: z.record(z.string(), market).default({}),
  global: z
    .strictObject({
      default_taxonomy: z
        .strictObject({
          instruments: texts.default([]),
          locations: texts.default([]),
          price_ranges: texts.default([]),
          quantity_ranges: texts.default([]),
          time_periods: texts.default([]),
        })
        .prefault({}),
      quality_thresholds: qualityShares,
      enrichment_rules: z
        .strictObject({
          apply_taxonomy: on,
          apply_semantic_tags: on,
          apply_geospatial: on,
          apply_metadata: on,
          cache_enabled: said,
          cache_ttl: z.number().nonnegative().optional(),
        })
        .prefault({}),
      semantic_tagging: z
        .strictObject({
          market_specific: on,
          data_type_specific: on,
          price_based: on,
          quantity_based: on,
          time_based: on,
          location_based: on,
        })
        .prefault({}),
      geospatial: z
        .strictObject({
          enabled: on,
          coordinate_precision: z.int().nonnegative().optional(),
          region_mapping: said,
          timezone_mapping: said,
        })
        .prefault({}),
      metadata: z
        .strictObject({
          enabled: on,
          data_quality_metrics: said,
          business_context: said,
          technical_context: said,
          temporal_context: said,
        })
        .prefault({}),
    })
    .prefault({}),
});

export type Taxonomy = z.output<typeof taxonomy>;
