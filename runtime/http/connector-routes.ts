// The connectors: who follows what, how it goes, their history; switched off and on, asked to look now. In
// the process that runs them every port answers; elsewhere the answer says where to ask.

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ConnectorsView, Json, Refused } from '../views.ts';
import { type App, json, numberParameter, PROBLEM } from './app.ts';
import { elsewhere } from './elsewhere.ts';

const name = z.string().min(1).max(40);
const params = z.object({ name });
const reason = z
  .string({ error: 'expected why, in a few words' })
  .trim()
  .min(1, 'expected why, in a few words')
  .max(500);

/** What `refusal` answers with. */
export const REFUSALS = { 404: PROBLEM, 409: PROBLEM, 422: PROBLEM, 503: PROBLEM };

/** The answer to what is not done. `what` names the thing, such as `connector`. */
export function refusal(context: Context, what: string, { refused, message, known }: Refused) {
  const told = { message, ...(known.length === 0 ? {} : { known }) };
  switch (refused) {
    case 'unknown':
      return context.json({ error: `unknown_${what}`, ...told }, 404);
    case 'refused':
      return context.json({ error: 'conflict', ...told }, 409);
    case 'wrong':
      return context.json({ error: 'invalid_parameter', ...told }, 422);
    default:
      return elsewhere(context, { refused, message, known });
  }
}

export function isRefused(of: Json | Refused): of is Refused {
  return 'refused' in of;
}

export function connectorRoutes(app: App, connectors: ConnectorsView): void {
  lookRoutes(app, connectors);
  runRoute(app, connectors);
  switchRoutes(app, connectors);
  fetchRoute(app, connectors);
}

function unknown(context: Context, connectors: ConnectorsView, of: string) {
  const message = `no connector '${of}' runs here: CONNECTORS says which do`;
  return context.json({ error: 'unknown_connector', message, known: connectors.names }, 404);
}

function lookRoutes(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/connectors',
      summary: 'The live connectors: what each follows and how it goes',
      responses: { 200: json('Connectors; none while recordings are replayed instead') },
    }),
    (context) => {
      const all = connectors.names.flatMap((each) => connectors.connector(each) ?? []);
      const note = all.length === 0 ? { message: 'no connector runs here: CONNECTORS says which do' } : {};
      return context.json({ connectors: all, count: all.length, ...note }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/connectors/{name}',
      summary: 'One connector: its switch, limits, feeds and their state',
      request: { params },
      responses: { 200: json('The connector'), 404: PROBLEM },
    }),
    (context) => {
      const of = context.req.valid('param').name;
      const found = connectors.connector(of);
      return found === null ? unknown(context, connectors, of) : context.json(found, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/connectors/{name}/health',
      summary: 'The operator as seen from here: last success, failures in a row, circuit, latency',
      request: { params },
      responses: {
        200: json('healthy, degraded or disabled'),
        404: PROBLEM,
        503: json('unhealthy, and why'),
      },
    }),
    (context) => {
      const of = context.req.valid('param').name;
      const found = connectors.health(of);
      if (found === null) return unknown(context, connectors, of);
      return context.json({ ...found.body, timestamp: new Date().toISOString() }, found.healthy ? 200 : 503);
    },
  );
}

function runRoute(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/connectors/{name}/runs',
      summary: 'What was asked of the operator and what became of it, newest first',
      request: { params, query: z.object({ limit: numberParameter(1, 1_000, 20) }) },
      responses: { 200: json('Runs'), 404: PROBLEM, 422: PROBLEM },
    }),
    (context) => {
      const of = context.req.valid('param').name;
      const runs = connectors.runs(of, context.req.valid('query').limit);
      return runs === null
        ? unknown(context, connectors, of)
        : context.json({ name: of, runs, count: runs.length }, 200);
    },
  );
}

const SWITCH = `Remembered on the log before it is answered, so that it holds over restarts; what is in flight
finishes. An event of its own tells it: GET /events?actor=connectors. Needs Authorization: Bearer
<ADMIN_TOKEN> where that is set.`;

function switchRoutes(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/connectors/{name}/disable',
      summary: 'Asks the operator for nothing more, for a reason',
      description: SWITCH,
      request: {
        params,
        body: { content: { 'application/json': { schema: z.strictObject({ reason }) } }, required: true },
      },
      responses: { 200: json('The connector'), ...REFUSALS },
    }),
    async (context) => {
      const { name: of } = context.req.valid('param');
      const done = await connectors.turn(of, false, context.req.valid('json').reason);
      return isRefused(done) ? refusal(context, 'connector', done) : context.json(done, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/connectors/{name}/enable',
      summary: 'Follows the market again, and catches up',
      description: SWITCH,
      request: {
        params,
        body: { content: { 'application/json': { schema: z.strictObject({ reason: reason.optional() }) } } },
      },
      responses: { 200: json('The connector'), ...REFUSALS },
    }),
    async (context) => {
      const { name: of } = context.req.valid('param');
      const done = await connectors.turn(of, true, context.req.valid('json').reason ?? null);
      return isRefused(done) ? refusal(context, 'connector', done) : context.json(done, 200);
    },
  );
}

function fetchRoute(app: App, connectors: ConnectorsView): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/connectors/{name}/fetch',
      summary: 'Every feed looks now: pauses and an open circuit are passed over once',
      request: { params },
      responses: { 202: json('It looks'), ...REFUSALS },
    }),
    (context) => {
      const done = connectors.fetchNow(context.req.valid('param').name);
      return isRefused(done) ? refusal(context, 'connector', done) : context.json(done, 202);
    },
  );
}
