// Views: the typed tables of trades and curves, and the quality summary, as selections from the tables that
// hold the rows. One fact is stored once.

import { DATABASE, onCluster } from './table.ts';

export interface View {
  readonly name: string;
  /** `CREATE OR REPLACE VIEW …`, on all of a cluster if one is named. */
  readonly create: (cluster: string | null) => string;
}

const view = (name: string, select: string): View => ({
  name,
  create: (cluster) => `CREATE OR REPLACE VIEW ${DATABASE}.${name}${onCluster(cluster)} AS ${select}`,
});

const RAW_TRADE = [
  "JSONExtractString(raw_payload, 'trade_id') AS trade_id",
  "JSONExtract(raw_payload, 'price', 'Nullable(Float64)') AS price",
  "JSONExtract(raw_payload, 'quantity', 'Nullable(Float64)') AS quantity",
].join(', ');

const RAW_CURVE = [
  "JSONExtractString(raw_payload, 'delivery_date') AS delivery_date",
  "JSONExtract(raw_payload, 'delivery_hour', 'Nullable(UInt8)') AS delivery_hour",
  "JSONExtract(raw_payload, 'price', 'Nullable(Float64)') AS price",
].join(', ');

const MEANS = ['completeness', 'accuracy', 'consistency', 'timeliness', 'validity']
  .map((each) => `avg(s.${each}_score) AS ${each}_score`)
  .join(', ');

export const VIEWS: readonly View[] = [
  view(
    'bronze_raw_trades',
    `SELECT *, ${RAW_TRADE} FROM ${DATABASE}.bronze_raw_market_data FINAL WHERE data_type = 'trade'`,
  ),
  view(
    'bronze_raw_curves',
    `SELECT *, ${RAW_CURVE} FROM ${DATABASE}.bronze_raw_market_data FINAL WHERE data_type = 'curve'`,
  ),
  view('bronze_data_quality', `SELECT * FROM ${DATABASE}.gold_data_quality_scores FINAL`),
  view(
    'silver_normalized_trades',
    `SELECT * FROM ${DATABASE}.silver_normalized_market_data FINAL WHERE instrument_type = 'trade'`,
  ),
  view(
    'silver_normalized_curves',
    `SELECT * FROM ${DATABASE}.silver_normalized_market_data FINAL WHERE instrument_type = 'curve'`,
  ),
  view(
    'gold_enriched_trades',
    `SELECT * FROM ${DATABASE}.gold_enriched_market_data FINAL WHERE instrument_type = 'trade'`,
  ),
  view(
    'silver_data_quality_summary',
    `SELECT market, toStartOfHour(assessed_at) AS assessed_hour,
       avg(s.quality_score) AS quality_score, ${MEANS},
       count() AS total_records, countIf(valid) AS valid_records, countIf(NOT valid) AS invalid_records,
       toJSONString(map('minimum', min(s.quality_score), 'maximum', max(s.quality_score))) AS quality_details
     FROM ${DATABASE}.gold_data_quality_scores AS s FINAL GROUP BY market, assessed_hour`,
  ),
];
