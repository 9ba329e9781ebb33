// Conformance of the sink: what a topic's records become as rows, value by value; the same rows again change
// nothing; the greatest version stands, whatever came first; a row that cannot be taken is told from a sink
// that is out of order.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { ClickHouse } from '../../sinks/clickhouse.ts';
import { Fault, type Sink } from '../../sinks/sink.ts';
import * as wire from '../support/wire-records.ts';

export interface OpenSink {
  readonly clickhouse: ClickHouse;
  readonly sink: Sink;
}

export const TOPICS = {
  raw: 'ingestion.caiso.raw.v1',
  ticks: 'normalized.market.ticks.v1',
  enriched: 'enriched.market.ticks.v1',
  bars: 'aggregation.ohlc.bars.v1',
  metrics: 'aggregation.rolling.metrics.v1',
  curves: 'aggregation.curve.prestage.v1',
  anomalies: 'data.quality.anomalies.v1',
  scores: 'data.quality.scores.v1',
};

type Row = Readonly<Record<string, unknown>>;

let tokens = 0;

export class Table {
  readonly #open: () => OpenSink;

  constructor(
    open: () => OpenSink,
    readonly topic: string,
    readonly name: string,
  ) {
    this.#open = open;
  }

  write(records: readonly unknown[], token?: string): Promise<{ rows: number }> {
    tokens += 1;
    const rows = wire.rowsOf(this.topic, records, token ?? `test/${tokens}`);
    return this.#open().sink.write(rows, AbortSignal.timeout(30_000));
  }

  async fault(records: readonly unknown[]): Promise<Fault> {
    const error = await this.write(records).then(
      () => null,
      (failed: unknown) => failed,
    );
    if (error instanceof Fault) return error;
    throw new Error(`no fault but ${error}`);
  }

  rows(columns: string, where: string, more = ''): Promise<Row[]> {
    const from = `carbon_ingestion.${this.name} AS t`;
    return this.#open().clickhouse.rows(`SELECT ${columns} FROM ${from} WHERE ${where} ${more}`);
  }

  async physical(where: string): Promise<number> {
    const [row] = await this.rows('count() AS n', where, 'SETTINGS final = 0');
    return Number(row?.n);
  }
}

export function writeTests(open: () => OpenSink): void {
  describe('rows', () => rowTests(open));
  describe('values', () => valueTests(open));
  describe('versions', () => versionTests(open));
  describe('faults', () => faultTests(open));
}

