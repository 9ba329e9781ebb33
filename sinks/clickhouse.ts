// ClickHouse through its client: the owner of the client library, and the sink that projection writes to.
// Errors come out as Faults that say whether the same call may go through later.

import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { Fault, type Piece, type Receipt, type Sink } from './sink.ts';
import { insertInto } from './table.ts';
import { tableOf } from './tables.ts';

export interface ClickHouseOptions {
  /** `http://user:password@host:8123`; the password never leaves this file. */
  readonly url: string;
  readonly connectionsMax: number;
  readonly requestTimeoutMs: number;
  /** Hears of each query that took `ms` or longer, whether it came through or not. */
  readonly slow?: { readonly ms: number; readonly told: (query: string, millis: number) => void };
}

/** Longer than those who ask for health wait: they tell one that is late from one that is away. */
const PING_MS_MAX = 5_000;

type Parameters = Readonly<Record<string, unknown>>;

export class ClickHouse {
  readonly #client: ClickHouseClient;
  readonly #slow: ClickHouseOptions['slow'];

  constructor(options: ClickHouseOptions) {
    this.#slow = options.slow;
    this.#client = createClient({
      url: options.url,
      max_open_connections: options.connectionsMax,
      request_timeout: options.requestTimeoutMs,
      log: { level: ClickHouseLogLevel.OFF },
      keep_alive: { enabled: true, idle_socket_ttl: 2_000 },
      clickhouse_settings: { async_insert: 0, output_format_json_quote_64bit_integers: 0 },
    });
  }

  async command(query: string, parameters: Parameters = {}): Promise<void> {
    await this.#run(query, () => this.#client.command({ query, query_params: { ...parameters } }));
  }

  /** All rows of a query; values as JSON gives them. */
  async rows<Row>(query: string, parameters: Parameters = {}): Promise<Row[]> {
    return this.#run(query, async () => {
      const result = await this.#client.query({
        query,
        query_params: { ...parameters },
        format: 'JSONEachRow',
      });
      return result.json<Row>();
    });
  }

  /** The answer as bytes, for exports. */
  async bytes(query: string): Promise<Readable> {
    return this.#run(query, async () => (await this.#client.exec({ query })).stream);
  }

  /**
   * Inserts a body, given in pieces, that the query names the format of. `token` says where the rows come
   * from; with the content it says which rows they are, so that those of another log are never taken for
   * these.
   */
  async insertBody(query: string, body: readonly Piece[], token: string, signal: AbortSignal): Promise<void> {
    // Frames of zstd one after the other are one stream of it.
    const packed = await Promise.all(
      body.map(({ bytes, zstd }) => (zstd ? bytes : Bun.zstdCompress(bytes, { level: 1 }))),
    );
    const hash = packed.reduce((seed, piece) => Bun.hash.xxHash64(piece, seed), 0n);
    await this.#run(query, async () => {
      signal.throwIfAborted();
      const { stream } = await this.#client.exec({
        query,
        values: Readable.from(packed, { objectMode: false }),
        http_headers: { 'content-encoding': 'zstd' },
        abort_signal: signal,
        clickhouse_settings: {
          async_insert: 0,
          insert_deduplicate: 1,
          insert_deduplication_token: `${token.slice(0, 200)}#${hash.toString(16)}`,
          input_format_skip_unknown_fields: 1,
          input_format_null_as_default: 1,
          input_format_json_read_objects_as_strings: 1,
          max_partitions_per_insert_block: '0',
          throw_on_max_partitions_per_insert_block: 0,
        },
      });
      stream.resume();
      await new Promise<void>((resolve, reject) => stream.on('end', resolve).on('error', reject));
    });
  }

  /** Null when the server answers, else why not. */
  async ping(): Promise<string | null> {
    try {
      const abort_signal = AbortSignal.timeout(PING_MS_MAX);
      const result = await this.#client.ping({ select: false, abort_signal });
      return result.success ? null : faultOf(result.error).message;
    } catch (error) {
      return faultOf(error).message;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #run<T>(query: string, work: () => Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      return await work();
    } catch (error) {
      throw faultOf(error);
    } finally {
      const millis = performance.now() - from;
      if (this.#slow !== undefined && millis >= this.#slow.ms) this.#slow.told(query, millis);
    }
  }
}

/** The sink of projection. Wants a table for every topic that it is given. */
export function clickhouseSink(clickhouse: ClickHouse): Sink {
  const inserts = new Map<string, string>();
  return {
    async write(rows, signal): Promise<Receipt> {
      const table = tableOf(rows.topic);
      if (table === null) throw new Fault(`no table is fed by ${rows.topic}`, 'clickhouse_no_table', false);
      const query = inserts.get(table.name) ?? insertInto(table);
      inserts.set(table.name, query);
      const from = performance.now();
      const body = table.verbatim ? [{ bytes: verbatim(rows.values()), zstd: false }] : rows.lines();
      await clickhouse.insertBody(query, body, rows.token, signal);
      return { rows: rows.count, millis: performance.now() - from };
    },
    health: () => clickhouse.ping(),
    close: () => clickhouse.close(),
  };
}

/** Records one after the other, each as its length and its bytes: RowBinary. */
function verbatim(values: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(values.reduce((sum, value) => sum + value.length + 5, 0));
  let at = 0;
  for (const value of values) {
    at = writeVarint(body, at, value.length);
    body.set(value, at);
    at += value.length;
  }
  return body.subarray(0, at);
}

function writeVarint(body: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest >= 0x80) {
    body[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  body[at] = rest;
  return at + 1;
}

const ABORTED = /AbortError|TimeoutError|aborted|Timeout error/;
const DISK_FULL = new Set(['243']);
const BUSY = new Set(['159', '202', '209', '210', '241', '252', '285', '319', '425']);
const AUTH = new Set(['192', '193', '194', '497', '516']);
const BAD_ROW = new Set([
  '6',
  '26',
  '27',
  '33',
  '38',
  '41',
  '53',
  '72',
  '117',
  '130',
  '131',
  '321',
  '349',
  '441',
]);

/** What went wrong, told apart by ClickHouse's own code; anything else means that it could not be reached. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const said = error instanceof Error ? error.message : String(error);
  const options = { cause: error, ...(error instanceof ClickHouseError ? { serverCode: error.code } : {}) };
  if (error instanceof Error && ABORTED.test(`${error.name} ${said}`)) {
    return new Fault(`ClickHouse did not answer in time: ${said}`, 'clickhouse_timeout', true, options);
  }
  if (!(error instanceof ClickHouseError)) {
    return new Fault(`ClickHouse cannot be reached: ${said}`, 'clickhouse_unreachable', true, options);
  }
  const message = `ClickHouse error ${error.code}: ${said.slice(0, 500)}`;
  if (DISK_FULL.has(error.code)) return new Fault(message, 'clickhouse_disk_full', true, options);
  if (BUSY.has(error.code)) return new Fault(message, 'clickhouse_busy', true, options);
  if (AUTH.has(error.code)) return new Fault(message, 'clickhouse_denied', false, options);
  if (BAD_ROW.has(error.code)) return new Fault(message, 'clickhouse_bad_row', false, options);
  return new Fault(message, 'clickhouse_error', true, options);
}
