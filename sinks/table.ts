// How a table is described: its columns, its key, and how records of a topic become its rows. The mapping is
// done by ClickHouse itself while it parses the records, so a row costs this process the copy of its bytes
// and no more.

export interface Column {
  readonly name: string;
  /** ClickHouse type, with its codec. */
  readonly type: string;
  /** Type under which the record's field is read; absent: the column is computed. */
  readonly read?: string;
  /** Expression over the fields read; absent: the field of the same name. */
  readonly from?: string;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly engine: string;
  readonly partitionBy: string;
  readonly orderBy: string;
  /** Fields of the record are inside `payload`. */
  readonly nested: boolean;
  /** Rows for which this does not hold are left out, such as calendar messages. */
  readonly where: string | null;
  /** The record is taken as text, whatever it holds, and its fields are extracted from it. */
  readonly verbatim: boolean;
}

export const DATABASE = 'carbon_ingestion';

export const name = (column: string): Column => ({
  name: column,
  type: 'LowCardinality(String)',
  read: 'String',
});
export const text = (column: string): Column => ({
  name: column,
  type: 'String CODEC(ZSTD(1))',
  read: 'String',
});
export const price = (column: string): Column => ({
  name: column,
  type: 'Nullable(Float64) CODEC(ZSTD(1))',
  read: 'Nullable(Float64)',
});
export const float = (column: string): Column => ({
  name: column,
  type: 'Float64 CODEC(ZSTD(1))',
  read: 'Float64',
});
export const count = (column: string, type = 'UInt32'): Column => ({ name: column, type, read: type });
export const names = (column: string): Column => ({
  name: column,
  type: 'Array(LowCardinality(String))',
  read: 'Array(String)',
});
export const flag = (column: string): Column => ({ name: column, type: 'Bool', read: 'Bool' });
export const date = (column: string): Column => ({ name: column, type: 'Date', read: 'Date' });

/** Microseconds of the wire as an instant. */
export const instant = (column: string): Column => ({
  name: column,
  type: "DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))",
  read: 'Int64',
  from: `fromUnixTimestamp64Micro(${column}, 'UTC')`,
});

export const computed = (column: string, type: string, from: string): Column => ({
  name: column,
  type,
  from,
});

export const envelope: readonly Column[] = [
  text('event_id'),
  text('trace_id'),
  instant('occurred_at'),
  name('tenant_id'),
  name('schema_version'),
  name('producer'),
];

/** Where a statement of the schema takes effect: this server, or all of a cluster. */
export const onCluster = (cluster: string | null): string =>
  cluster === null ? '' : ` ON CLUSTER '${cluster}'`;

/**
 * `CREATE TABLE IF NOT EXISTS …`; `cluster` makes it replicated: every server of the cluster holds all rows.
 * Path and replica are the server's own defaults (`default_replica_path`, `default_replica_name`).
 */
export function createTable(table: Table, cluster: string | null): string {
  const columns = table.columns.map((each) => `  \`${each.name}\` ${each.type}`).join(',\n');
  const engine = cluster === null ? table.engine : `Replicated${table.engine}`;
  const remembered = cluster === null ? 'non_replicated' : 'replicated';
  return [
    `CREATE TABLE IF NOT EXISTS ${DATABASE}.${table.name}${onCluster(cluster)} (`,
    columns,
    `) ENGINE = ${engine}`,
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY (${table.orderBy})`,
    `SETTINGS ${remembered}_deduplication_window = 1000`,
  ].join('\n');
}

/** The insert that turns records into rows. Its body is the records, in the format it ends with. */
export function insertInto(table: Table): string {
  const fields = new Map<string, string>();
  for (const column of table.columns) if (column.read !== undefined) fields.set(column.name, column.read);
  const inEnvelope = new Set(envelope.map((each) => each.name));
  const structure = structureOf(table, fields, inEnvelope);
  const columns = table.columns.map((each) => `\`${each.name}\``).join(', ');
  const select = table.columns.map((each) => expressionOf(table, each, inEnvelope)).join(', ');
  const where = table.where === null ? '' : ` WHERE ${table.where}`;
  const format = table.verbatim ? 'RowBinary' : 'JSONEachRow';
  const source = `input('${structure.replaceAll("'", "\\'")}')`;
  const into = `INSERT INTO ${DATABASE}.${table.name} (${columns})`;
  return `${into} SELECT ${select} FROM ${source}${where} FORMAT ${format}`;
}

function structureOf(
  table: Table,
  fields: ReadonlyMap<string, string>,
  outside: ReadonlySet<string>,
): string {
  if (table.verbatim) return 'line String';
  const listed = [...fields].map(([field, type]) => [field, `${field} ${type}`] as const);
  if (!table.nested) return listed.map(([, each]) => each).join(', ');
  const outer = listed.filter(([field]) => outside.has(field)).map(([, each]) => each);
  const inner = listed.filter(([field]) => !outside.has(field)).map(([, each]) => each);
  return [...outer, `payload Tuple(${inner.join(', ')})`].join(', ');
}

function expressionOf(table: Table, column: Column, outside: ReadonlySet<string>): string {
  const expression = column.from ?? column.name;
  if (!table.nested || column.read === undefined || outside.has(column.name)) return expression;
  return expression.replaceAll(new RegExp(`\\b${column.name}\\b`, 'g'), `payload.${column.name}`);
}
