// The tables of carbon_ingestion that projection writes. Every table has a natural key and a version, so the
// same record written again changes nothing; gold is partitioned by delivery date, never by when it was
// processed.

import { letterBodies } from './letter-table.ts';
import {
  type Column,
  computed,
  count,
  date,
  envelope,
  flag,
  float,
  instant,
  name,
  names,
  price,
  type Table,
  text,
} from './table.ts';

const now = (column: string): Column => computed(column, "DateTime64(6, 'UTC')", 'now64(6)');
const today = (column: string): Column => computed(column, 'Date', 'toDate(now64(6))');

const RAW_FIELDS =
  'Tuple(event_id String, trace_id String, occurred_at Int64, tenant_id String, schema_version String, ' +
  'producer String, data_type String, run String, delivery_location String, publication Int64, ' +
  'market String)';
const raw = (field: string): string => `tupleElement(JSONExtract(line, '${RAW_FIELDS}'), '${field}')`;

/** Every raw record as it stood on the topic, whatever it was; its key is its content. */
export const bronze: Table = {
  name: 'bronze_raw_market_data',
  columns: [
    computed('event_id', 'String CODEC(ZSTD(1))', raw('event_id')),
    computed('trace_id', 'String CODEC(ZSTD(1))', raw('trace_id')),
    computed('occurred_at', "DateTime64(6, 'UTC')", `fromUnixTimestamp64Micro(${raw('occurred_at')}, 'UTC')`),
    computed('tenant_id', 'LowCardinality(String)', raw('tenant_id')),
    computed('schema_version', 'LowCardinality(String)', raw('schema_version')),
    computed('producer', 'LowCardinality(String)', raw('producer')),
    computed('market', 'LowCardinality(String)', `upper(${raw('market')})`),
    computed('run', 'LowCardinality(String)', raw('run')),
    computed('data_type', 'LowCardinality(String)', raw('data_type')),
    computed('delivery_location', 'LowCardinality(String)', raw('delivery_location')),
    computed('publication', "DateTime64(6, 'UTC')", `fromUnixTimestamp64Micro(${raw('publication')}, 'UTC')`),
    computed('raw_payload', 'String CODEC(ZSTD(3))', 'line'),
    computed('content_hash', 'UInt64', 'cityHash64(line)'),
    now('ingestion_timestamp'),
    today('ingestion_date'),
  ],
  engine: 'ReplacingMergeTree()',
  partitionBy: 'toYYYYMM(occurred_at)',
  orderBy: 'market, data_type, delivery_location, occurred_at, content_hash',
  nested: false,
  where: null,
  verbatim: true,
};

const tickColumns: readonly Column[] = [
  ...envelope,
  name('market'),
  name('run'),
  name('instrument_id'),
  name('instrument_type'),
  name('delivery_location'),
  date('delivery_date'),
  count('delivery_hour', 'UInt8'),
  name('delivery_period'),
  instant('interval_start'),
  instant('interval_end'),
  instant('publication'),
  { name: 'version_hash', type: 'FixedString(16)', read: 'String', from: 'toFixedString(version_hash, 16)' },
  text('trade_id'),
  ...['price', 'quantity', 'bid_price', 'offer_price', 'clearing_price'].map(price),
  ...['energy_price', 'congestion_price', 'loss_price', 'ghg_price'].map(price),
  ...['trade_type', 'product_type', 'market_type', 'settlement_type', 'currency', 'unit', 'price_unit'].map(
    name,
  ),
  names('quality_flags'),
  names('validation_errors'),
];

const tickKey = 'instrument_id, interval_start, trade_id, publication, version_hash';

/** Every version of every tick. */
export const silver: Table = {
  name: 'silver_normalized_market_data',
  columns: [
    ...tickColumns,
    text('normalization_metadata'),
    computed(
      'validation_status',
      'LowCardinality(String)',
      "if(empty(validation_errors), 'valid', 'invalid')",
    ),
    now('normalization_timestamp'),
    today('normalization_date'),
  ],
  engine: 'ReplacingMergeTree()',
  partitionBy: 'toYYYYMM(delivery_date)',
  orderBy: tickKey,
  nested: false,
  where: "instrument_id != ''",
  verbatim: false,
};

export const enriched: Table = {
  name: 'gold_enriched_market_data',
  columns: [
    ...tickColumns,
    names('semantic_tags'),
    ...['taxonomy_class', 'taxonomy_subclass', 'market_segment', 'geographic_region'].map(name),
    ...['time_of_day_category', 'seasonal_category', 'volatility_category', 'liquidity_category'].map(name),
    {
      name: 'enrichment_metadata',
      type: 'String CODEC(ZSTD(1))',
      read: 'String',
    },
    computed('enrichment_score', 'Float64', "JSONExtractFloat(enrichment_metadata, 'enrichment_score')"),
    computed('enrichment_date', 'Date', 'delivery_date'),
  ],
  engine: 'ReplacingMergeTree()',
  partitionBy: 'toYYYYMM(delivery_date)',
  orderBy: tickKey,
  nested: false,
  where: "instrument_id != ''",
  verbatim: false,
};

const gold = {
  engine: 'ReplacingMergeTree(row_version)',
  nested: true,
  where: null,
  verbatim: false,
} as const;
const rowVersion: Column = count('row_version', 'UInt64');

/**
 * Without the trace: it names the record that led to a row being written just then, which depends on how
 * batches were cut, and a gold row is a function of the set of versions.
 */
const goldEnvelope = envelope.filter((each) => each.name !== 'trace_id');

