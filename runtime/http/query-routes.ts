// Queries of the gold tables on 8513. A wrong parameter, a name that is none, a day that does not exist: 422
// with its name. Answers are cached until rows of what was asked about change, so a hit is never older than
// the table.

import { createRoute, z } from '@hono/zod-openapi';
import type { QueryKind, Stats } from '../../sinks/queries.ts';
import { cursorFits, type Extent, type GoldPage, type GoldQuery } from '../../sinks/queries.ts';
import type { Stale } from '../views.ts';
import type { AnswerCache } from './answer-cache.ts';
import { type App, dayParameter, json, numberParameter, PROBLEM, packCursor, unpackCursor } from './app.ts';

export interface QueryPorts {
  readonly rows: (query: GoldQuery) => Promise<GoldPage>;
  readonly stats: (extent: Extent) => Promise<Stats>;
  readonly cache: AnswerCache;
  /** What answers depend on that is still being restored; null: nothing. */
  readonly stale: () => Stale | null;
  readonly limits: Readonly<Record<QueryKind, number>>;
}

const LIMIT_MAX = 10_000;
const BAR_TYPES = { daily: ['1D'], hourly: ['1H'], custom: ['5M', '15M'] } as const;
const name = z.string().min(1).max(200).optional();

const extent = {
  market: name,
  run: name,
  delivery_location: name,
  start_date: dayParameter,
  end_date: dayParameter,
};

const shared = (limit: number) => ({
  ...extent,
  bar_type: z.enum(['daily', 'hourly', 'custom']).optional(),
  limit: numberParameter(1, LIMIT_MAX, limit),
  cursor: z.string().max(2_000).optional(),
  use_cache: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['true', 'false', '1', '0']))
    .default('true'),
});

type AskedExtent = z.output<z.ZodObject<typeof extent>>;
type Asked = z.output<z.ZodObject<ReturnType<typeof shared>>>;
const STALE = `While state is being restored the answer has \`stale\`: since when, and how far each group has
come. The rows stand in ClickHouse: those that follow from what is not read yet are missing, or of an earlier
revision.`;

/** What this kind of query asks for besides, and how the answer calls it. */
type More = Readonly<Record<string, string | number | null>>;

export function queryRoutes(app: App, ports: QueryPorts): void {
  const route = <Shape extends z.ZodRawShape>(kind: QueryKind, summary: string, more: Shape) =>
    createRoute({
      method: 'get',
      path: `/query/${kind}`,
      summary,
      description: STALE,
      request: { query: z.strictObject({ ...shared(ports.limits[kind]), ...more }) },
      responses: { 200: json('Rows in the order of their key'), 422: PROBLEM },
    });
  const bars = route('ohlc', 'OHLC bars', { bar_size: z.enum(['5M', '15M', '1H', '1D']).optional() });
  app.openapi(bars, async (context) => {
    const asked = context.req.valid('query');
    const { bar_type: type = null, bar_size: barSize = null } = asked;
    const query = { ...base('ohlc', asked), type, barSize };
    const { body, status } = await answer(ports, query, asked, { bar_size: barSize });
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
    const { body, status } = await answer(ports, { ...base('curves', asked), type }, asked, {
      curve_type: type,
    });
    return context.json(body, status);
  });
  statsRoute(app, ports);
  refreshRoute(app);
}

function extentOf(asked: AskedExtent): Extent {
  return {
    market: asked.market?.toUpperCase() ?? null,
    run: asked.run?.toUpperCase() ?? null,
    location: asked.delivery_location ?? null,
    startDate: asked.start_date ?? null,
    endDate: asked.end_date ?? null,
  };
}

function base(kind: QueryKind, asked: Asked): GoldQuery {
  const { limit } = asked;
  return { kind, ...extentOf(asked), type: null, barSize: null, windowSize: null, limit, cursor: null };
}

interface Answer {
  readonly status: 200 | 422;
  readonly body: Readonly<Record<string, unknown>>;
}

async function answer(ports: QueryPorts, query: GoldQuery, asked: Asked, more: More): Promise<Answer> {
  const problem = checkDays(query) ?? checkSize(query);
  if (problem !== null) return problem;
  const cursor = asked.cursor === undefined ? null : unpackCursor(asked.cursor);
  if (asked.cursor !== undefined && (cursor === null || !cursorFits(query.kind, cursor))) {
    return refused('cursor', 'not a cursor of this query: leave it out to begin');
  }
  const full: GoldQuery = { ...query, cursor };
  const useCache = asked.use_cache === 'true' || asked.use_cache === '1';
  const { page, cached } = await ports.cache.answer(full, useCache, () => ports.rows(full));
  const body = {
    results: page.rows,
    count: page.rows.length,
    market: query.market,
    delivery_location: query.location,
    run: query.run,
    bar_type: asked.bar_type ?? null,
    ...more,
    next: page.next === null ? null : packCursor(page.next),
    cached,
    ...staleNow(ports),
    timestamp: new Date().toISOString(),
  };
  return { status: 200, body };
}

/** Beside an answer, never kept with it. */
function staleNow({ stale }: QueryPorts): { readonly stale?: Stale } {
  const found = stale();
  return found === null ? {} : { stale: found };
}

function checkDays({ startDate, endDate }: Extent): Answer | null {
  if (startDate === null || endDate === null || startDate <= endDate) return null;
  return refused('start_date', `start_date ${startDate} is after end_date ${endDate}`);
}

function checkSize({ kind, type, barSize }: GoldQuery): Answer | null {
  if (kind !== 'ohlc' || type === null || barSize === null) return null;
  const sizes: readonly string[] = Object.entries(BAR_TYPES).find(([each]) => each === type)?.[1] ?? [];
  return sizes.includes(barSize) ? null : refused('bar_size', `bars of ${barSize} are not ${type}`);
}

function refused(field: string, message: string): Answer {
  return { status: 422, body: { error: 'invalid_parameter', message, fields: [{ field, message }] } };
}

function statsRoute(app: App, ports: QueryPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/query/stats',
      summary: 'What stands in the gold tables',
      request: { query: z.strictObject(extent) },
      responses: { 200: json('Counts'), 422: PROBLEM },
    }),
    async (context) => {
      const asked = extentOf(context.req.valid('query'));
      const problem = checkDays(asked);
      if (problem !== null) return context.json(problem.body, problem.status);
      const found = await ports.stats(asked);
      return context.json({ stats: found, ...staleNow(ports), timestamp: new Date().toISOString() }, 200);
    },
  );
}

function refreshRoute(app: App): void {
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
