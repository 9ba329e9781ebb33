// The cache on 8513: what it holds, how well it does, and removal by pattern, market or location.

import { createRoute, z } from '@hono/zod-openapi';
import { locationPatterns, marketPatterns } from '../../sinks/cache-keys.ts';
import type { AnswerCache } from './answer-cache.ts';
import { type App, json, PROBLEM } from './app.ts';

const globText = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\w:.*?-]+$/, 'expected letters, digits and any of : . - _ * ?');
const word = z.string().min(1).max(200);

const now = (): string => new Date().toISOString();

export function cacheRoutes(app: App, cache: AnswerCache): void {
  readRoutes(app, cache);
  removeRoutes(app, cache);
  bodyRoutes(app, cache);
}

function readRoutes(app: App, cache: AnswerCache): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/cache/info',
      summary: 'Which cache, how much of it is used, time to live by class',
      responses: { 200: json('Information') },
    }),
    async (context) => {
      const { available, entries, entriesMax } = await cache.stats();
      const info = { kind: cache.kind, available, entries, entries_max: entriesMax, classes: cache.classes };
      return context.json({ info, timestamp: now() }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/cache/stats',
      summary: 'Hits, misses, failures, latency',
      responses: { 200: json('Statistics') },
    }),
    async (context) => {
      const of = await cache.stats();
      const { hits, misses } = cache.lookups;
      const operations = of.operations;
      const stats = {
        available: of.available,
        total_operations: operations,
        cache_hits: hits,
        cache_misses: misses,
        cache_hit_rate: hits + misses === 0 ? null : hits / (hits + misses),
        success_rate: operations === 0 ? null : 1 - of.failures / operations,
        failures: of.failures,
        average_operation_latency_ms: of.latencyMsAverage,
        entries: of.entries,
        invalidations: cache.invalidations,
        top_misses: cache.topMisses(),
      };
      return context.json({ stats, timestamp: now() }, 200);
    },
  );
}

const SCOPED = [
  { what: 'market', patterns: (of: string) => marketPatterns(of.toUpperCase()) },
  { what: 'location', patterns: locationPatterns },
] as const;

function removeRoutes(app: App, cache: AnswerCache): void {
  for (const { what, patterns } of SCOPED) {
    app.openapi(
      createRoute({
        method: 'post',
        path: `/cache/invalidate/${what}`,
        summary: `Removes the answers that hold rows of a ${what}`,
        request: { query: z.strictObject({ [what]: word }) },
        responses: { 200: json('How many were removed'), 422: PROBLEM },
      }),
      async (context) => {
        const of = String(Object.values(context.req.valid('query'))[0]);
        const invalidated = await cache.removeMatching(what, patterns(of));
        return context.json({ invalidated, [what]: of, timestamp: now() }, 200);
      },
    );
  }
  app.openapi(
    createRoute({
      method: 'post',
      path: '/cache/clear',
      summary: 'Removes every answer',
      responses: { 200: json('How many were removed') },
    }),
    async (context) => context.json({ cleared: await cache.clear(), timestamp: now() }, 200),
  );
}

/** Types as configuration names them, and as the routes do. */
const KIND = {
  ohlc: 'ohlc',
  ohlc_bars: 'ohlc',
  metrics: 'metrics',
  rolling_metrics: 'metrics',
  curves: 'curves',
  curve_data: 'curves',
} as const;
const dataTypes = z.array(
  z.enum(['ohlc', 'ohlc_bars', 'metrics', 'rolling_metrics', 'curves', 'curve_data']),
);

function bodyRoutes(app: App, cache: AnswerCache): void {
  const body = <Shape extends z.ZodRawShape>(shape: Shape) => ({
    body: { content: { 'application/json': { schema: z.strictObject(shape) } }, required: true },
  });
  app.openapi(
    createRoute({
      method: 'post',
      path: '/cache/invalidate',
      summary: 'Removes answers whose name matches a pattern with * and ?',
      request: body({ pattern: globText }),
      responses: { 200: json('How many were removed'), 422: PROBLEM },
    }),
    async (context) => {
      const { pattern } = context.req.valid('json');
      const invalidated = await cache.removeMatching('pattern', [pattern]);
      return context.json({ invalidated, pattern, timestamp: now() }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/cache/refresh',
      summary: 'Removes a market’s answers of some types, so that the next question reads them anew',
      request: body({ market: word.optional(), data_types: dataTypes.max(10).optional() }),
      responses: { 200: json('What was removed'), 422: PROBLEM },
    }),
    async (context) => {
      const { market, data_types: types = ['ohlc', 'metrics', 'curves'] } = context.req.valid('json');
      const kinds = new Set(types.map((type) => KIND[type]));
      const all =
        market === undefined ? [...kinds].map((kind) => `${kind}:*`) : marketPatterns(market.toUpperCase());
      const patterns = all.filter((pattern) => [...kinds].some((kind) => pattern.startsWith(`${kind}:`)));
      const refreshed = await cache.removeMatching('refresh', patterns);
      return context.json({ refreshed, market: market ?? null, data_types: types, timestamp: now() }, 200);
    },
  );
}
