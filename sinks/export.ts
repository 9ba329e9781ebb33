// Exports of the gold tables: each as <table>.csv and <table>.parquet, sorted by its natural key, so that two
// exports of equal tables are equal files but for the processing times. Bars come in the order of columns
// that is agreed on.

import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClickHouse } from './clickhouse.ts';
import { DATABASE, type Table } from './table.ts';
import { TABLES } from './tables.ts';

const BAR_COLUMNS = [
  ...['market', 'run', 'delivery_location', 'bar_size', 'bar_start', 'bar_end'],
  ...['open_price', 'high_price', 'low_price', 'close_price', 'volume', 'vwap', 'twap'],
  ...['trade_count', 'expected_count', 'revision', 'complete', 'final'],
];

function columnsOf(table: Table): string[] {
  const names = table.columns.map((each) => each.name);
  if (table.name !== 'gold_ohlc_bars') return names;
  return [...BAR_COLUMNS, ...names.filter((name) => !BAR_COLUMNS.includes(name))];
}

function asText(table: Table, column: string): string {
  const type = table.columns.find((each) => each.name === column)?.type ?? '';
  const of = `t.${column}`;
  if (/^(Nullable\()?DateTime64/.test(type)) {
    const whole = column.endsWith('_timestamp') ? '%Y-%m-%dT%H:%i:%S.%fZ' : '%Y-%m-%dT%H:%i:%SZ';
    return `formatDateTime(${of}, '${whole}', 'UTC') AS ${column}`;
  }
  if (type.startsWith('Array')) return `arrayStringConcat(${of}, ';') AS ${column}`;
  return of;
}

function query(table: Table, format: 'CSVWithNames' | 'Parquet'): string {
  const columns = columnsOf(table);
  const selected = columns.map((each) => (format === 'Parquet' ? `t.${each}` : asText(table, each)));
  const order = table.orderBy.split(', ').map((each) => `t.${each}`);
  return [
    `SELECT ${selected.join(', ')} FROM ${DATABASE}.${table.name} AS t FINAL ORDER BY ${order.join(', ')}`,
    format === 'Parquet'
      ? 'SETTINGS output_format_parquet_string_as_string = 1, ' +
        "output_format_parquet_compression_method = 'zstd'"
      : "SETTINGS format_csv_null_representation = '', output_format_csv_crlf_end_of_line = 0",
    `FORMAT ${format}`,
  ].join('\n');
}

/** Writes every gold table into `dir`; returns the files. Throws Fault, or the file system's own error. */
export async function exportGold(clickhouse: ClickHouse, dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true });
  const files: string[] = [];
  for (const table of TABLES.filter((each) => each.name.startsWith('gold_'))) {
    for (const [format, extension] of [
      ['CSVWithNames', 'csv'],
      ['Parquet', 'parquet'],
    ] as const) {
      const path = join(dir, `${table.name}.${extension}`);
      await pipeline(await clickhouse.bytes(query(table, format)), createWriteStream(path));
      files.push(path);
    }
  }
  return files;
}
