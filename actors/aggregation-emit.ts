// Writes what aggregation found as wire records. Metrics are by far the most numerous (a score an hour and
// instrument), so their text is put together around a prefix that is escaped once an instrument.

import type { AggregationOptions, MarketPolicy } from './aggregation-options.ts';
import { type Bar, rowVersion } from './domain/bar.ts';
import { hash64 } from './domain/hash.ts';
import type { Instrument } from './domain/instrument.ts';
import type { MarketCalendar } from './domain/operating-day.ts';
import type { MetricValue } from './domain/rolling.ts';
import { type BarPayload, type CurvePayload, SCHEMA_VERSION } from './domain/wire.ts';
import { LineWriter } from './line-writer.ts';
import type { Emission } from './stage.ts';

const CURRENCY = 'USD';
const UNIT = 'MWh';
const BAR_TYPE = { '1D': 'daily', '1H': 'hourly', '15M': 'custom', '5M': 'custom' } as const;

export interface CurvePoint {
  readonly type: CurvePayload['curve_type'];
  readonly hourStartMs: number;
  readonly price: number;
  readonly quantity: number | null;
  readonly revision: number;
}

interface Label {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

const encoder = new TextEncoder();
const labels = new Map<string, Map<number, Label>>();

/** What a metric's record says of itself: as many as metrics and windows are configured. */
function labelOf(type: string, window: number, unit: string): Label {
  const known = labels.get(type)?.get(window);
  if (known !== undefined) return known;
  const own = `"metric_type":"${type}","window_size":${window},"metric_unit":"${unit}","metric_value":`;
  const label = { first: encoder.encode(own), last: encoder.encode(`-${type}-${window}"}`) };
  const windows = labels.get(type) ?? new Map<number, Label>();
  labels.set(type, windows.set(window, label));
  return label;
}

/** Writes the records of one instrument. */
export class Emitter {
  readonly #id: string;
  readonly #instrument: Instrument;
  readonly #options: AggregationOptions;
  readonly #policy: MarketPolicy;
  readonly #calendar: MarketCalendar;
  readonly #envelope: string;
  readonly #metricPrefix: string;

  constructor(
    id: string,
    instrument: Instrument,
    options: AggregationOptions,
    policy: MarketPolicy,
    calendar: MarketCalendar,
  ) {
    this.#id = id;
    this.#instrument = instrument;
    this.#options = options;
    this.#policy = policy;
    this.#calendar = calendar;
    const { market, run, location } = instrument;
    const own = { market, run, instrument_id: id, delivery_location: location };
    this.#metricPrefix = JSON.stringify(own).slice(1, -1);
    const { tenantId, producer } = options;
    const common = { tenant_id: tenantId, schema_version: SCHEMA_VERSION, producer };
    this.#envelope = JSON.stringify(common).slice(1, -1);
  }

  bar(bar: Bar, final: boolean, traceId: string, nowMs: number): Emission {
    const { market, run, location } = this.#instrument;
    const version = rowVersion(this.#options.epoch, bar.revision, final);
    const expected = this.#expected(bar.startMs, bar.endMs);
    const payload: BarPayload = {
      market,
      run,
      instrument_id: this.#id,
      delivery_location: location,
      delivery_date: this.#calendar.dayOf(bar.startMs).date,
      bar_type: BAR_TYPE[bar.size],
      bar_size: bar.size,
      bar_start: bar.startMs * 1_000,
      bar_end: bar.endMs * 1_000,
      open_price: bar.open,
      high_price: bar.high,
      low_price: bar.low,
      close_price: bar.close,
      volume: bar.volume,
      vwap: bar.vwap,
      twap: bar.twap,
      trade_count: bar.count,
      expected_count: expected,
      revision: bar.revision,
      row_version: version,
      complete: expected === null ? final : bar.count >= expected,
      final,
      price_currency: CURRENCY,
      quantity_unit: UNIT,
      aggregation_timestamp: nowMs * 1_000,
    };
    const eventId = hash64(`${this.#id}|${bar.size}|${bar.startMs}|${version}`);
    return { to: 'bars', value: this.#record(eventId, traceId, bar.startMs, JSON.stringify(payload)) };
  }

  /** One record a metric, all of an hour as lines; `revision` is that of the hour. */
  metrics(
    hourEndMs: number,
    revision: number,
    values: readonly MetricValue[],
    traceId: string,
    nowMs: number,
    out: Emission[],
  ): void {
    const version = rowVersion(this.#options.epoch, revision, false);
    const hash = hash64(`${this.#id}|metrics|${hourEndMs}|${version}`);
    const date = this.#calendar.dayOf(hourEndMs - 1).date;
    const end = hourEndMs * 1_000;
    const lines = new LineWriter(
      `{"trace_id":"${traceId}","occurred_at":${end},${this.#envelope},"payload":{${this.#metricPrefix},` +
        `"delivery_date":"${date}","hour_end":${end},"row_version":${version},` +
        `"calculation_timestamp":${nowMs * 1_000},`,
    );
    for (const { type, window, value, unit, samples } of values) {
      const { first, last } = labelOf(type, window, unit);
      lines.add(first, `${value},"sample_count":${samples}},"event_id":"${hash}`, last);
    }
    if (values.length > 0) out.push({ to: 'metrics', value: lines.finish() });
  }

  point(point: CurvePoint, traceId: string, nowMs: number): Emission {
    const { market, run, location } = this.#instrument;
    const version = rowVersion(this.#options.epoch, point.revision, false);
    const payload: CurvePayload = {
      market,
      run,
      instrument_id: this.#id,
      location,
      curve_type: point.type,
      delivery_date: this.#calendar.dayOf(point.hourStartMs).date,
      delivery_hour: this.#calendar.hourEnding(point.hourStartMs),
      hour_start: point.hourStartMs * 1_000,
      price: point.price,
      quantity: point.quantity,
      price_currency: CURRENCY,
      quantity_unit: UNIT,
      row_version: version,
      curve_metadata: { revision: point.revision },
      aggregation_timestamp: nowMs * 1_000,
    };
    const eventId = hash64(`${this.#id}|${point.type}|${point.hourStartMs}|${version}`);
    return {
      to: 'curves',
      value: this.#record(eventId, traceId, point.hourStartMs, JSON.stringify(payload)),
    };
  }

  #record(eventId: string, traceId: string, atMs: number, payload: string): string {
    const head = `{"event_id":"${eventId}","trace_id":"${traceId}","occurred_at":${atMs * 1_000}`;
    return `${head},${this.#envelope},"payload":${payload}}`;
  }

  /** Observations that the calendar expects between two instants; null for a run without one. */
  #expected(fromMs: number, toMs: number): number | null {
    const { spec } = this.#policy;
    const stepMs = (spec.runs[this.#instrument.run]?.intervalMinutes ?? 0) * 60_000;
    if (stepMs <= 0) return null;
    let expected = 0;
    for (let at = fromMs; at < toMs; at += stepMs)
      if (spec.expects(this.#instrument.location, at)) expected += 1;
    return expected;
  }
}
