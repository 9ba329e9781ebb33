// Queries and cache routes on 8513, against a real ClickHouse and a naive reading of the same rows: every
// filter, paging without double or missing rows, wrong parameters by name, and answers that are never stale.

import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import { AnswerCache } from '../../runtime/http/answer-cache.ts';
import { type App, newApp } from '../../runtime/http/app.ts';
import { cacheRoutes } from '../../runtime/http/cache-routes.ts';
import { queryRoutes } from '../../runtime/http/query-routes.ts';
import { loggerTo } from '../../runtime/logging.ts';
import type { Stale } from '../../runtime/views.ts';
import { clickhouseSink } from '../../sinks/clickhouse.ts';
import { memoryCache } from '../../sinks/memory-cache.ts';
import { goldRows, stats } from '../../sinks/queries.ts';
import { engineForTests } from '../support/engine.ts';
import { expectedBars, type Filter, shown, writtenBars } from '../support/gold-rows.ts';
import * as wire from '../support/wire-records.ts';

setDefaultTimeout(60_000);
const running = engineForTests();
let app: App;
let cache: AnswerCache;
let tokens = 0;

interface Body {
  readonly [name: string]: unknown;
  readonly results: readonly Record<string, unknown>[];
  readonly next: string | null;
  readonly cached: boolean;
}

async function ask(path: string, query: Readonly<Record<string, unknown>> = {}): Promise<Body> {
  const { status, body } = await answer(path, query);
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

async function answer(path: string, query: Readonly<Record<string, unknown>>, init?: RequestInit) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) words.set(name, String(value));
  const response = await app.request(`http://localhost${path}?${words}`, init);
  const body: Body = JSON.parse(await response.text());
  return { status: response.status, body };
}

async function post(path: string, query: Readonly<Record<string, unknown>>, body?: unknown) {
  const json = { headers: { 'content-type': 'application/json', host: 'localhost' } };
  const init = { method: 'POST', ...json, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return answer(path, query, init);
}

async function write(topic: string, records: readonly unknown[]): Promise<void> {
  tokens += 1;
  const sink = clickhouseSink(running().clickhouse);
  await sink.write(wire.rowsOf(topic, records, `t${tokens}`), AbortSignal.timeout(30_000));
}

const BARS = 'aggregation.ohlc.bars.v1';
let stale: Stale | null = null;

beforeAll(async () => {
  const { clickhouse } = running();
  const on = { enabled: true, ttlSeconds: 300 };
  cache = new AnswerCache(memoryCache(1_000, Date.now), { ohlc: on, metrics: on, curves: on }, () => {});
  const logger = loggerTo('silent', 'projection', () => {});
  app = newApp({ logger, adminToken: null, loopback: true });
  queryRoutes(app, {
    rows: (query) => goldRows(clickhouse, query),
    stats: (extent) => stats(clickhouse, extent),
    cache,
    limits: { ohlc: 1_000, metrics: 1_000, curves: 1_000 },
    stale: () => stale,
  });
  cacheRoutes(app, cache);
  await write(BARS, writtenBars());
  const hours = [1, 2, 3].map((n) => wire.START_US + n * wire.HOUR_US);
  await write(
    'aggregation.rolling.metrics.v1',
    hours.flatMap((hour_end) => [5, 20].map((window_size) => wire.metric({ hour_end, window_size }))),
  );
  await write(
    'aggregation.curve.prestage.v1',
    hours.map((hour_start, n) => wire.curvePoint({ hour_start, delivery_hour: n + 1, price: -n })),
  );
});

test('while state is restored an answer says that it is stale, and the kept answer does not', async () => {
  stale = { since: '2026-01-01T00:00:00.000Z', groups: [], message: 'restoring' };
  expect(await ask('/query/ohlc', { market: 'CAISO', limit: 3 })).toMatchObject({ stale, cached: false });
  expect(await ask('/query/stats', {})).toMatchObject({ stale });
  expect(await ask('/query/ohlc', { market: 'CAISO', limit: 3 })).toMatchObject({ stale, cached: true });
  stale = null;
  const now = await ask('/query/ohlc', { market: 'CAISO', limit: 3 });
  expect(now).toMatchObject({ cached: true });
  expect('stale' in now).toBe(false);
});

async function pages(
  path: string,
  query: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Body = await ask(path, cursor === null ? query : { ...query, cursor });
    expect(page.count).toBe(page.results.length);
    found.push(...page.results);
    if (page.next === null) return found;
    expect(page.next).not.toBe(cursor);
    expect(found.length).toBeLessThan(1_000);
    cursor = page.next;
  }
}

