// What of an operating day is on the log, with what is missing by name, and jobs that fetch days besides
// those that are followed.

import { createRoute, z } from '@hono/zod-openapi';
import type { ConnectorsView } from '../views.ts';
import { type App, dayParameter, json, PROBLEM } from './app.ts';
import { isRefused, REFUSALS, refusal } from './connector-routes.ts';

const market = z
  .string()
  .min(1)
  .max(40)
  .transform((text) => text.toUpperCase());
const run = z.string().min(1).max(40);
const day = z.string({ error: 'expected a day as YYYY-MM-DD' }).pipe(dayParameter.unwrap());
const id = z.string().min(1).max(60);

export function backfillRoutes(app: App, connectors: ConnectorsView): void {
  completenessRoute(app, connectors);
  jobRoutes(app, connectors);
  changeRoutes(app, connectors);
}

function completenessRoute(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/completeness',
      summary: 'How much of an operating day is on the log ("287 of 288"), and the gaps by name',
      request: { query: z.object({ market, date: day, run: run.optional() }) },
      responses: { 200: json('By run'), ...REFUSALS },
    }),
    async (context) => {
      const query = context.req.valid('query');
      const found = await connectors.completeness(query.market, query.date, query.run ?? null);
      return isRefused(found) ? refusal(context, 'market', found) : context.json(found, 200);
    },
  );
}

function jobRoutes(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/backfill',
      summary: 'Backfills, oldest first: those under way and the last hundred that are over',
      responses: { 200: json('Jobs with their progress') },
    }),
    (context) => {
      const jobs = connectors.backfills();
      return context.json({ jobs, count: jobs.length, timestamp: new Date().toISOString() }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/backfill/{id}',
      summary: 'One backfill and how far it is',
      request: { params: z.object({ id }) },
      responses: { 200: json('The job'), 404: PROBLEM },
    }),
    (context) => {
      const found = connectors.backfill(context.req.valid('param').id);
      if (found !== null) return context.json(found, 200);
      const message = `no backfill '${context.req.valid('param').id}': GET /backfill lists them`;
      return context.json({ error: 'unknown_backfill', message }, 404);
    },
  );
}

const WISH = z.strictObject({ market, run, from: day, to: day, only_missing: z.boolean().default(true) });

function changeRoutes(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/backfill',
      summary: 'Fetches the operating days from … to, both included; live windows go first',
      description: `A job on the log: it goes on after a restart, and is cancelled by DELETE /backfill/{id}.
\`only_missing: false\` asks for whole days again, so that corrections come in as revisions. What the operator
no longer keeps is told at once where its dates say so. Needs Authorization: Bearer <ADMIN_TOKEN> where that
is set.`,
      request: { body: { content: { 'application/json': { schema: WISH } }, required: true } },
      responses: { 202: json('The job'), ...REFUSALS },
    }),
    async (context) => {
      const { only_missing: onlyMissing, ...wish } = context.req.valid('json');
      const made = await connectors.startBackfill({ ...wish, onlyMissing });
      return isRefused(made) ? refusal(context, 'run', made) : context.json(made, 202);
    },
  );
  app.openapi(
    createRoute({
      method: 'delete',
      path: '/backfill/{id}',
      summary: 'Cancels a backfill; what is in flight finishes, what came stays',
      request: { params: z.object({ id }) },
      responses: { 200: json('The job'), ...REFUSALS },
    }),
    async (context) => {
      const done = await connectors.cancelBackfill(context.req.valid('param').id);
      return isRefused(done) ? refusal(context, 'backfill', done) : context.json(done, 200);
    },
  );
}
