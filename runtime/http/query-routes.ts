// Queries of the gold tables on 8513. Answers are cached with the stamp of the rows they came from: once a
// table has got new rows its cached answers count for nothing, so a hit is never older than the table.

import { createRoute, z } from '@hono/zod-openapi';
import { queryKey } from '../../sinks/cache-keys.ts';
import type { GoldPage, GoldQuery, QueryKind, Stats } from '../../sinks/queries.ts';
import type { AnswerCache } from './answer-cache.ts';
import { type App, dayParameter, json, numberParameter, PROBLEM, packCursor, unpackCursor } from './app.ts';

export interface QueryPorts {
  readonly rows: (query: GoldQuery) => Promise<GoldPage>;
  readonly stats: () => Promise<Stats>;
  readonly keyTypes: (kind: QueryKind) => readonly ('string' | 'number')[];
  readonly cache: AnswerCache;
  readonly limits: Readonly<Record<QueryKind, number>>;
}

const LIMIT_MAX = 10_000;
const name = z.string().min(1).max(200).optional();

const shared = (limit: number) => ({
  market: name,
  run: name,
  delivery_location: name,
  start_date: dayParameter,
  end_date: dayParameter,
  limit: numberParameter(1, LIMIT_MAX, limit),
  cursor: z.string().max(2_000).optional(),
  use_cache: z.enum(['true', 'false', '1', '0']).default('true'),
});

type Asked = z.output<z.ZodObject<ReturnType<typeof shared>>>;

const SIZES: Readonly<Record<string, string>> = { daily: '1D', hourly: '1H' };

export function queryRoutes(app: App, ports: QueryPorts): void {
  const route = <Shape extends z.ZodRawShape>(kind: QueryKind, summary: string, more: Shape) =>
    createRoute({
      method: 'get',
      path: `/query/${kind}`,
      summary,
      request: { query: z.object({ ...shared(ports.limits[kind]), ...more }) },
      responses: { 200: json('Rows in the order of their key'), 422: PROBLEM },
    });
  const bars = route('ohlc', 'OHLC bars', {
    bar_type: z.enum(['daily', 'hourly', 'custom']).optional(),
    bar_size: z.enum(['5M', '15M', '1H', '1D']).optional(),
  });
  app.openapi(bars, async (context) => {
    const asked = context.req.valid('query');
    const size = asked.bar_size ?? (asked.bar_type === undefined ? null : (SIZES[asked.bar_type] ?? null));
    const query = { ...base('ohlc', asked), type: asked.bar_type ?? null, barSize: size };
    const { body, status } = await answer(ports, query, asked, {
      bar_type: asked.bar_type ?? null,
      bar_size: size,
    });
    return context.json(body, status);
  });
  const metrics = route('metrics', 'Rolling metrics at the end of each hour', {
    metric_type: name,
    window_size: numberParameter(1, 1_000, 0).optional(),
  });
  app.openapi(metrics, async (context) => {
    const asked = context.req.valid('query');
    const { metric_type: type = null, window_size: windowSize = null } = asked;
    const query = { ...base('metrics', asked), type, windowSize };
    const { body, status } = await answer(ports, query, asked, {
      metric_type: type,
      window_size: windowSize,
    });
    return context.json(body, status);
  });
  app.openapi(route('curves', 'Curve points', { curve_type: name }), async (context) => {
    const asked = context.req.valid('query');
    const { curve_type: type = null } = asked;
    const query = { ...base('curves', asked), type };
    const { body, status } = await answer(ports, query, asked, { curve_type: type });
    return context.json(body, status);
  });
  otherRoutes(app, ports);
}

function base(kind: QueryKind, asked: Asked): GoldQuery {
  return {
    kind,
    market: asked.market?.toUpperCase() ?? null,
    run: asked.run?.toUpperCase() ?? null,
    location: asked.delivery_location ?? null,
    startDate: asked.start_date ?? null,
    endDate: asked.end_date ?? null,
    type: null,
    barSize: null,
    windowSize: null,
    limit: asked.limit,
    cursor: null,
  };
}

interface Answer {
  readonly status: 200 | 422;
  readonly body: Readonly<Record<string, unknown>>;
}

async function answer(
  ports: QueryPorts,
  query: GoldQuery,
  asked: Asked,
  more: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const problem = checkDays(query);
  if (problem !== null) return refused('start_date', problem);
  const cursor = asked.cursor === undefined ? null : unpackCursor(asked.cursor);
  const types = ports.keyTypes(query.kind);
  if (asked.cursor !== undefined && !fits(cursor, types)) {
    return refused('cursor', 'not a cursor of this query: leave it out to begin');
  }
  const full: GoldQuery = { ...query, cursor };
  const useCache = asked.use_cache === 'true' || asked.use_cache === '1';
  const { page, cached } = await ports.cache.answer(query.kind, queryKey(full), useCache, () =>
    ports.rows(full),
  );
  const body = {
    results: page.rows,
    count: page.rows.length,
    market: query.market,
    delivery_location: query.location,
    run: query.run,
    ...more,
    next: page.next === null ? null : packCursor(page.next),
    cached,
    timestamp: new Date().toISOString(),
  };
  return { status: 200, body };
}

function checkDays({ startDate, endDate }: GoldQuery): string | null {
  if (startDate === null || endDate === null || startDate <= endDate) return null;
  return `start_date ${startDate} is after end_date ${endDate}`;
}

function fits(cursor: readonly (string | number)[] | null, types: readonly string[]): boolean {
  return (
    cursor !== null && cursor.length === types.length && cursor.every((each, n) => typeof each === types[n])
  );
}

function refused(field: string, message: string): Answer {
  return { status: 422, body: { error: 'invalid_parameter', message, fields: [{ field, message }] } };
}

function otherRoutes(app: App, ports: QueryPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/query/stats',
      summary: 'What stands in the gold tables',
      responses: { 200: json('Counts') },
    }),
    async (context) => context.json({ stats: await ports.stats(), timestamp: new Date().toISOString() }, 200),
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/query/refresh-views',
      summary: 'Nothing to refresh: the views are plain selections',
      responses: { 200: json('Done') },
    }),
    (context) => {
      const message = 'views select from the tables each time: they are never stale';
      return context.json({ refreshed: [], message, timestamp: new Date().toISOString() }, 200);
    },
  );
}
