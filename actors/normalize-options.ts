// What normalization is told: the keys of normalization_rules.yaml and of `validation` in
// data_quality_rules.yaml, in camel case, with each market's specification and calendar beside them. Defaults
// are the loader's.

import type { MarketSpec } from './domain/market.ts';

/** Labels of instants in a market's own zone. */
export interface MarketCalendar {
  /** Operating day that holds the instant, YYYY-MM-DD. */
  operatingDay(ms: number): string;
  /** Hour ending that holds the instant, 1–25. */
  hourEnding(ms: number): number;
  /** Start of that hour; null when the day has no such hour. */
  hourStart(day: string, hourEnding: number): number | null;
}

export interface Transform {
  readonly name: string;
  readonly requiredFields?: readonly string[];
  readonly targetTimezone?: string;
}

export interface FieldRule {
  readonly type: 'numeric' | 'integer' | 'string';
  readonly required: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly format?: string;
}

export interface NormalizeMarket {
  readonly spec: MarketSpec;
  readonly calendar: MarketCalendar;
  /** The operator's labels that name the operating day and the hour ending, such as `OPR_DT`, `OPR_HR`. */
  readonly labels: { readonly operatingDay: readonly string[]; readonly hourEnding: readonly string[] };
  readonly currency: string;
  readonly unit: string;
  readonly priceUnit: string;
  /** Other producers' field name → ours. */
  readonly fieldMappings: Readonly<Record<string, string>>;
  readonly transforms: readonly Transform[];
}

export interface NormalizeOptions {
  readonly markets: ReadonlyMap<string, NormalizeMarket>;
  readonly validation: {
    /** What would be a flag refuses the record. */
    readonly strictMode: boolean;
    readonly allowNullValues: boolean;
    /** Ranges and formats of `fieldValidation` are checked. */
    readonly validateSchemas: boolean;
    /** `required` of `fieldValidation` and `requiredFields` of the transforms are checked. */
    readonly checkRequiredFields: boolean;
  };
  readonly fieldValidation: Readonly<Record<string, FieldRule>>;
  /** Decimal places of values, 0–6. */
  readonly numericPrecision: number;
  /** Largest record that is read, bytes. */
  readonly recordBytesMax: number;
  /** Tenant of records that name none. */
  readonly tenantId: string;
}

/** Values that a record may carry, by their name on the tick. */
export const VALUE_FIELDS = [
  'price',
  'quantity',
  'bid_price',
  'offer_price',
  'clearing_price',
  'energy_price',
  'congestion_price',
  'loss_price',
  'ghg_price',
] as const;

export type ValueField = (typeof VALUE_FIELDS)[number];

const OTHER_FIELDS = [
  'event_id',
  'trace_id',
  'tenant_id',
  'occurred_at',
  'market',
  'run',
  'market_type',
  'delivery_location',
  'delivery_date',
  'delivery_hour',
  'delivery_period',
  'interval_start',
  'interval_end',
  'publication',
  'published_at',
  'trade_id',
  'trade_type',
  'product_type',
  'settlement_type',
  'currency',
  'unit',
  'price_unit',
  'schema_version',
  'producer',
];

/** Fields that `field_validation` can check, and what they always are. */
const CHECKED_FIELDS: Readonly<Record<string, FieldRule['type']>> = {
  ...Object.fromEntries(VALUE_FIELDS.map((field) => [field, 'numeric' as const])),
  market: 'string',
  run: 'string',
  delivery_location: 'string',
  delivery_date: 'string',
  delivery_hour: 'integer',
  trade_id: 'string',
  trade_type: 'string',
  product_type: 'string',
  currency: 'string',
  unit: 'string',
  price_unit: 'string',
  delivery_period: 'string',
};

const READ_FIELDS: ReadonlySet<string> = new Set([...VALUE_FIELDS, ...OTHER_FIELDS]);
const TRANSFORMS: ReadonlySet<string> = new Set([
  'sanitize_numeric',
  'standardize_timezone',
  'validate_required_fields',
]);

/** What the options ask for and normalization cannot do, one sentence each, to be said at start. */
export function unsupportedNormalization(options: NormalizeOptions): string[] {
  const found: string[] = [];
  for (const [name, market] of options.markets) {
    for (const transform of market.transforms) found.push(...unsupportedTransform(name, transform));
    for (const [from, to] of Object.entries(market.fieldMappings)) {
      if (!READ_FIELDS.has(to))
        found.push(`markets.${name}.field_mappings.${from}: no field '${to}' is read`);
    }
  }
  for (const [field, rule] of Object.entries(options.fieldValidation)) {
    found.push(...unsupportedRule(`field_validation.${field}`, CHECKED_FIELDS[field], rule));
  }
  return found;
}

function unsupportedRule(where: string, type: FieldRule['type'] | undefined, rule: FieldRule): string[] {
  if (type === undefined) return [`${where}: has no effect: no such field of a tick is checked`];
  const found: string[] = [];
  if (rule.type !== type) found.push(`${where}.type '${rule.type}' has no effect: it is always ${type}`);
  if (type === 'string' && (rule.min !== undefined || rule.max !== undefined)) {
    found.push(`${where}: min and max have no effect: they are checked of numbers`);
  }
  if (rule.format !== undefined && (rule.format !== 'YYYY-MM-DD' || type !== 'string')) {
    found.push(`${where}.format '${rule.format}' has no effect: only YYYY-MM-DD of text is checked`);
  }
  return found;
}

function unsupportedTransform(market: string, transform: Transform): string[] {
  const where = `markets.${market}.transforms '${transform.name}'`;
  if (!TRANSFORMS.has(transform.name)) return [`${where}: unknown`];
  const { targetTimezone } = transform;
  if (targetTimezone === undefined || targetTimezone === 'UTC') return [];
  return [`${where}: target_timezone '${targetTimezone}'; times are always UTC`];
}