export const bars: Table = {
  ...gold,
  name: 'gold_ohlc_bars',
  columns: [
    ...goldEnvelope,
    ...['market', 'run', 'instrument_id', 'delivery_location'].map(name),
    date('delivery_date'),
    name('bar_type'),
    name('bar_size'),
    instant('bar_start'),
    instant('bar_end'),
    ...['open_price', 'high_price', 'low_price', 'close_price', 'volume'].map(float),
    price('vwap'),
    price('twap'),
    count('trade_count'),
    count('expected_count', 'Nullable(UInt32)'),
    count('revision'),
    rowVersion,
    flag('complete'),
    flag('final'),
    name('price_currency'),
    name('quantity_unit'),
    instant('aggregation_timestamp'),
    computed('aggregation_date', 'Date', 'payload.delivery_date'),
  ],
  partitionBy: 'aggregation_date',
  orderBy: 'market, run, delivery_location, bar_size, bar_start',
};

/**
 * By far the most rows, so no envelope: its event_id follows from the key and the version. Partitioned by
 * month: a day of all nodes has a million rows, a year of days would have too many parts.
 */
export const metrics: Table = {
  ...gold,
  name: 'gold_rolling_metrics',
  columns: [
    ...['market', 'run', 'delivery_location'].map(name),
    date('delivery_date'),
    name('metric_type'),
    count('window_size', 'UInt16'),
    instant('hour_end'),
    float('metric_value'),
    name('metric_unit'),
    count('sample_count', 'UInt16'),
    rowVersion,
    instant('calculation_timestamp'),
    computed('calculation_date', 'Date', 'payload.delivery_date'),
  ],
  partitionBy: 'toYYYYMM(calculation_date)',
  orderBy: 'market, run, delivery_location, metric_type, window_size, hour_end',
};

export const curves: Table = {
  ...gold,
  name: 'gold_curve_prestage',
  columns: [
    ...goldEnvelope,
    ...['market', 'run', 'instrument_id', 'location', 'curve_type'].map(name),
    date('delivery_date'),
    count('delivery_hour', 'UInt8'),
    instant('hour_start'),
    float('price'),
    price('quantity'),
    name('price_currency'),
    name('quantity_unit'),
    rowVersion,
    text('curve_metadata'),
    instant('aggregation_timestamp'),
    computed('aggregation_date', 'Date', 'payload.delivery_date'),
  ],
  partitionBy: 'aggregation_date',
  orderBy: 'market, run, location, curve_type, hour_start',
};

/** Assessed again in another month, the same record must still meet its row: so event time partitions. */
export const anomalies: Table = {
  name: 'gold_data_quality_anomalies',
  columns: [
    ...envelope,
    text('anomaly_id'),
    ...['anomaly_type', 'anomaly_category', 'severity', 'status', 'market', 'connector', 'service'].map(name),
    text('data_source'),
    name('instrument_id'),
    names('affected_records'),
    names('affected_fields'),
    text('expected_value'),
    text('actual_value'),
    ...['threshold_value', 'deviation_amount', 'deviation_percentage', 'confidence_score'].map(price),
    name('detection_method'),
    name('detection_algorithm'),
    text('detection_parameters'),
    name('time_window'),
    price('frequency'),
    ...['first_occurrence', 'last_occurrence'].map(
      (column): Column => ({
        name: column,
        type: "Nullable(DateTime64(6, 'UTC'))",
        read: 'Nullable(Int64)',
        from: `fromUnixTimestamp64Micro(${column}, 'UTC')`,
      }),
    ),
    text('description'),
    names('recommendations'),
    names('related_anomalies'),
    names('tags'),
    text('metadata'),
    instant('detected_at'),
  ],
  engine: 'ReplacingMergeTree(detected_at)',
  partitionBy: 'toYYYYMM(occurred_at)',
  orderBy: 'market, event_id',
  nested: false,
  where: null,
  verbatim: false,
};

export const scores: Table = {
  name: 'gold_data_quality_scores',
  columns: [
    ...envelope,
    name('market'),
    name('instrument_id'),
    text('tick_id'),
    name('connector'),
    ...['quality_score', 'completeness_score', 'accuracy_score', 'consistency_score'].map(float),
    ...['timeliness_score', 'validity_score'].map(float),
    flag('valid'),
    count('anomaly_count', 'UInt16'),
    instant('assessed_at'),
  ],
  engine: 'ReplacingMergeTree(assessed_at)',
  partitionBy: 'toYYYYMM(occurred_at)',
  orderBy: 'market, instrument_id, event_id',
  nested: false,
  where: null,
  verbatim: false,
};

export const TABLES: readonly Table[] = [bronze, silver, enriched, bars, metrics, curves, anomalies, scores];

/** The table that a topic feeds; null for a topic that none does. */
export function tableOf(topic: string): Table | null {
  if (/^ingestion\.[a-z0-9_]+\.raw\.v1$/.test(topic)) return bronze;
  return BY_TOPIC[topic] ?? null;
}

const BY_TOPIC: Readonly<Record<string, Table>> = {
  'normalized.market.ticks.v1': silver,
  'enriched.market.ticks.v1': enriched,
  'aggregation.ohlc.bars.v1': bars,
  'aggregation.rolling.metrics.v1': metrics,
  'aggregation.curve.prestage.v1': curves,
  'data.quality.anomalies.v1': anomalies,
  'data.quality.scores.v1': scores,
  'processing.deadletter.bodies.v1': letterBodies,
};
