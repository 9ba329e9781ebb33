// Tables read for comparison: rows as the oracles write them, and fingerprints by which two runs are held
// against each other without fetching anything.

import { createInterface } from 'node:readline';
import type { ClickHouse } from '../../sinks/clickhouse.ts';
import { DATABASE } from '../../sinks/table.ts';

/** Columns that say when a row came about, not what it holds. */
const OF_PROCESSING = /_timestamp$/;

export const GOLD = ['gold_ohlc_bars', 'gold_rolling_metrics', 'gold_curve_prestage'] as const;
export type GoldTable = (typeof GOLD)[number];

async function columnsOf(clickhouse: ClickHouse, table: string): Promise<string[]> {
  const found = await clickhouse.rows<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = '${DATABASE}' AND table = {table:String} ORDER BY name`,
    { table },
  );
  return found.map(({ name }) => name).filter((name) => !OF_PROCESSING.test(name));
}

/** Rows and a hash over every column but those of processing; equal for equal sets of rows. */
export async function fingerprint(clickhouse: ClickHouse, table: string): Promise<string> {
  const columns = await columnsOf(clickhouse, table);
  const [found] = await clickhouse.rows<{ rows: number; hash: string }>(
    `SELECT count() AS rows, toString(sum(cityHash64(toString(tuple(${columns.join(', ')}))))) AS hash
     FROM ${DATABASE}.${table} FINAL`,
  );
  return `${found?.rows} rows, ${found?.hash}`;
}

export async function goldFingerprints(clickhouse: ClickHouse): Promise<Record<GoldTable, string>> {
  const [bars, metrics, curves] = await Promise.all(GOLD.map((table) => fingerprint(clickhouse, table)));
  return {
    gold_ohlc_bars: bars ?? '',
    gold_rolling_metrics: metrics ?? '',
    gold_curve_prestage: curves ?? '',
  };
}

/** Every row as text, for telling two runs apart when their fingerprints differ. Small tables only. */
export async function goldRows(clickhouse: ClickHouse, table: string): Promise<string[]> {
  const columns = await columnsOf(clickhouse, table);
  const rows = await clickhouse.rows<Record<string, unknown>>(
    `SELECT ${columns.join(', ')} FROM ${DATABASE}.${table} FINAL`,
  );
  return rows.map((row) => JSON.stringify(row)).sort();
}

const instant = (column: string): string => `formatDateTime(t.${column}, '%Y-%m-%dT%H:%i:%SZ') AS ${column}`;

const SELECTED: Readonly<Record<GoldTable, readonly string[]>> = {
  gold_ohlc_bars: [
    ...['market', 'run', 'delivery_location', 'bar_size', instant('bar_start'), instant('bar_end')],
    ...['open_price', 'high_price', 'low_price', 'close_price', 'volume', 'vwap', 'twap'],
    ...['trade_count', 'expected_count', 'revision', 'complete', 'final'],
  ],
  gold_rolling_metrics: [
    ...['market', 'run', 'delivery_location', 'toString(delivery_date) AS delivery_date', 'metric_type'],
    ...['window_size', instant('hour_end'), 'metric_value', 'metric_unit', 'sample_count', 'row_version'],
  ],
  gold_curve_prestage: [
    ...['market', 'run', 'location', 'curve_type', 'toString(delivery_date) AS delivery_date'],
    ...['delivery_hour', instant('hour_start'), 'price', 'quantity', 'row_version'],
  ],
};

/** Rows in the oracle's shape, one by one; `where` narrows them. */
export async function* rowsOf<Row>(
  clickhouse: ClickHouse,
  table: GoldTable,
  where = '1',
): AsyncIterable<Row> {
  const stream = await clickhouse.bytes(
    `SELECT ${SELECTED[table].join(', ')} FROM ${DATABASE}.${table} AS t FINAL WHERE ${where}
     FORMAT JSONEachRow`,
  );
  for await (const line of createInterface({ input: stream })) {
    if (line !== '') {
      const row: Row = JSON.parse(line);
      yield row;
    }
  }
}

export async function countOf(clickhouse: ClickHouse, table: string, where = '1'): Promise<number> {
  const [found] = await clickhouse.rows<{ rows: number }>(
    `SELECT count() AS rows FROM ${DATABASE}.${table} FINAL WHERE ${where}`,
  );
  return found?.rows ?? 0;
}
