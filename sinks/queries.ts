// Reads of the gold tables for the query routes: filters, key order, cursor paging. Every value goes in as a
// query parameter; names of columns and tables are this file's own.

import type { ClickHouse } from './clickhouse.ts';
import { DATABASE } from './table.ts';

export type QueryKind = 'ohlc' | 'metrics' | 'curves';

/** What is asked about; null: all. */
export interface Extent {
  readonly market: string | null;
  readonly run: string | null;
  readonly location: string | null;
  /** Operating days, YYYY-MM-DD, both inclusive. */
  readonly startDate: string | null;
  readonly endDate: string | null;
}

export interface GoldQuery extends Extent {
  readonly kind: QueryKind;
  /** bar_type of bars, metric_type of metrics, curve_type of curves. */
  readonly type: string | null;
  /** Bars only. */
  readonly barSize: string | null;
  /** Metrics only. */
  readonly windowSize: number | null;
  readonly limit: number;
  readonly cursor: readonly (string | number)[] | null;
}

export type GoldRow = Readonly<Record<string, string | number | boolean | null>>;

export interface GoldPage {
  readonly rows: readonly GoldRow[];
  /** Key of the last row; null when there is no more. */
  readonly next: readonly (string | number)[] | null;
}

interface KeyColumn {
  readonly name: string;
  readonly type: 'String' | 'UInt16' | 'Int64';
  /** Expression to compare; absent: the column. */
  readonly of?: string;
}

interface Shape {
  readonly table: string;
  readonly location: string;
  readonly type: string;
  readonly columns: readonly string[];
  readonly key: readonly KeyColumn[];
}

/** An instant as `2022-09-01T07:00:00Z`. */
const utc = (column: string): string => `formatDateTime(${column}, '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS ${column}`;
const micros = (column: string): string => `toUnixTimestamp64Micro(${column})`;
const text = (name: string): KeyColumn => ({ name, type: 'String' });
const instant = (name: string): KeyColumn => ({ name, type: 'Int64', of: micros(name) });

const SHAPES: Readonly<Record<QueryKind, Shape>> = {
  ohlc: {
    table: 'gold_ohlc_bars',
    location: 'delivery_location',
    type: 'bar_type',
    columns: [
      ...['market', 'run', 'delivery_location', 'bar_size', 'bar_type', 'delivery_date'],
      ...[utc('bar_start'), utc('bar_end'), 'open_price', 'high_price', 'low_price', 'close_price'],
      ...['volume', 'vwap', 'twap', 'trade_count', 'expected_count', 'revision', 'complete', 'final'],
      ...['price_currency', 'quantity_unit', utc('aggregation_timestamp')],
    ],
    key: [text('market'), text('run'), text('delivery_location'), text('bar_size'), instant('bar_start')],
  },
  metrics: {
    table: 'gold_rolling_metrics',
    location: 'delivery_location',
    type: 'metric_type',
    columns: [
      ...['market', 'run', 'delivery_location', 'delivery_date', utc('hour_end'), 'metric_type'],
      ...['window_size', 'metric_value', 'metric_unit', 'sample_count', utc('calculation_timestamp')],
    ],
    key: [
      ...[text('market'), text('run'), text('delivery_location'), text('metric_type')],
      { name: 'window_size', type: 'UInt16' },
      instant('hour_end'),
    ],
  },
  curves: {
    table: 'gold_curve_prestage',
    location: 'location',
    type: 'curve_type',
    columns: [
      ...['market', 'run', 'location', 'curve_type', 'delivery_date', 'delivery_hour', utc('hour_start')],
      ...['price', 'quantity', 'price_currency', 'quantity_unit', 'curve_metadata'],
      utc('aggregation_timestamp'),
    ],
    key: [text('market'), text('run'), text('location'), text('curve_type'), instant('hour_start')],
  },
};

