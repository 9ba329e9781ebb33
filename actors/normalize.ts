// Normalization: raw records → clean ticks, one by one and without state. Operators' records come joined by a
// feed with their text verbatim; other producers' JSON is mapped by the market's field mappings. Never throws
// for bad input; a tick's labels are computed from its time, and an operator's label that disagrees is
// flagged and not believed.

import { type CalendarNews, readCalendar } from './calendar.ts';
import { hash64, hash128 } from './domain/hash.ts';
import { checkInstrument, instrumentId } from './domain/instrument.ts';
import { isRejection, type Rejection, reject } from './domain/rejection.ts';
import { toMs } from './domain/time.ts';
import { SCHEMA_VERSION, type Tick } from './domain/wire.ts';
import { decodeObject, type JsonObject } from './normalize-decode.ts';
import { FieldReader } from './normalize-fields.ts';
import { genericDraft } from './normalize-generic.ts';
import { lmpDraft } from './normalize-lmp.ts';
import type { NormalizeMarket, NormalizeOptions } from './normalize-options.ts';
import { VALUE_FIELDS, type ValueField } from './normalize-options.ts';
import { checkRules } from './normalize-rules.ts';
import { runOf } from './runs.ts';

export type Normalized =
  | { readonly kind: 'tick'; readonly tick: Tick }
  | { readonly kind: 'calendar'; readonly news: CalendarNews }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

export type Values = Readonly<Record<ValueField, number | null>>;