function rowTests(open: () => OpenSink): void {
  test('raw to bronze: verbatim, with what can be read of it in columns', async () => {
    const table = new Table(open, TOPICS.raw, 'bronze_raw_market_data');
    const record = wire.rawRecord({ delivery_location: 'RAW_1' });
    const receipt = await table.write([record]);
    expect(receipt.rows).toBe(1);
    const columns =
      'market, run, data_type, event_id, raw_payload, toUnixTimestamp64Micro(t.occurred_at) AS at';
    expect(await table.rows(columns, "delivery_location = 'RAW_1'")).toEqual([
      {
        market: 'CAISO',
        run: 'RTPD',
        data_type: 'lmp',
        event_id: record.event_id,
        raw_payload: JSON.stringify(record),
        at: record.occurred_at,
      },
    ]);
  });

  const odd: readonly (readonly [string, string])[] = [
    ['no JSON', 'not json at all'],
    ['nothing', ''],
    ['half of JSON', '{"market":"CAISO","values":{"LMP":'],
    ['lines and NUL', 'a\nb\u0000c\r\n'],
    ['other types', '{"market":7,"occurred_at":"soon","publication":{},"trace_id":null}'],
    ['times out of range', '{"occurred_at":9223372036854775807,"publication":-9223372036854775808}'],
    ['a number beyond all', '{"occurred_at":1e309,"publication":-1e309,"x":NaN}'],
    ['deep nesting', `${'['.repeat(3_000)}${']'.repeat(3_000)}`],
    ['a prototype', '{"__proto__":{"market":"X"},"constructor":1}'],
  ];
  for (const [what, text] of odd) {
    test(`raw to bronze: ${what} is kept as it is, and does not hold up its neighbours`, async () => {
      const table = new Table(open, TOPICS.raw, 'bronze_raw_market_data');
      const neighbour = wire.rawRecord({ delivery_location: `NEXT_TO ${what}` });
      await table.write([text, neighbour]);
      const found = await table.rows('hex(raw_payload) AS hex', `raw_payload = unhex('${hex(text)}')`);
      expect(found).toEqual([{ hex: hex(text) }]);
      expect(await table.physical(`delivery_location = 'NEXT_TO ${what}'`)).toBe(1);
    });
  }

  test('ticks to silver: every version of a tick, its flags, and nulls as null', async () => {
    const table = new Table(open, TOPICS.ticks, 'silver_normalized_market_data');
    const at = { instrument_id: 'CAISO:RTPD:TICKS', delivery_location: 'TICKS' };
    const first = wire.tick({ ...at, version_hash: '1111111111111111' });
    const second = wire.tick({
      ...at,
      version_hash: '2222222222222222',
      price: -0.5,
      validation_errors: ['price: below the range'],
      quality_flags: ['price_cap', 'negative'],
    });
    await table.write([first, second, first]);
    const columns = `toString(t.version_hash) AS version_hash, price, quantity, congestion_price,
      quality_flags, validation_status, trade_id, normalization_metadata`;
    const where = "instrument_id = 'CAISO:RTPD:TICKS'";
    expect(await table.rows(columns, where, 'ORDER BY t.version_hash')).toEqual([
      {
        version_hash: '1111111111111111',
        price: 81.90019,
        quantity: null,
        congestion_price: -0.16,
        quality_flags: [],
        validation_status: 'valid',
        trade_id: '',
        normalization_metadata: '{"feed":"caiso.oasis.csv"}',
      },
      {
        version_hash: '2222222222222222',
        price: -0.5,
        quantity: null,
        congestion_price: -0.16,
        quality_flags: ['price_cap', 'negative'],
        validation_status: 'invalid',
        trade_id: '',
        normalization_metadata: '{"feed":"caiso.oasis.csv"}',
      },
    ]);
  });

  test('enriched ticks, metrics, curves, anomalies and scores each land in their table', async () => {
    const cases = [
      [TOPICS.enriched, 'gold_enriched_market_data', wire.enrichedTick({ trace_id: 'LAND' })],
      [TOPICS.metrics, 'gold_rolling_metrics', wire.metric({ delivery_location: 'LAND' })],
      [TOPICS.curves, 'gold_curve_prestage', wire.curvePoint({ location: 'LAND' })],
      [TOPICS.anomalies, 'gold_data_quality_anomalies', wire.anomaly({ trace_id: 'LAND' })],
      [TOPICS.scores, 'gold_data_quality_scores', wire.score({ trace_id: 'LAND' })],
    ] as const;
    const found: Row[] = [];
    for (const [topic, name, record] of cases) {
      const table = new Table(open, topic, name);
      await table.write([record]);
      const key =
        topic === TOPICS.metrics ? 'delivery_location' : topic === TOPICS.curves ? 'location' : 'trace_id';
      found.push(...(await table.rows('*', `${key} = 'LAND'`)));
    }
    expect(found).toMatchObject([
      { semantic_tags: ['electricity', 'hub'], volatility_category: '', enrichment_score: 0.875 },
      { metric_type: 'rolling_average_price', window_size: 5, metric_value: 45.1, sample_count: 5 },
      {
        curve_type: 'spot_curve',
        delivery_hour: 1,
        price: 81.9,
        quantity: null,
        aggregation_date: '2022-09-01',
      },
      { affected_fields: ['price'], deviation_percentage: null, detection_parameters: '{"samples":30}' },
      { quality_score: 0.95, valid: true, anomaly_count: 0 },
    ]);
  });

  test('a calendar message is no row', async () => {
    const table = new Table(open, TOPICS.ticks, 'silver_normalized_market_data');
    const { instrument_id: _, ...rest } = wire.tick({ trace_id: 'CALENDAR' });
    await table.write([{ ...rest, data_type: 'calendar', advance_to: 1 }]);
    expect(await table.physical("trace_id = 'CALENDAR'")).toBe(0);
  });

  test('trades and curves stand in the views of their kind, and in no other', async () => {
    const raw = new Table(open, TOPICS.raw, 'bronze_raw_trades');
    const trade = {
      event_id: 'TRADE',
      market: 'MISO',
      data_type: 'trade',
      trade_id: 't1',
      price: 30.5,
      quantity: 10,
    };
    await raw.write([trade, { ...trade, event_id: 'CURVE', data_type: 'curve', delivery_hour: 7 }]);
    const ticks = new Table(open, TOPICS.ticks, 'silver_normalized_trades');
    const of = { trace_id: 'KINDS', instrument_id: 'MISO:DA:KINDS' };
    await ticks.write([
      wire.tick({ ...of, instrument_type: 'trade', trade_id: 't1', quantity: 10 }),
      wire.tick({ ...of, instrument_type: 'curve' }),
    ]);
    expect(await raw.rows('trade_id, price, quantity', "event_id IN ('TRADE', 'CURVE')")).toEqual([
      { trade_id: 't1', price: 30.5, quantity: 10 },
    ]);
    const curves = new Table(open, TOPICS.raw, 'bronze_raw_curves');
    expect(await curves.rows('event_id, delivery_hour', "event_id IN ('TRADE', 'CURVE')")).toEqual([
      { event_id: 'CURVE', delivery_hour: 7 },
    ]);
    expect(await ticks.rows('trade_id', "trace_id = 'KINDS'")).toEqual([{ trade_id: 't1' }]);
  });
}

