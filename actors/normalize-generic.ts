// Other producers' JSON: trades, curves and prices, with their own field names mapped by the market's
// `field_mappings`. Time comes from occurred_at, from an interval, or from the operating day and hour ending
// in the market's own zone.

import { type Rejection, reject } from './domain/rejection.ts';
import { toUs } from './domain/time.ts';
import type { Draft, Values } from './normalize.ts';
import { type JsonObject, kindOf } from './normalize-decode.ts';
import { FieldReader } from './normalize-fields.ts';
import { NO_VALUES } from './normalize-lmp.ts';
import { type NormalizeMarket, VALUE_FIELDS, type ValueField } from './normalize-options.ts';

const RUN_OF_TYPE = { trade: 'TRADE', curve: 'CURVE', market_price: 'SPOT' } as const;
type GenericType = keyof typeof RUN_OF_TYPE;

const HOUR_US = 3_600_000_000;

export function genericDraft(
  original: FieldReader,
  market: NormalizeMarket,
  appendedMs: number,
): Draft | Rejection {
  const type = typeOf(original.record);
  if (type === null) {
    const found = kindOf(original.record.data_type);
    const detail = `data_type is ${found}; expected lmp, trade, curve or market_price`;
    return reject('unknown_data_type', detail, 'data_type');
  }
  const reader = new FieldReader(mapped(original.record, market.fieldMappings), original.settings);
  const missing = requiredBy(reader, market);
  if (missing !== null) return missing;
  const time = timeOf(reader, market, type);
  if ('reason' in time) return time;
  const values = valuesOf(reader);
  const own = reader.optionalText('trade_id') ?? reader.optionalText('event_id');
  if (type === 'trade' && own === null)
    reader.fail(reject('missing_field', 'a trade needs trade_id or event_id'));
  if (values.price === null) reader.fail(reject('missing_field', 'price is absent; it is required', 'price'));
  const location = reader.text('delivery_location');
  const publication = reader.optionalInstantUs('publication') ?? reader.optionalInstantUs('published_at');
  const draft: Draft = {
    instrumentType: type,
    run: runNameOf(reader, market, type),
    location,
    ...time,
    publication: publication ?? (type === 'trade' ? time.startUs : toUs(appendedMs)),
    tradeId: type === 'trade' ? own : null,
    values,
    labels: {
      date: reader.optionalText('delivery_date'),
      hourEnding: reader.optionalInteger('delivery_hour'),
    },
    texts: {
      trade_type: reader.optionalText('trade_type'),
      product_type: reader.optionalText('product_type'),
      currency: reader.optionalText('currency'),
      unit: reader.optionalText('unit'),
      price_unit: reader.optionalText('price_unit'),
      delivery_period: reader.optionalText('delivery_period'),
    },
    metadata: { raw_event_id: reader.optionalText('event_id'), producer: reader.optionalText('producer') },
  };
  original.flags.push(...reader.flags);
  return reader.rejection ?? draft;
}

function typeOf(record: JsonObject): GenericType | null {
  const { data_type } = record;
  return data_type === 'trade' || data_type === 'curve' || data_type === 'market_price' ? data_type : null;
}

/** The record with its mapped fields under our names; a field that already has our name wins. */
function mapped(record: JsonObject, mappings: Readonly<Record<string, string>>): JsonObject {
  const out: Record<string, unknown> = { ...record };
  for (const [from, to] of Object.entries(mappings)) {
    if (Object.hasOwn(record, from) && !Object.hasOwn(record, to)) out[to] = record[from];
  }
  return out;
}

function requiredBy(reader: FieldReader, market: NormalizeMarket): Rejection | null {
  for (const { requiredFields } of market.transforms) {
    for (const field of requiredFields ?? []) {
      if (!reader.has(field))
        return reject('missing_field', `${field} is absent; a transform requires it`, field);
    }
  }
  return null;
}

function runNameOf(reader: FieldReader, market: NormalizeMarket, type: GenericType): string {
  const named = reader.optionalText('run');
  if (named !== null) return named;
  const marketType = reader.optionalText('market_type');
  if (marketType !== null && Object.hasOwn(market.spec.runs, marketType)) return marketType;
  return RUN_OF_TYPE[type];
}

interface Stretch {
  readonly startUs: number;
  readonly endUs: number;
}

function timeOf(reader: FieldReader, market: NormalizeMarket, type: GenericType): Stretch | Rejection {
  const occurred = reader.optionalInstantUs('occurred_at');
  const start = reader.optionalInstantUs('interval_start');
  const end = reader.optionalInstantUs('interval_end');
  const hour = hourOf(reader, market);
  if (reader.rejection !== null) return reader.rejection;
  if (type === 'trade') {
    const at = occurred ?? start ?? hour;
    return at === null ? noTime() : { startUs: at, endUs: at };
  }
  if (start !== null) return { startUs: start, endUs: end ?? start + HOUR_US };
  if (hour !== null) return { startUs: hour, endUs: hour + HOUR_US };
  return occurred === null ? noTime() : { startUs: occurred, endUs: occurred + HOUR_US };
}

function noTime(): Rejection {
  const detail = 'no time: give interval_start, delivery_date with delivery_hour, or occurred_at';
  return reject('missing_field', detail, 'interval_start');
}

/** Start of the hour that delivery_date and delivery_hour name; null when they are not both there. */
function hourOf(reader: FieldReader, market: NormalizeMarket): number | null {
  const date = reader.optionalText('delivery_date');
  const hourEnding = reader.optionalInteger('delivery_hour');
  if (date === null || hourEnding === null) return null;
  const startMs = market.calendar.hourStart(date, hourEnding);
  if (startMs === null) {
    const detail = `${date} has no hour ending ${hourEnding} in ${market.spec.market}`;
    reader.fail(reject('bad_time', detail, 'delivery_hour'));
    return null;
  }
  return toUs(startMs);
}

function valuesOf(reader: FieldReader): Values {
  const out: Record<ValueField, number | null> = { ...NO_VALUES };
  for (const field of VALUE_FIELDS) out[field] = reader.decimal(field);
  return out;
}
