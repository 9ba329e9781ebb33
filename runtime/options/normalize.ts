// normalization_rules.yaml, and `field_validation` of data_quality_rules.yaml, as normalization's options.

import type { MarketSpec } from '../../actors/domain/market.ts';
import { marketCalendar } from '../../actors/domain/operating-day.ts';
import { PRECISION_MAX } from '../../actors/normalize-number.ts';
import type { NormalizeOptions } from '../../actors/normalize-options.ts';
import type { Config } from '../../configs/load.ts';
import { byMarket } from './by-market.ts';

/** Hours of the longest operating day. */
export const HOURS_MAX = 25;
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** The operators' labels for the operating day and the hour ending. */
const LABELS = { operatingDay: ['OPR_DT', 'OPR_DATE'], hourEnding: ['OPR_HR', 'hour_ending'] };

export function normalizeOptions(config: Config, markets: readonly MarketSpec[]): NormalizeOptions {
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
        currency: of?.currency ?? global.default_currency,
        unit: of?.unit ?? global.default_unit,
        priceUnit: of?.price_unit ?? global.default_price_unit,
        fieldMappings: of?.field_mappings ?? {},
        transforms: (of?.transforms ?? []).map((each) => ({
          name: each.name,
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
    numericPrecision: Math.min(PRECISION_MAX, global.transformations.numeric_precision),
    recordBytesMax: RECORD_BYTES_MAX,
    tenantId: config.runtime.tenant_id,
  };
}

/** A market's day has the hours it has, up to 25 in fall: an older file's 24 would flag the repeated one. */
function hoursOf(field: string, max: number): number {
  return field === 'delivery_hour' ? HOURS_MAX : max;
}
