// Conformance of the database: every table that others query stands there with its columns, the faults of the
// tables in use today are not repeated, and migrations are recorded and idempotent. The lists are written
// from what others query, not from the code.

import { describe, expect, test } from 'bun:test';
import type { ClickHouse } from '../../sinks/clickhouse.ts';
import { migrate } from '../../sinks/migrations.ts';
import { Fault } from '../../sinks/sink.ts';

const ENVELOPE = 'event_id trace_id occurred_at tenant_id schema_version producer';
const TICK = `${ENVELOPE} market instrument_id instrument_type delivery_location delivery_date delivery_hour
  delivery_period price quantity bid_price offer_price clearing_price congestion_price loss_price trade_type
  product_type market_type settlement_type currency unit price_unit quality_flags validation_errors`;
const NORMALIZED = `${TICK} validation_status normalization_timestamp normalization_date`;
const ENRICHED = `${TICK} semantic_tags taxonomy_class taxonomy_subclass market_segment geographic_region
  time_of_day_category seasonal_category volatility_category liquidity_category enrichment_metadata
  enrichment_score enrichment_date`;
const RAW = `${ENVELOPE} market raw_payload ingestion_timestamp ingestion_date`;

const COLUMNS: Readonly<Record<string, string>> = {
  bronze_raw_market_data: RAW,
  bronze_raw_trades: RAW,
  bronze_raw_curves: RAW,
  bronze_data_quality: `${ENVELOPE} market quality_score`,
  silver_normalized_market_data: NORMALIZED,
  silver_normalized_trades: NORMALIZED,
  silver_normalized_curves: NORMALIZED,
  silver_data_quality_summary: `market quality_score completeness_score accuracy_score consistency_score
    timeliness_score validity_score total_records valid_records invalid_records quality_details`,
  gold_enriched_market_data: ENRICHED,
  gold_enriched_trades: ENRICHED,
  gold_ohlc_bars: `market run delivery_location delivery_date bar_type bar_size bar_start bar_end open_price
    high_price low_price close_price volume vwap twap trade_count expected_count revision row_version complete
    final price_currency quantity_unit aggregation_timestamp aggregation_date`,
  gold_rolling_metrics: `market delivery_location delivery_date metric_type window_size metric_value
    metric_unit sample_count calculation_timestamp calculation_date`,
  gold_data_quality_anomalies: `${ENVELOPE} anomaly_id anomaly_type anomaly_category severity status market
    connector service data_source affected_records affected_fields expected_value actual_value
    threshold_value deviation_amount deviation_percentage confidence_score detection_method
    detection_algorithm detection_parameters time_window frequency first_occurrence last_occurrence
    description recommendations related_anomalies tags metadata`,
  gold_curve_prestage: `market run location curve_type delivery_date delivery_hour price quantity
    price_currency quantity_unit curve_metadata aggregation_timestamp aggregation_date`,
};

const PRICES = ['open_price', 'high_price', 'low_price', 'close_price', 'price', 'congestion_price'];

