// Records of each topic as the services write them, with any field replaced: what projection is fed in tests.

import type {
  Aggregated,
  Anomaly,
  BarPayload,
  CurvePayload,
  Envelope,
  MetricPayload,
  QualityScore,
  RawRecord,
  Tick,
} from '../../actors/domain/wire.ts';
import type { Rows } from '../../sinks/sink.ts';

/** 2022-09-01T07:00:00Z, the first interval of a CAISO operating day, microseconds. */
export const START_US = 1_662_015_600_000_000;
export const HOUR_US = 3_600_000_000;

const encoder = new TextEncoder();

/** Records as the sink is given them; a text stands for itself. */
export function rowsOf(topic: string, records: readonly unknown[], token: string): Rows {
  const texts = records.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  return {
    topic,
    count: texts.length,
    lines: () => texts.map((text) => ({ bytes: encoder.encode(`${text}\n`), zstd: false })),
    values: () => texts.map((text) => encoder.encode(text)),
    token,
  };
}

function envelope(producer: string): Envelope {
  return {
    event_id: 'e0e0e0e0e0e0e0e0',
    trace_id: 't0t0t0t0t0t0t0t0',
    occurred_at: START_US,
    tenant_id: 'default',
    schema_version: '1.0.0',
    producer,
  };
}

const place = { market: 'CAISO', run: 'RTPD', delivery_location: 'TH_SP15_GEN-APND' };
const instrument = { ...place, instrument_id: 'CAISO:RTPD:TH_SP15_GEN-APND' };

export function rawRecord(of: Partial<RawRecord> = {}): RawRecord {
  return {
    ...envelope('connector.caiso'),
    data_type: 'lmp',
    ...place,
    interval_start: START_US,
    interval_end: START_US + HOUR_US / 4,
    publication: START_US,
    values: { LMP: '81.90019', MCC: '-.16' },
    labels: { OPR_DT: '2022-09-01', OPR_HR: '1' },
    source: { feed: 'caiso.oasis.csv', name: 'file.csv', sha256: 'ab', rows: [1, 2] },
    ...of,
  };
}

export function tick(of: Partial<Tick> = {}): Tick {
  return {
    ...envelope('normalization-service'),
    ...instrument,
    instrument_type: 'lmp',
    delivery_date: '2022-09-01',
    delivery_hour: 1,
    delivery_period: 'hourly',
    interval_start: START_US,
    interval_end: START_US + HOUR_US / 4,
    publication: START_US,
    version_hash: '0123456789abcdef',
    trade_id: null,
    price: 81.90019,
    quantity: null,
    bid_price: null,
    offer_price: null,
    clearing_price: null,
    energy_price: 82.06019,
    congestion_price: -0.16,
    loss_price: 0,
    ghg_price: null,
    trade_type: null,
    product_type: null,
    market_type: 'real_time',
    settlement_type: null,
    currency: 'USD',
    unit: 'MWh',
    price_unit: '$/MWh',
    quality_flags: [],
    validation_errors: [],
    normalization_metadata: { feed: 'caiso.oasis.csv' },
    ...of,
  };
}

export function enrichedTick(of: Readonly<Record<string, unknown>> = {}): object {
  const { normalization_metadata: _, ...rest } = tick();
  return {
    ...rest,
    producer: 'enrichment-service',
    semantic_tags: ['electricity', 'hub'],
    taxonomy_class: 'price',
    taxonomy_subclass: 'lmp',
    market_segment: 'wholesale',
    geographic_region: 'california',
    time_of_day_category: 'night',
    seasonal_category: 'summer',
    volatility_category: null,
    liquidity_category: 'low',
    enrichment_metadata: { enrichment_score: 0.875 },
    ...of,
  };
}

export function bar(of: Partial<BarPayload> = {}): Aggregated<BarPayload> {
  return {
    ...envelope('aggregation-service'),
    payload: {
      ...instrument,
      delivery_date: '2022-09-01',
      bar_type: 'hourly',
      bar_size: '1H',
      bar_start: START_US,
      bar_end: START_US + HOUR_US,
      open_price: 81.9,
      high_price: 90.25,
      low_price: -3.5,
      close_price: 12,
      volume: 0,
      vwap: null,
      twap: 45.1,
      trade_count: 4,
      expected_count: 4,
      revision: 4,
      row_version: 8,
      complete: true,
      final: false,
      price_currency: 'USD',
      quantity_unit: 'MWh',
      aggregation_timestamp: START_US + HOUR_US,
      ...of,
    },
  };
}

export function metric(of: Partial<MetricPayload> = {}): Aggregated<MetricPayload> {
  return {
    ...envelope('aggregation-service'),
    payload: {
      ...instrument,
      delivery_date: '2022-09-01',
      metric_type: 'rolling_average_price',
      window_size: 5,
      hour_end: START_US + HOUR_US,
      metric_value: 45.1,
      metric_unit: '$/MWh',
      sample_count: 5,
      row_version: 2,
      calculation_timestamp: START_US + HOUR_US,
      ...of,
    },
  };
}

export function curvePoint(of: Partial<CurvePayload> = {}): Aggregated<CurvePayload> {
  const { delivery_location: location, ...rest } = instrument;
  return {
    ...envelope('aggregation-service'),
    payload: {
      ...rest,
      location,
      curve_type: 'spot_curve',
      delivery_date: '2022-09-01',
      delivery_hour: 1,
      hour_start: START_US,
      price: 81.9,
      quantity: null,
      price_currency: 'USD',
      quantity_unit: 'MWh',
      row_version: 2,
      curve_metadata: { revision: 1 },
      aggregation_timestamp: START_US,
      ...of,
    },
  };
}

export function anomaly(of: Partial<Anomaly> = {}): Anomaly {
  return {
    ...envelope('data-quality-service'),
    anomaly_id: 'a1',
    anomaly_type: 'price_spike',
    anomaly_category: 'price',
    severity: 'high',
    status: 'open',
    market: 'CAISO',
    connector: 'caiso',
    service: 'data-quality-service',
    data_source: null,
    instrument_id: instrument.instrument_id,
    affected_records: ['e0e0e0e0e0e0e0e0'],
    affected_fields: ['price'],
    expected_value: '40',
    actual_value: '900',
    threshold_value: 3,
    deviation_amount: 860,
    deviation_percentage: null,
    confidence_score: 0.9,
    detection_method: 'statistical',
    detection_algorithm: 'z-score',
    detection_parameters: { samples: 30 },
    time_window: null,
    frequency: null,
    first_occurrence: START_US,
    last_occurrence: null,
    description: 'a spike',
    recommendations: ['look at it'],
    related_anomalies: [],
    tags: ['spike'],
    metadata: {},
    detected_at: START_US + HOUR_US,
    ...of,
  };
}

export function score(of: Partial<QualityScore> = {}): QualityScore {
  return {
    ...envelope('data-quality-service'),
    market: 'CAISO',
    instrument_id: instrument.instrument_id,
    tick_id: 'e0e0e0e0e0e0e0e0',
    connector: 'caiso',
    quality_score: 0.95,
    completeness_score: 1,
    accuracy_score: 0.9,
    consistency_score: 1,
    timeliness_score: 1,
    validity_score: 1,
    valid: true,
    anomaly_count: 0,
    assessed_at: START_US,
    ...of,
  };
}