describe('GET /query/ohlc', () => {
  test('gives the rows that stand, in the order of the key, in the agreed shape', async () => {
    const body = await ask('/query/ohlc', { market: 'caiso', delivery_location: 'A B' });
    expect(body.results).toEqual(expectedBars({ market: 'CAISO', delivery_location: 'A B' }).map(shown));
    expect(body).toMatchObject({
      count: 18,
      market: 'CAISO',
      delivery_location: 'A B',
      run: null,
      bar_type: null,
      next: null,
      cached: false,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  test('equals a naive reading for any filter, any page size, cached or not', async () => {
    const maybe = <T>(...of: readonly T[]) => fc.option(fc.constantFrom(...of), { nil: undefined });
    const filters = fc.record({
      market: maybe('CAISO', 'MISO', 'PJM'),
      run: maybe('DAM', 'RTPD', 'DA_EXPOST'),
      delivery_location: maybe('A', 'A B', 'Z.Ü', "it's \\ none\t"),
      start_date: maybe('2022-09-01', '2022-09-02'),
      end_date: maybe('2022-09-02', '2022-09-03'),
      bar_type: maybe('daily', 'hourly', 'custom'),
    });
    const property = fc.asyncProperty(
      filters,
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      async (of, limit, use_cache) => {
        const filter: Filter = Object.fromEntries(
          Object.entries(of).filter(([, value]) => value !== undefined),
        );
        const found = await pages('/query/ohlc', { ...filter, limit, use_cache });
        expect(found).toEqual(expectedBars(filter).map(shown));
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  test('bars of a size, and the days inclusive on both ends', async () => {
    const filter = { bar_size: '15M', start_date: '2022-09-02', end_date: '2022-09-02' };
    expect((await ask('/query/ohlc', filter)).results).toEqual(expectedBars(filter).map(shown));
  });

  test('pages stay complete while rows are inserted before and after the cursor', async () => {
    const bar = (n: number) => {
      return wire.bar({
        market: 'PAGES',
        delivery_location: 'P',
        bar_start: wire.START_US + n * wire.HOUR_US,
      });
    };
    await write(BARS, [2, 4, 6].map(bar));
    const first = await ask('/query/ohlc', { market: 'PAGES', limit: 2 });
    await write(BARS, [1, 3, 5, 7].map(bar));
    cache.changed('ohlc', ['PAGES:RTPD:P']);
    const rest = await ask('/query/ohlc', { market: 'PAGES', limit: 10, cursor: first.next });
    const hours = rest.results.map((row) => Date.parse(String(row.bar_start)) * 1_000 - wire.START_US);
    expect(hours.map((us) => us / wire.HOUR_US)).toEqual([5, 6, 7]);
  });
});

describe('GET /query/metrics, curves and stats', () => {
  test('metrics by type and window', async () => {
    const body = await ask('/query/metrics', {
      metric_type: 'rolling_average_price',
      window_size: 20,
      limit: 2,
    });
    expect(body.results.map((row) => [row.window_size, row.hour_end, row.metric_value])).toEqual([
      [20, '2022-09-01T08:00:00Z', 45.1],
      [20, '2022-09-01T09:00:00Z', 45.1],
    ]);
    expect(await pages('/query/metrics', { limit: 1 })).toHaveLength(6);
    expect(body).toMatchObject({ metric_type: 'rolling_average_price', window_size: 20, bar_type: null });
  });

  test('curves by type, with negative prices', async () => {
    const rows = await pages('/query/curves', { curve_type: 'spot_curve', run: 'RTPD', limit: 2 });
    expect(rows.map((row) => [row.delivery_hour, row.price])).toEqual([
      [1, 0],
      [2, -1],
      [3, -2],
    ]);
    expect((await ask('/query/curves', { curve_type: 'forward_curve' })).results).toEqual([]);
  });

  test('stats count the rows that stand, of all or of what is asked', async () => {
    const { stats: all } = await ask('/query/stats', { end_date: '2022-09-03', run: 'DAM' });
    expect(all).toMatchObject({ tables: { gold_ohlc_bars: expectedBars({ run: 'DAM' }).length } });
    const { stats: some } = await ask('/query/stats', { market: 'MISO', start_date: '2022-09-02' });
    const bars = expectedBars({ market: 'MISO', start_date: '2022-09-02' });
    expect(some).toEqual({
      tables: {
        gold_ohlc_bars: bars.length,
        gold_rolling_metrics: 0,
        gold_curve_prestage: 0,
        gold_enriched_market_data: 0,
      },
      markets: [
        {
          market: 'MISO',
          run: 'DA_EXPOST',
          bars: bars.length,
          locations: 3,
          first_day: '2022-09-02',
          last_day: '2022-09-03',
        },
      ],
    });
  });
});

describe('a wrong parameter is 422 and named', () => {
  const wrong: readonly (readonly [string, string, string])[] = [
    ['ohlc', 'limit', '0'],
    ['ohlc', 'limit', '-1'],
    ['ohlc', 'limit', '10001'],
    ['ohlc', 'limit', '1e3'],
    ['ohlc', 'limit', 'all'],
    ['ohlc', 'start_date', '2022-02-30'],
    ['ohlc', 'start_date', '2022-9-1'],
    ['ohlc', 'end_date', '9999-12-31'],
    ['ohlc', 'start_date', '0000-01-01'],
    ['ohlc', 'bar_type', 'weekly'],
    ['ohlc', 'bar_size', '2H'],
    ['ohlc', 'market', ''],
    ['ohlc', 'run', 'x'.repeat(201)],
    ['ohlc', 'use_cache', 'maybe'],
    ['ohlc', 'cursor', 'bm90IGpzb24'],
    ['ohlc', 'locaton', 'A'],
    ['ohlc', 'window_size', '5'],
    ['metrics', 'window_size', '0'],
    ['metrics', 'curve_type', 'spot_curve'],
    ['curves', 'bar_size', '1H'],
    ['stats', 'limit', '5'],
  ];
  for (const [kind, field, value] of wrong) {
    test(`${kind}: ${field}=${value.slice(0, 20)}`, async () => {
      const { status, body } = await answer(`/query/${kind}`, { [field]: value });
      expect(status).toBe(422);
      expect(body).toMatchObject({
        error: 'invalid_parameter',
        fields: [{ field, message: expect.any(String) }],
      });
    });
  }

  test('days the wrong way round, and a size that is not of the type', async () => {
    const days = await answer('/query/ohlc', { start_date: '2022-09-02', end_date: '2022-09-01' });
    expect([days.status, days.body.fields]).toMatchObject([422, [{ field: 'start_date' }]]);
    const size = await answer('/query/ohlc', { bar_type: 'daily', bar_size: '1H' });
    expect([size.status, size.body.fields]).toMatchObject([422, [{ field: 'bar_size' }]]);
  });

  test('any text whatever is answered: 200 or 422, never a failure', async () => {
    const field = fc.constantFrom(
      'market',
      'run',
      'delivery_location',
      'start_date',
      'limit',
      'cursor',
      'bar_type',
    );
    const cursor = fc
      .array(fc.oneof(fc.string(), fc.double(), fc.integer(), fc.constant(null)), { maxLength: 6 })
      .map((of) => Buffer.from(JSON.stringify(of)).toString('base64url'));
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), cursor);
    const property = fc.asyncProperty(field, text, async (name, value) => {
      const { status } = await answer('/query/ohlc', { [name]: value });
      expect([200, 422]).toContain(status);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('cached answers', () => {
  const query = { market: 'STALE', delivery_location: 'S' };
  const bar = (of: object) => wire.bar({ market: 'STALE', delivery_location: 'S', ...of });

  test('are told, and are the same as fresh ones', async () => {
    await write(BARS, [bar({ vwap: null, open_price: -0.1 })]);
    const first = await ask('/query/ohlc', query);
    const second = await ask('/query/ohlc', query);
    expect([first.cached, second.cached]).toEqual([false, true]);
    expect(second.results).toEqual(first.results);
    expect((await ask('/query/ohlc', { ...query, use_cache: false })).cached).toBe(false);
  });

  test('are never stale once rows of what was asked about are written; others stay', async () => {
    const questions = [query, { market: 'STALE' }, { delivery_location: 'S' }, {}];
    for (const each of questions) await ask('/query/ohlc', each);
    await ask('/query/ohlc', { market: 'CAISO', run: 'DAM' });
    for (let version = 20; version < 25; version += 1) {
      await write(BARS, [bar({ row_version: version, open_price: version })]);
      cache.changed('ohlc', ['STALE:RTPD:S']);
      for (const each of questions) {
        const body = await ask('/query/ohlc', each);
        expect(body.cached).toBe(false);
        const row = body.results.find((found) => found.market === 'STALE');
        expect(row?.open_price).toBe(version);
        expect((await ask('/query/ohlc', each)).cached).toBe(true);
      }
    }
    expect((await ask('/query/ohlc', { market: 'CAISO', run: 'DAM' })).cached).toBe(true);
  });

  const removals: readonly (readonly [string, object, unknown, boolean])[] = [
    ['/cache/invalidate', {}, { pattern: 'ohlc:STALE:*' }, false],
    ['/cache/invalidate', {}, { pattern: 'metrics:*' }, true],
    ['/cache/invalidate/market', { market: 'stale' }, undefined, false],
    ['/cache/invalidate/market', { market: 'CAISO' }, undefined, true],
    ['/cache/invalidate/location', { location: 'S' }, undefined, false],
    ['/cache/invalidate/location', { location: 'A B' }, undefined, true],
    ['/cache/refresh', {}, { market: 'STALE', data_types: ['ohlc_bars'] }, false],
    ['/cache/refresh', {}, { market: 'STALE', data_types: ['curves'] }, true],
    ['/cache/refresh', {}, {}, false],
    ['/cache/clear', {}, undefined, false],
  ];
  for (const [path, words, body, stays] of removals) {
    const what = JSON.stringify(body ?? words);
    test(`POST ${path} ${what} ${stays ? 'leaves' : 'removes'} the answer`, async () => {
      await ask('/query/ohlc', query);
      const { status } = await post(path, { ...words }, body);
      expect(status).toBe(200);
      expect((await ask('/query/ohlc', query)).cached).toBe(stays);
    });
  }

  test('a wrong removal is 422 and named', async () => {
    for (const [path, words, body, field] of [
      ['/cache/invalidate', {}, { pattern: '[a-z]' }, 'pattern'],
      ['/cache/invalidate', {}, { pattern: 'x'.repeat(257) }, 'pattern'],
      ['/cache/invalidate', {}, {}, 'pattern'],
      ['/cache/invalidate/market', {}, undefined, 'market'],
      ['/cache/invalidate/location', { location: '' }, undefined, 'location'],
      ['/cache/refresh', {}, { data_types: ['prices'] }, 'data_types.0'],
    ] as const) {
      const { status, body: problem } = await post(path, words, body);
      expect([status, problem]).toMatchObject([422, { fields: [{ field }] }]);
    }
  });

  test('info and stats say what there is', async () => {
    const { info } = await ask('/cache/info');
    expect(info).toMatchObject({ kind: 'memory', available: true, classes: { ohlc: { ttlSeconds: 300 } } });
    const { stats: found, timestamp } = await ask('/cache/stats');
    expect(found).toMatchObject({
      available: true,
      success_rate: 1,
      invalidations: { update: expect.any(Number), market: expect.any(Number) },
    });
    expect(timestamp).toEqual(expect.any(String));
  });

  test('views are never stale, and say so', async () => {
    const { status, body } = await post('/query/refresh-views', {});
    expect([status, body.refreshed]).toEqual([200, []]);
  });
});
