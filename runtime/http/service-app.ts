// The application of one service: what every service answers, what all can look at, and what is its own.

import type { Context } from 'hono';
import {
  anomalies,
  anomalyCounts,
  type QualityThresholds,
  scoreSummaries,
} from '../../sinks/quality-queries.ts';
import type { QueryKind } from '../../sinks/queries.ts';
import { goldRows, stats } from '../../sinks/queries.ts';
import { type Running, staleBy } from '../service-views.ts';
import type { ConnectorsView, ServiceView } from '../views.ts';
import { type App, type AppSettings, newApp } from './app.ts';
import { backfillRoutes } from './backfill-routes.ts';
import { baseRoutes } from './base-routes.ts';
import { cacheRoutes } from './cache-routes.ts';
import { connectorRoutes } from './connector-routes.ts';
import { elsewhereRoutes } from './elsewhere.ts';
import { type InspectionViews, inspectionRoutes } from './inspection-routes.ts';
import { qualityRoutes } from './quality-routes.ts';
import { queryRoutes } from './query-routes.ts';

/** Groups that bring rows to where queries read them. */
const ANSWERING = ['enrichment-service', 'aggregation-service', 'projection-service'] as const;

/** While the pipeline is being built: health, info and metrics only. */
export function startingApp(settings: AppSettings, service: ServiceView, version: string): App {
  const app = newApp(settings);
  baseRoutes(app, service, version);
  app.notFound(starting);
  return app;
}

function starting(context: Context) {
  const message = 'the service is starting: ask again in a second';
  return context.json({ error: 'starting', message }, 503, { 'retry-after': '1' });
}

/** Nothing is fed before the state behind it is there. */
const FEEDING = ['/connectors', '/connectors/*', '/backfill', '/backfill/*', '/completeness'];

export interface ServiceAppParts {
  readonly settings: AppSettings;
  readonly service: ServiceView;
  readonly version: string;
  readonly running: Running;
  readonly inspection: InspectionViews;
  readonly connectors: ConnectorsView;
  readonly limits: Readonly<Record<QueryKind, number>>;
  readonly thresholds: QualityThresholds;
  readonly nowMs: () => number;
}

export function serviceApp(parts: ServiceAppParts): App {
  const { service, running } = parts;
  const { clickhouse } = running.database;
  const app = newApp(parts.settings);
  baseRoutes(app, service, parts.version);
  inspectionRoutes(app, parts.inspection);
  for (const path of FEEDING) {
    app.use(path, async (context, next) => {
      if (!running.pipeline.platform.started) return starting(context);
      await next();
    });
  }
  elsewhereRoutes(app, parts.connectors);
  connectorRoutes(app, parts.connectors);
  backfillRoutes(app, parts.connectors);
  if (service.name === 'projection') {
    queryRoutes(app, {
      rows: (query) => goldRows(clickhouse, query),
      stats: (extent) => stats(clickhouse, extent),
      cache: running.cache,
      limits: parts.limits,
      stale: () => staleBy(ANSWERING, running),
    });
    cacheRoutes(app, running.cache);
  }
  if (service.name === 'data-quality') {
    qualityRoutes(app, {
      nowMs: parts.nowMs,
      thresholds: parts.thresholds,
      scores: (window, by, limit) => scoreSummaries(clickhouse, window, by, limit, parts.thresholds),
      counts: (window) => anomalyCounts(clickhouse, window),
      anomalies: (query) => anomalies(clickhouse, query),
    });
  }
  return app;
}