/** What a reader of one kind of record found, before rules and labels. */
export interface Draft {
  readonly instrumentType: Tick['instrument_type'];
  readonly run: string;
  readonly location: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly publication: number;
  readonly tradeId: string | null;
  readonly values: Values;
  /** Operating day and hour ending as the record labels them; null: it does not. */
  readonly labels: { readonly date: string | null; readonly hourEnding: number | null };
  readonly texts: Readonly<
    Record<
      'trade_type' | 'product_type' | 'currency' | 'unit' | 'price_unit' | 'delivery_period',
      string | null
    >
  >;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** `appendedMs`: when the record was put on the topic; the publication of records that name none. */
export function normalize(value: Uint8Array, appendedMs: number, options: NormalizeOptions): Normalized {
  const decoded = decodeObject(value, options.recordBytesMax);
  if ('rejection' in decoded) return { kind: 'rejected', rejection: decoded.rejection };
  const { object } = decoded;
  if (object.data_type === 'calendar') {
    const news = readCalendar(value);
    if (news !== null) return { kind: 'calendar', news };
    const detail = 'a calendar message has market, run and advance_to (microseconds)';
    return { kind: 'rejected', rejection: reject('wrong_type', detail) };
  }
  const tick = tickOf(object, appendedMs, options);
  return isRejection(tick) ? { kind: 'rejected', rejection: tick } : { kind: 'tick', tick };
}

function tickOf(record: JsonObject, appendedMs: number, options: NormalizeOptions): Tick | Rejection {
  const name = typeof record.market === 'string' ? record.market.toUpperCase() : '';
  const market = options.markets.get(name);
  if (market === undefined) {
    const known = [...options.markets.keys()].join(', ');
    return reject('unknown_market', `market is '${name.slice(0, 40)}'; known are ${known}`, 'market');
  }
  const reader = new FieldReader(record, {
    allowNullValues: options.validation.allowNullValues,
    numericPrecision: options.numericPrecision,
    numericText: () => true,
  });
  const draft =
    record.data_type === 'lmp' ? lmpDraft(reader, market) : genericDraft(reader, market, appendedMs);
  if (isRejection(draft)) return draft;
  const rejection = reader.rejection ?? checkDraft(draft, market);
  return rejection ?? finish(record, draft, reader, market, options);
}

function checkDraft(draft: Draft, { spec }: NormalizeMarket): Rejection | null {
  if (runOf(spec, draft.run) === null) {
    const known = Object.keys(spec.runs).join(', ');
    return reject('unknown_run', `run is '${draft.run.slice(0, 40)}'; ${spec.market} has ${known}`, 'run');
  }
  if (draft.endUs < draft.startUs)
    return reject('bad_interval', 'interval_end is before interval_start', 'interval_end');
  if (draft.endUs === draft.startUs && draft.tradeId === null) {
    return reject('bad_interval', 'a price needs an interval that has a length', 'interval_end');
  }
  if (draft.endUs - draft.startUs > DAY_US) {
    return reject('bad_interval', 'an interval is at most an operating day of 25 hours', 'interval_end');
  }
  return checkInstrument({ market: spec.market, run: draft.run, location: draft.location });
}

const DAY_US = 25 * 3_600_000_000;

function finish(
  record: JsonObject,
  draft: Draft,
  reader: FieldReader,
  market: NormalizeMarket,
  options: NormalizeOptions,
): Tick | Rejection {
  const { spec, calendar } = market;
  const startMs = toMs(draft.startUs);
  const date = calendar.operatingDay(startMs);
  const hour = calendar.hourEnding(startMs);
  const checked = {
    ...draft.values,
    ...draft.texts,
    market: spec.market,
    run: draft.run,
    delivery_location: draft.location,
    delivery_date: date,
    delivery_hour: hour,
    trade_id: draft.tradeId,
  };
  const findings = checkRules(checked, options);
  if (isRejection(findings)) return findings;
  const flags = [...reader.flags, ...findings.flags, ...mislabelled(draft, date, hour)];
  if (options.validation.strictMode && flags.length > 0) {
    return reject('validation_rule', `strict mode refuses what would be flagged: ${flags.join(', ')}`);
  }
  const id = instrumentId({ market: spec.market, run: draft.run, location: draft.location });
  const versionHash = hash64(VALUE_FIELDS.map((field) => draft.values[field] ?? '').join('|'));
  const identity = `${id}|${draft.startUs}|${draft.tradeId ?? ''}|${draft.publication}|${versionHash}`;
  const eventId = hash128(identity);
  const run = runOf(spec, draft.run);
  return {
    event_id: eventId,
    trace_id: traceOf(record) ?? eventId,
    occurred_at: draft.startUs,
    tenant_id: typeof record.tenant_id === 'string' ? record.tenant_id.slice(0, 64) : options.tenantId,
    schema_version: SCHEMA_VERSION,
    producer: 'normalization-service',
    market: spec.market,
    run: draft.run,
    instrument_id: id,
    instrument_type: draft.instrumentType,
    delivery_location: draft.location,
    delivery_date: date,
    delivery_hour: hour,
    delivery_period: draft.texts.delivery_period ?? periodOf(draft),
    interval_start: draft.startUs,
    interval_end: draft.endUs,
    publication: draft.publication,
    version_hash: versionHash,
    trade_id: draft.tradeId,
    ...draft.values,
    trade_type: draft.texts.trade_type,
    product_type: draft.texts.product_type,
    market_type: draft.run,
    settlement_type: run === null || run.settlement === 'none' ? null : run.settlement,
    currency: draft.texts.currency ?? market.currency,
    unit: draft.texts.unit ?? market.unit,
    price_unit: draft.texts.price_unit ?? market.priceUnit,
    quality_flags: flags,
    validation_errors: findings.errors,
    normalization_metadata: draft.metadata,
  };
}

function mislabelled(draft: Draft, date: string, hour: number): string[] {
  const { labels } = draft;
  const wrongDate = labels.date !== null && labels.date !== date;
  const wrongHour = labels.hourEnding !== null && labels.hourEnding !== hour;
  return wrongDate || wrongHour ? ['label_mismatch'] : [];
}

function periodOf({ startUs, endUs }: Draft): string {
  const minutes = (endUs - startUs) / 60_000_000;
  return minutes === 0 ? 'PT0S' : `PT${minutes}M`;
}

const TRACE = /^[0-9A-Za-z_-]{1,64}$/;

function traceOf(record: JsonObject): string | null {
  const { trace_id, event_id } = record;
  if (typeof trace_id === 'string' && TRACE.test(trace_id)) return trace_id;
  return typeof event_id === 'string' && TRACE.test(event_id) ? event_id : null;
}
