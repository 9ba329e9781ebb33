// The wire schema: what travels on the topics, as JSON, with the field names that other systems read.
// Times are whole microseconds since the epoch (`*_us`, occurred_at, interval_start …), prices $/MWh,
// quantities MWh. A field that is unknown is null, never 0 and never left to be guessed.

export const SCHEMA_VERSION = '1.0.0';

/**
 * On every event. `event_id` is a hash of the version's identity, so the same fact has the same id anywhere.
 */
export interface Envelope {
  readonly event_id: string;
  /** Equal on every hop of one raw record. */
  readonly trace_id: string;
  /** Event time: the start of the interval, or the time of the trade. Microseconds. */
  readonly occurred_at: number;
  readonly tenant_id: string;
  readonly schema_version: string;
  /** The service that wrote it, such as `normalization-service`. */
  readonly producer: string;
}

/** One observation as the operator published it, joined by the feed, values verbatim. */
export interface RawRecord extends Envelope {
  readonly data_type: 'lmp';
  readonly market: string;
  readonly run: string;
  readonly delivery_location: string;
  readonly interval_start: number;
  readonly interval_end: number;
  /** When the operator published this version; when it does not say, when the response was taken. */
  readonly publication: number;
  /** The operator's component name → the operator's text, such as `{"LMP":"81.90019","MCC":"-.16"}`. */
  readonly values: Readonly<Record<string, string>>;
  /** The operator's own labels, verbatim: operating day, hour ending, interval number. */
  readonly labels: Readonly<Record<string, string>>;
  readonly source: RawSource;
}

export interface RawSource {
  /** Feed that read it, such as `caiso.oasis.csv`. */
  readonly feed: string;
  /** File or endpoint it came from, without credentials. */
  readonly name: string;
  /** Hash of the whole response, hex SHA-256. */
  readonly sha256: string;
  /** Rows of the response (1 = first data row) that this observation was joined from. */
  readonly rows: readonly number[];
}

/**
 * A message of the calendar: event time of (market, run) has reached `advance_to`, whether or not an
 * instrument had data. Written to every partition; forwarded by normalization and enrichment; not a record in
 * the conservation ledger.
 */
export interface CalendarMessage extends Envelope {
  readonly data_type: 'calendar';
  readonly market: string;
  readonly run: string;
  readonly advance_to: number;
}

export type InstrumentType = 'trade' | 'curve' | 'market_price' | 'lmp';

/** A clean observation: what normalization writes to `normalized.market.ticks.v1`. */
export interface Tick extends Envelope {
  readonly market: string;
  readonly run: string;
  readonly instrument_id: string;
  readonly instrument_type: InstrumentType;
  readonly delivery_location: string;
  /** Operating day in the market's own zone, YYYY-MM-DD. */
  readonly delivery_date: string;
  /** Hour ending, 1–25 (25: the repeated hour of a fall day; 3 is absent in spring, CAISO). */
  readonly delivery_hour: number;
  readonly delivery_period: string;
  readonly interval_start: number;
  /** Exclusive. Equal to interval_start for a trade, which has no interval. */
  readonly interval_end: number;
  /** Identity of the version: (publication, version_hash). */
  readonly publication: number;
  /** Hash of the values, 16 hex digits. */
  readonly version_hash: string;
  /** Own identity of a trade; null for a price. */
  readonly trade_id: string | null;
  readonly price: number | null;
  readonly quantity: number | null;
  readonly bid_price: number | null;
  readonly offer_price: number | null;
  readonly clearing_price: number | null;
  readonly energy_price: number | null;
  readonly congestion_price: number | null;
  readonly loss_price: number | null;
  readonly ghg_price: number | null;
  readonly trade_type: string | null;
  readonly product_type: string | null;
  readonly market_type: string | null;
  readonly settlement_type: string | null;
  readonly currency: string;
  readonly unit: string;
  readonly price_unit: string;
  readonly quality_flags: readonly string[];
  readonly validation_errors: readonly string[];
  readonly normalization_metadata: Readonly<Record<string, unknown>>;
}

/** A tick with its meaning, as of arrival: what enrichment writes to `enriched.market.ticks.v1`. */
export interface EnrichedTick extends Omit<Tick, 'normalization_metadata'> {
  readonly semantic_tags: readonly string[];
  readonly taxonomy_class: string | null;
  readonly taxonomy_subclass: string | null;
  readonly market_segment: string | null;
  readonly geographic_region: string | null;
  readonly time_of_day_category: string | null;
  readonly seasonal_category: string | null;
  readonly volatility_category: string | null;
  readonly liquidity_category: string | null;
  readonly enrichment_metadata: Readonly<Record<string, unknown>>;
}

export type BarSize = '5M' | '15M' | '1H' | '1D';