function hex(of: string): string {
  return Buffer.from(of).toString('hex').toUpperCase();
}

function valueTests(open: () => OpenSink): void {
  test('prices of any size and sign come back as the same double', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    const prices = [
      ...fc.sample(double, 300),
      0,
      -0.01,
      1e308,
      -1e308,
      5e-324,
      0.1 + 0.2,
      2 ** 53,
      -81.90019,
    ];
    await table.write(
      prices.map((open_price, n) =>
        wire.bar({ delivery_location: 'DOUBLES', bar_start: wire.START_US + n * wire.HOUR_US, open_price }),
      ),
    );
    const found = await table.rows('open_price', "delivery_location = 'DOUBLES'", 'ORDER BY t.bar_start');
    expect(found.map((row) => row.open_price)).toEqual(prices.map((price) => (price === 0 ? 0 : price)));
  });

  test('whole numbers are exact to the last digit', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const versions = [0, 1, 2 ** 40, 2 ** 40 + 1, 7 * 2 ** 40 + 3, Number.MAX_SAFE_INTEGER];
    await table.write(
      versions.map((row_version, n) =>
        wire.bar({
          delivery_location: 'WHOLE',
          bar_start: wire.START_US + n,
          row_version,
          revision: 4_294_967_295,
        }),
      ),
    );
    const columns =
      'toString(t.row_version) AS version, revision, toUnixTimestamp64Micro(t.bar_start) AS start';
    expect(await table.rows(columns, "delivery_location = 'WHOLE'", 'ORDER BY t.bar_start')).toEqual(
      versions.map((version, n) => ({
        version: String(version),
        revision: 4_294_967_295,
        start: wire.START_US + n,
      })),
    );
  });

  test('text in any script comes back as it was', async () => {
    const table = new Table(open, TOPICS.anomalies, 'gold_data_quality_anomalies');
    const texts = [
      ...fc.sample(fc.string({ unit: 'grapheme' }), 100),
      "it's",
      '"\\n"',
      '東京 🜁',
      '\u0000\t',
      '\\N',
    ];
    await table.write(
      texts.map((description, n) =>
        wire.anomaly({ event_id: `TEXT-${n}`.padEnd(9), description, tags: [description] }),
      ),
    );
    const where = "startsWith(event_id, 'TEXT-')";
    const found = await table.rows('event_id, description, tags', where);
    const sorted = found.sort(
      (a, b) => Number(String(a.event_id).slice(5)) - Number(String(b.event_id).slice(5)),
    );
    expect(sorted.map(({ description, tags }) => [description, tags])).toEqual(
      texts.map((each) => [each, [each]]),
    );
  });

  test('null and unknown stay null; a number that is there stays a number', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const at = (n: number) => ({ delivery_location: 'NULLS', bar_start: wire.START_US + n });
    await table.write([
      wire.bar({ ...at(0), vwap: null, twap: null, expected_count: null }),
      wire.bar({ ...at(1), vwap: 0, twap: -1.5, expected_count: 0 }),
    ]);
    const columns = 'vwap, twap, expected_count';
    expect(await table.rows(columns, "delivery_location = 'NULLS'", 'ORDER BY t.bar_start')).toEqual([
      { vwap: null, twap: null, expected_count: null },
      { vwap: 0, twap: -1.5, expected_count: 0 },
    ]);
  });
}

