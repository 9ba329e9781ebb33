// What every service answers: who it is, how it is, and its metrics.

import { createRoute, z } from '@hono/zod-openapi';
import type { HealthView, LedgerView, ServiceView } from '../views.ts';
import { type App, json, routesOf } from './app.ts';

const HEALTHY: ReadonlySet<HealthView['status']> = new Set(['healthy', 'degraded']);

export function baseRoutes(app: App, service: ServiceView, version: string): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/',
      summary: 'What this service is and what it answers',
      responses: { 200: json('The service and its routes') },
    }),
    (context) => {
      const endpoints = routesOf(app).map(({ method, path }) => `${method} ${path}`);
      const { name, description } = service;
      return context.json({ service: name, description, version, endpoints, openapi: '/openapi.json' }, 200);
    },
  );
  health(app, service);
  app.openapi(
    createRoute({
      method: 'get',
      path: '/info',
      summary: 'Version, effective settings, inputs, outputs and the ledger',
      responses: { 200: json('Information') },
    }),
    async (context) => {
      const found = await service.ledger();
      const ledger = Object.fromEntries(found);
      return context.json({ ...service.info(), ledger, conservation: balance(found) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics in the text format of Prometheus',
      responses: {
        200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
      },
    }),
    async (context) => {
      const text = await service.metrics();
      return context.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    },
  );
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: `Carbon ingestion: ${service.name}`, version, description: service.description },
  });
}

function health(app: App, service: ServiceView): void {
  const stamp = () => ({ service: service.name, timestamp: new Date().toISOString() });
  app.openapi(
    createRoute({
      method: 'get',
      path: '/health',
      summary: 'Whether the service can do its job: 503 with a cause when it cannot',
      responses: { 200: json('healthy or degraded'), 503: json('starting, unhealthy or draining') },
    }),
    async (context) => {
      const view = await service.health();
      return context.json({ ...view, ...stamp() }, HEALTHY.has(view.status) ? 200 : 503);
    },
  );
  for (const path of ['/health/live', '/liveness']) {
    app.openapi(
      createRoute({ method: 'get', path, summary: 'The process lives', responses: { 200: json('alive') } }),
      (context) => context.json({ status: 'alive', ...stamp() }, 200),
    );
  }
  for (const path of ['/health/ready', '/readiness']) {
    app.openapi(
      createRoute({
        method: 'get',
        path,
        summary: 'State is restored and traffic may come',
        responses: { 200: json('ready'), 503: json('not ready, and why') },
      }),
      (context) => {
        const { ready, cause } = service.ready();
        return context.json({ status: ready ? 'ready' : 'not_ready', cause, ...stamp() }, ready ? 200 : 503);
      },
    );
  }
}

/** Σ over markets of read − dispositions: 0, or records were lost or invented. */
export function balance(ledgers: ReadonlyMap<string, LedgerView>): number {
  let off = 0;
  for (const { read, first, revision, duplicate, rejected, parked, forwarded } of ledgers.values()) {
    off += read - (first + revision + duplicate + rejected + parked + forwarded);
  }
  return off;
}