export function schemaTests(clickhouse: () => ClickHouse): void {
  describe('tables', () => {
    for (const [table, columns] of Object.entries(COLUMNS)) {
      test(`${table} has the columns that others query, and can be read`, async () => {
        const rows = await clickhouse().rows<{ name: string }>(
          "SELECT name FROM system.columns WHERE database = 'carbon_ingestion' AND table = {table: String}",
          { table },
        );
        const found = new Set(rows.map(({ name }) => name));
        expect(columns.split(/\s+/).filter((name) => !found.has(name))).toEqual([]);
        await clickhouse().rows(`SELECT * FROM carbon_ingestion.${table} LIMIT 1`);
      });
    }

    test('gold bars are keyed by their start, versioned, and partitioned by delivery date', async () => {
      expect(await layoutOf(clickhouse(), 'gold_ohlc_bars')).toMatchObject({
        engine_full: expect.stringContaining('ReplacingMergeTree(row_version)'),
        sorting_key: 'market, run, delivery_location, bar_size, bar_start',
        partition_key: 'aggregation_date',
      });
    });

    test('no table is partitioned by when it was processed', async () => {
      const rows = await clickhouse().rows<{ name: string; partition_key: string }>(
        `SELECT name, partition_key FROM system.tables
         WHERE database = 'carbon_ingestion' AND partition_key != ''`,
      );
      expect(rows.length).toBeGreaterThanOrEqual(8);
      for (const { partition_key: key } of rows) {
        expect(key).not.toMatch(/now|today|ingestion_|normalization_|_timestamp/);
      }
    });

    test('no materialized view adds up rows that are corrected later', async () => {
      const rows = await clickhouse().rows<{ engine: string }>(
        "SELECT DISTINCT engine FROM system.tables WHERE database = 'carbon_ingestion' ORDER BY engine",
      );
      const engines = rows.map(({ engine }) => engine);
      expect(engines).toEqual(['MergeTree', 'ReplacingMergeTree', 'View']);
    });

    test('prices are Float64 under ZSTD, times under DoubleDelta, names of low cardinality', async () => {
      const rows = await clickhouse().rows<{ name: string; type: string; compression_codec: string }>(
        `SELECT name, type, compression_codec FROM system.columns WHERE database = 'carbon_ingestion'
         AND table IN ('gold_ohlc_bars', 'silver_normalized_market_data')`,
      );
      for (const { name, type, compression_codec: codec } of rows) {
        if (PRICES.includes(name)) {
          expect(type).toMatch(/^(Nullable\()?Float64\)?$/);
          expect(codec).toBe('CODEC(ZSTD(1))');
        }
        if (name === 'bar_start' || name === 'interval_start') expect(codec).toContain('DoubleDelta');
        if (name === 'market' || name === 'run') expect(type).toBe('LowCardinality(String)');
      }
    });
  });
  describe('migrations', () => migrationTests(clickhouse));
}

async function layoutOf(clickhouse: ClickHouse, table: string): Promise<unknown> {
  const [found] = await clickhouse.rows(
    `SELECT engine_full, sorting_key, partition_key FROM system.tables
     WHERE database = 'carbon_ingestion' AND name = {table: String}`,
    { table },
  );
  return found;
}

const RECORDED = 'SELECT id, name, checksum FROM carbon_ingestion.schema_migrations ORDER BY id';
const WAITING = { mutations_sync: 2 };

function migrationTests(clickhouse: () => ClickHouse): void {
  const change = (sql: string) =>
    clickhouse().command(`${sql} SETTINGS mutations_sync = ${WAITING.mutations_sync}`);

  test('are recorded once, and applied again they change nothing', async () => {
    const before = await clickhouse().rows<{ id: number }>(RECORDED);
    expect(before.map(({ id }) => id)).toEqual(before.map((_, n) => n + 1));
    expect(before.length).toBeGreaterThan(0);
    expect(await migrate(clickhouse(), null)).toEqual([]);
    expect(await clickhouse().rows<{ id: number }>(RECORDED)).toEqual(before);
  });

  test('that ended before they were recorded are applied again', async () => {
    const before = await clickhouse().rows<{ name: string }>(RECORDED);
    const last = before.at(-1)?.name ?? '';
    await change(`ALTER TABLE carbon_ingestion.schema_migrations DELETE WHERE name = '${last}'`);
    expect(await migrate(clickhouse(), null)).toEqual([last]);
    expect(await clickhouse().rows<{ name: string }>(RECORDED)).toEqual(before);
  });

  test('that were applied in another form are refused, and nothing is done', async () => {
    const table = 'carbon_ingestion.schema_migrations';
    const [first] = await clickhouse().rows<{ checksum: string }>(RECORDED);
    await change(`ALTER TABLE ${table} UPDATE checksum = 'of another form' WHERE id = 1`);
    const refused = await migrate(clickhouse(), null).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Fault);
    expect(refused).toMatchObject({ code: 'clickhouse_migration_changed', retryable: false });
    await change(`ALTER TABLE ${table} UPDATE checksum = '${first?.checksum}' WHERE id = 1`);
    expect(await migrate(clickhouse(), null)).toEqual([]);
  });
}