interface Condition {
  readonly sql: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function equal(column: string, name: string, value: string | number | null, type = 'String'): Condition[] {
  return value === null ? [] : [{ sql: `${column} = {${name}: ${type}}`, values: { [name]: value } }];
}

function conditions(query: GoldQuery, shape: Shape): Condition[] {
  return [
    ...within(query, shape.location),
    ...equal(shape.type, 'type', query.type),
    ...equal('bar_size', 'barSize', query.kind === 'ohlc' ? query.barSize : null),
    ...equal('window_size', 'windowSize', query.kind === 'metrics' ? query.windowSize : null, 'UInt16'),
    ...(query.cursor === null ? [] : [after(query.cursor, shape)]),
  ];
}

/** The conditions that every gold table can be asked; `location` is its name of that column. */
function within(of: Extent, location: string): Condition[] {
  const { startDate: from, endDate: to } = of;
  return [
    ...equal('market', 'market', of.market),
    ...equal('run', 'run', of.run),
    ...equal(location, 'location', of.location),
    ...(from === null ? [] : [{ sql: 'delivery_date >= {from: Date}', values: { from } }]),
    ...(to === null ? [] : [{ sql: 'delivery_date <= {to: Date}', values: { to } }]),
  ];
}

function whereOf(found: readonly Condition[]): string {
  return found.length === 0 ? '' : `WHERE ${found.map(({ sql }) => sql).join(' AND ')}`;
}

function valuesOf(found: readonly Condition[]): Record<string, unknown> {
  return Object.assign({}, ...found.map(({ values }) => values));
}

function after(cursor: readonly (string | number)[], shape: Shape): Condition {
  const columns = shape.key.map((each) => each.of ?? each.name).join(', ');
  const bounds = shape.key.map((each, n) => `{k${n}: ${each.type}}`).join(', ');
  const values = Object.fromEntries(cursor.map((value, n) => [`k${n}`, value]));
  return { sql: `(${columns}) > (${bounds})`, values };
}

const UINT16_MAX = 65_535;

/** Whether a cursor can be one of this kind. */
export function cursorFits(kind: QueryKind, cursor: readonly (string | number)[]): boolean {
  const { key } = SHAPES[kind];
  return cursor.length === key.length && key.every(({ type }, n) => keyFits(type, cursor[n]));
}

function keyFits(type: KeyColumn['type'], value: string | number | undefined): boolean {
  if (typeof value !== 'number') return type === 'String' && value !== undefined;
  if (type === 'String' || !Number.isSafeInteger(value)) return false;
  return type === 'Int64' || (value >= 0 && value <= UINT16_MAX);
}

/** A page of rows in the order of their natural key. Throws Fault. */
export async function goldRows(clickhouse: ClickHouse, query: GoldQuery): Promise<GoldPage> {
  const shape = SHAPES[query.kind];
  const where = conditions(query, shape);
  const key = shape.key.map((each, n) => `${each.of ?? each.name} AS key_${n}`);
  const order = shape.key.map((each) => (each.of === undefined ? each.name : `${shape.table}.${each.name}`));
  const sql = [
    `SELECT ${[...shape.columns, ...key].map((each) => qualified(each, shape.table)).join(', ')}`,
    `FROM ${DATABASE}.${shape.table} FINAL`,
    qualified(whereOf(where), shape.table),
    `ORDER BY ${order.join(', ')}`,
    'LIMIT {limit: UInt32}',
  ].join('\n');
  const values = { limit: query.limit + 1, ...valuesOf(where) };
  const found = await clickhouse.rows<Record<string, string | number | boolean | null>>(sql, values);
  const page = found.slice(0, query.limit);
  const last = found.length > query.limit ? page.at(-1) : undefined;
  return {
    rows: page.map((row) => withoutKey(row, shape)),
    next: last === undefined ? null : shape.key.map((_, n) => scalar(last[`key_${n}`])),
  };
}

/** Times are selected as text under their own name, so expressions name the table. */
function qualified(expression: string, table: string): string {
  return expression.replace(/(formatDateTime|toUnixTimestamp64Micro)\((\w+)/g, `$1(${table}.$2`);
}

function scalar(value: string | number | boolean | null | undefined): string | number {
  return typeof value === 'number' ? value : String(value);
}

function withoutKey(row: GoldRow, shape: Shape): GoldRow {
  const kept = Object.entries(row).filter(([name]) => !/^key_\d$/.test(name));
  return Object.fromEntries(kept.slice(0, shape.columns.length));
}

export interface Stats {
  /** Logical rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  readonly markets: readonly {
    readonly market: string;
    readonly run: string;
    readonly bars: number;
    readonly locations: number;
    readonly first_day: string;
    readonly last_day: string;
  }[];
}

const LOCATION_OF: Readonly<Record<string, string>> = {
  gold_ohlc_bars: 'delivery_location',
  gold_rolling_metrics: 'delivery_location',
  gold_curve_prestage: 'location',
  gold_enriched_market_data: 'delivery_location',
};

/** What stands in the gold tables. */
export async function stats(clickhouse: ClickHouse, of: Extent): Promise<Stats> {
  const counts = Object.entries(LOCATION_OF).map(([table, location]) => {
    const from = `${DATABASE}.${table} FINAL ${whereOf(within(of, location))}`;
    return `SELECT '${table}' AS name, count() AS n FROM ${from}`;
  });
  const where = within(of, 'delivery_location');
  const values = valuesOf(where);
  const tables = await clickhouse.rows<{ name: string; n: number }>(counts.join(' UNION ALL '), values);
  const markets = await clickhouse.rows<Stats['markets'][number]>(
    `SELECT market, run, count() AS bars, uniqExact(delivery_location) AS locations,
       toString(min(delivery_date)) AS first_day, toString(max(delivery_date)) AS last_day
     FROM ${DATABASE}.gold_ohlc_bars FINAL ${whereOf(where)} GROUP BY market, run ORDER BY market, run`,
    values,
  );
  return { tables: Object.fromEntries(tables.map(({ name, n }) => [name, n])), markets };
}

/**
 * Every version of an instrument's ticks with interval start in [fromUs, toUs), with the wire's names and
 * units.
 */
export async function silverTicks(
  clickhouse: ClickHouse,
  instrument: string,
  fromUs: number,
  toUs: number,
): Promise<object[]> {
  return clickhouse.rows<object>(
    `SELECT instrument_id, ${micros('t.interval_start')} AS interval_start,
       ${micros('t.interval_end')} AS interval_end, ${micros('t.publication')} AS publication,
       toString(t.version_hash) AS version_hash, nullIf(t.trade_id, '') AS trade_id, trace_id, price, quantity
     FROM ${DATABASE}.silver_normalized_market_data AS t FINAL
     WHERE instrument_id = {instrument: String}
       AND t.interval_start >= fromUnixTimestamp64Micro({from: Int64}, 'UTC')
       AND t.interval_start < fromUnixTimestamp64Micro({to: Int64}, 'UTC')`,
    { instrument, from: fromUs, to: toUs },
  );
}