export interface BarPayload {
  readonly market: string;
  readonly run: string;
  readonly instrument_id: string;
  readonly delivery_location: string;
  readonly delivery_date: string;
  readonly bar_type: 'daily' | 'hourly' | 'custom';
  readonly bar_size: BarSize;
  readonly bar_start: number;
  readonly bar_end: number;
  readonly open_price: number;
  readonly high_price: number;
  readonly low_price: number;
  readonly close_price: number;
  /** Σ quantity; 0 when no observation has one. */
  readonly volume: number;
  /** Σpq/Σq; null without volume. */
  readonly vwap: number | null;
  /** Mean of the prices weighted by the length of their intervals; null for trades. */
  readonly twap: number | null;
  readonly trade_count: number;
  /** Observations that the interval calendar expects; null where there is no calendar (trades). */
  readonly expected_count: number | null;
  readonly revision: number;
  readonly row_version: number;
  readonly complete: boolean;
  readonly final: boolean;
  readonly price_currency: string;
  readonly quantity_unit: string;
  /** Processing time, the one column that differs between equal runs. */
  readonly aggregation_timestamp: number;
}

export interface MetricPayload {
  readonly market: string;
  readonly run: string;
  readonly instrument_id: string;
  readonly delivery_location: string;
  readonly delivery_date: string;
  readonly metric_type: string;
  readonly window_size: number;
  /** End of the hour that the value is as of. */
  readonly hour_end: number;
  readonly metric_value: number;
  readonly metric_unit: string;
  readonly sample_count: number;
  readonly row_version: number;
  readonly calculation_timestamp: number;
}

export interface CurvePayload {
  readonly market: string;
  readonly run: string;
  readonly instrument_id: string;
  readonly location: string;
  readonly curve_type: 'spot_curve' | 'forward_curve' | 'trade_curve' | 'price_curve' | 'status_curve';
  readonly delivery_date: string;
  readonly delivery_hour: number;
  readonly hour_start: number;
  readonly price: number;
  readonly quantity: number | null;
  readonly price_currency: string;
  readonly quantity_unit: string;
  readonly row_version: number;
  readonly curve_metadata: Readonly<Record<string, unknown>>;
  readonly aggregation_timestamp: number;
}

export interface Aggregated<Payload> extends Envelope {
  readonly payload: Payload;
}

export type Severity = 'low' | 'medium' | 'high' | 'critical';

/** What data quality found: `data.quality.anomalies.v1`. As of arrival. */
export interface Anomaly extends Envelope {
  readonly anomaly_id: string;
  readonly anomaly_type: string;
  readonly anomaly_category: string;
  readonly severity: Severity;
  readonly status: 'open';
  readonly market: string | null;
  readonly connector: string | null;
  readonly service: string;
  readonly data_source: string | null;
  readonly instrument_id: string;
  readonly affected_records: readonly string[];
  readonly affected_fields: readonly string[];
  readonly expected_value: string | null;
  readonly actual_value: string | null;
  readonly threshold_value: number | null;
  readonly deviation_amount: number | null;
  readonly deviation_percentage: number | null;
  readonly confidence_score: number | null;
  readonly detection_method: string;
  readonly detection_algorithm: string;
  readonly detection_parameters: Readonly<Record<string, unknown>>;
  readonly time_window: string | null;
  readonly frequency: number | null;
  readonly first_occurrence: number | null;
  readonly last_occurrence: number | null;
  readonly description: string;
  readonly recommendations: readonly string[];
  readonly related_anomalies: readonly string[];
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** When the record was assessed; the windows of the quality report count from it. */
  readonly detected_at: number;
}

/** Quality of one record, each score 0–1: `data.quality.scores.v1`. */
export interface QualityScore extends Envelope {
  readonly market: string;
  readonly instrument_id: string;
  /** event_id of the tick that was assessed. */
  readonly tick_id: string;
  readonly connector: string | null;
  readonly quality_score: number;
  readonly completeness_score: number;
  readonly accuracy_score: number;
  readonly consistency_score: number;
  readonly timeliness_score: number;
  readonly validity_score: number;
  readonly valid: boolean;
  readonly anomaly_count: number;
  readonly assessed_at: number;
}

/** A record that was refused, with its reason and origin. The dead-letter topics and `GET /dead-letters`. */
export interface DeadLetter extends Envelope {
  readonly reason: string;
  readonly detail: string;
  readonly field: string | null;
  readonly service: string;
  readonly origin: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly key: string;
  };
  /** Body of the refused record as text, at most 64 KB of it; the whole of a larger one is in its chunks. */
  readonly original: string;
  readonly original_bytes: number;
  readonly original_sha256: string;
}

/** A piece of the body of a refused record that is too large for its dead letter. In bronze, all of them. */
export interface DeadLetterBody extends Envelope {
  /** `event_id` of the dead letter. */
  readonly letter_id: string;
  readonly service: string;
  readonly origin_topic: string;
  readonly origin_partition: number;
  readonly origin_offset: number;
  /** 0 is the first of `chunks`. */
  readonly chunk: number;
  readonly chunks: number;
  /** Base64 of the bytes as they were. */
  readonly body: string;
  readonly original_bytes: number;
  readonly original_sha256: string;
}