function versionTests(open: () => OpenSink): void {
  test('the 24 hourly bars of a day are 24 rows', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const bars = Array.from({ length: 24 }, (_, n) =>
      wire.bar({ delivery_location: 'DAY', bar_start: wire.START_US + n * wire.HOUR_US }),
    );
    await table.write(bars);
    await open().clickhouse.command('OPTIMIZE TABLE carbon_ingestion.gold_ohlc_bars FINAL');
    expect(await table.physical("delivery_location = 'DAY'")).toBe(24);
  });

  test('a replay lands in the partition of the delivery date, whenever it is run, and merges', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const bar = (aggregation_timestamp: number) => {
      return wire.bar({ delivery_location: 'REPLAY', delivery_date: '2011-07-16', aggregation_timestamp });
    };
    await table.write([bar(wire.START_US)]);
    await table.write([bar(wire.START_US + 365 * 24 * wire.HOUR_US)]);
    const where = "delivery_location = 'REPLAY'";
    expect(await table.rows('DISTINCT aggregation_date, _partition_id AS id', where)).toEqual([
      { aggregation_date: '2011-07-16', id: '20110716' },
    ]);
    expect((await table.rows('count() AS n', where))[0]).toEqual({ n: 1 });
    await open().clickhouse.command('OPTIMIZE TABLE carbon_ingestion.gold_ohlc_bars FINAL');
    expect(await table.physical(where)).toBe(1);
  });

  test('a lost reply that is retried doubles nothing, not even physically', async () => {
    for (const [topic, name, records, where] of [
      [
        TOPICS.bars,
        'gold_ohlc_bars',
        [wire.bar({ delivery_location: 'RETRY' })],
        "delivery_location = 'RETRY'",
      ],
      [
        TOPICS.ticks,
        'silver_normalized_market_data',
        [wire.tick({ trace_id: 'RETRY' })],
        "trace_id = 'RETRY'",
      ],
      [TOPICS.raw, 'bronze_raw_market_data', [wire.rawRecord({ trace_id: 'RETRY' })], "trace_id = 'RETRY'"],
    ] as const) {
      const table = new Table(open, topic, name);
      for (let time = 0; time < 3; time += 1) await table.write(records, 'topic/0/7-8');
      expect(await table.physical(where)).toBe(1);
      expect((await table.rows('count() AS n', where))[0]).toEqual({ n: 1 });
    }
  });

  test('other rows at the position of earlier ones are not taken for them', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    for (const delivery_location of ['LOG_1', 'LOG_2'])
      await table.write([wire.bar({ delivery_location })], 't/0/1-2');
    expect(await table.physical("delivery_location IN ('LOG_1', 'LOG_2')")).toBe(2);
  });

  test('in any order, any batches and any repetition, the greatest row_version stands', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const written = fc.array(fc.record({ key: fc.nat(3), row_version: fc.nat(30), cut: fc.boolean() }), {
      minLength: 1,
      maxLength: 25,
    });
    let run = 0;
    const property = fc.asyncProperty(written, async (rows) => {
      run += 1;
      const delivery_location = `VERSIONS ${run}`;
      const greatest = new Map<number, number>();
      const batch: unknown[] = [];
      for (const { key, row_version, cut } of rows) {
        // The content is a function of the version, as it is in the product.
        const of = { bar_start: wire.START_US + key, row_version, open_price: row_version * 1.5 };
        batch.push(wire.bar({ delivery_location, ...of }));
        greatest.set(key, Math.max(greatest.get(key) ?? 0, row_version));
        if (cut) await table.write(batch.splice(0));
      }
      if (batch.length > 0) await table.write(batch);
      const columns = 'toUnixTimestamp64Micro(t.bar_start) AS start, open_price';
      const found = await table.rows(
        columns,
        `delivery_location = '${delivery_location}'`,
        'ORDER BY t.bar_start',
      );
      const expected = [...greatest].sort(([a], [b]) => a - b);
      expect(found).toEqual(
        expected.map(([key, version]) => ({ start: wire.START_US + key, open_price: version * 1.5 })),
      );
    });
    await fc.assert(property, { numRuns: 15 });
  });

  test('one insert may touch more than a hundred days', async () => {
    const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
    const days = Array.from({ length: 400 }, (_, n) => {
      const delivery_date = new Date(Date.UTC(2020, 0, 1 + n)).toISOString().slice(0, 10);
      return wire.bar({ delivery_location: 'DAYS', delivery_date, bar_start: wire.START_US + n });
    });
    await table.write(days);
    const where = "delivery_location = 'DAYS'";
    expect((await table.rows('uniqExact(aggregation_date) AS n', where))[0]).toEqual({ n: 400 });
  });
}

function faultTests(open: () => OpenSink): void {
  const bad: readonly (readonly [string, unknown])[] = [
    ['no JSON', 'not json'],
    ['half of JSON', '{"payload":{"market":"CAISO"'],
    ['a text for a price', wire.bar({ ...JSON.parse('{"open_price":"high"}') })],
    ['a text for a version', wire.bar({ ...JSON.parse('{"row_version":"v1"}') })],
    ['no date', wire.bar({ delivery_date: 'yesterday' })],
    ['an object for a name', wire.bar({ ...JSON.parse('{"bar_start":{"a":1}}') })],
  ];
  for (const [what, record] of bad) {
    test(`${what} is a bad row: not retryable, and nothing of its insert is there`, async () => {
      const table = new Table(open, TOPICS.bars, 'gold_ohlc_bars');
      const good = wire.bar({ delivery_location: `BESIDE ${what}` });
      const fault = await table.fault([good, record]);
      expect(fault).toMatchObject({ code: 'clickhouse_bad_row', retryable: false });
      expect(await table.physical(`delivery_location = 'BESIDE ${what}'`)).toBe(0);
      await table.write([good]);
      expect(await table.physical(`delivery_location = 'BESIDE ${what}'`)).toBe(1);
    });
  }

  test('a topic without a table is refused', async () => {
    const fault = await new Table(open, 'somebody.elses.v1', 'none').fault([{}]);
    expect(fault).toMatchObject({ code: 'clickhouse_no_table', retryable: false });
  });

  test('a full disk (code 243) is retryable, and writes resume when there is room', async () => {
    const table = new Table(open, TOPICS.curves, 'gold_curve_prestage');
    const setting = 'min_free_disk_bytes_to_perform_insert';
    const alter = (bytes: number) =>
      open().clickhouse.command(
        `ALTER TABLE carbon_ingestion.${table.name} MODIFY SETTING ${setting} = ${bytes}`,
      );
    await alter(10 ** 18);
    const records = [wire.curvePoint({ location: 'FULL' })];
    const fault = await table.fault(records);
    expect(fault).toMatchObject({ code: 'clickhouse_disk_full', retryable: true });
    expect(fault.message).toContain('243');
    await alter(0);
    await table.write(records);
    expect(await table.physical("location = 'FULL'")).toBe(1);
  });

  test('a write that is given up is a fault to retry', async () => {
    const stop = new AbortController();
    stop.abort();
    const rows = wire.rowsOf(TOPICS.bars, [wire.bar()], 'given up');
    const error = await open()
      .sink.write(rows, stop.signal)
      .catch((failed: unknown) => failed);
    expect(error).toMatchObject({ name: 'Fault', retryable: true });
  });
}
