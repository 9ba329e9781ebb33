// Looking inside: the actor tree, a market, an instrument; the dead letters.

import { createRoute, z } from '@hono/zod-openapi';
import type { ActorsView, DeadLettersView, EventsView, Stale, TreeNode } from '../views.ts';
import { type App, json, numberParameter, PROBLEM, textParameter } from './app.ts';
import { eventRoutes } from './event-routes.ts';

/**
 * The actors of the whole service, or of this process alone, which is what processes ask each other.
 * `authorization` goes along with what changes something.
 */
export type ActorsOf = (scope: 'service' | 'process', authorization?: string) => ActorsView;

export interface InspectionViews {
  readonly actors: ActorsOf;
  readonly events: EventsView;
  readonly deadLetters: DeadLettersView;
}

export function inspectionRoutes(app: App, views: InspectionViews): void {
  actorRoutes(app, views.actors);
  eventRoutes(app, views.events);
  deadLetterRoutes(app, views.deadLetters);
}

const scope = z.enum(['service', 'process']).default('service');
const market = z.string().min(1).max(40);
const instrument = z.string().min(1).max(200);

const STALE = `While state is being restored (at a start, or when partitions move here) the answer has
\`stale\`: since when, and how many partitions each group has restored of how many (0: not known yet). What is
not read yet is missing, or older than the log. An instrument is \`resting\` while it is stored and needs no
actor.`;

const RELEASE = `For an operator, when the cause of the defects is gone: GET /events?kind=quarantine tells it,
GET /dead-letters?reason=defect shows the records. 202 means that the release has begun; it is over with the
event of kind \`release\`. The instrument starts with its whole budget of defects; more of them than that and
it is in quarantine again, behind the last one. A partition that was paused because its parking is full goes
on. Needs Authorization: Bearer <ADMIN_TOKEN> where that is set.`;

function actorRoutes(app: App, actorsOf: ActorsOf): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors',
      summary: 'The tree of supervisors with states, counts and budgets',
      description: STALE,
      request: { query: z.object({ scope }) },
      responses: { 200: json('The tree') },
    }),
    async (context) => {
      const actors = actorsOf(context.req.valid('query').scope);
      const { of: tree, missing } = await actors.tree();
      const names = tree.nodes.find(({ path }) => path === 'markets')?.nodes ?? [];
      const markets = names.map(({ path }) => `/actors/${path.slice(path.indexOf('/') + 1)}`);
      const also = { ...staleIn(tree), ...partial(missing) };
      return context.json({ tree, markets, ...also }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors/{market}',
      summary: 'A market: its instruments by page, watermark, lag, rate, who is quarantined',
      description: STALE,
      request: {
        params: z.object({ market }),
        query: z.object({ limit: numberParameter(1, 1_000, 100), after: textParameter, scope }),
      },
      responses: { 200: json('The market'), 404: PROBLEM },
    }),
    async (context) => {
      const name = context.req.valid('param').market.toUpperCase();
      const query = context.req.valid('query');
      const actors = actorsOf(query.scope);
      const { of: view, missing } = await actors.market(name, query.limit, query.after ?? null);
      if (view !== null) return context.json({ ...view, ...partial(missing) }, 200);
      const { of: markets } = await actors.markets();
      const message = `no market '${name}' has instruments here`;
      const also = { ...(await staleness(actors)), ...partial(missing) };
      return context.json({ error: 'unknown_market', message, markets, ...also }, 404);
    },
  );
  instrumentRoute(app, actorsOf);
  releaseRoute(app, actorsOf);
}

function instrumentRoute(app: App, actorsOf: ActorsOf): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors/{market}/{instrument}',
      summary: 'An instrument (RTPD:TH_SP15_GEN-APND), or a location with all its runs',
      description: STALE,
      request: { params: z.object({ market, instrument }), query: z.object({ scope }) },
      responses: { 200: json('The instrument, or a list of its runs'), 404: PROBLEM },
    }),
    async (context) => {
      const of = context.req.valid('param');
      const actors = actorsOf(context.req.valid('query').scope);
      const { of: found, missing } = await actors.instruments(of.market.toUpperCase(), of.instrument);
      const [only] = found;
      const also = partial(missing);
      if (only !== undefined && found.length === 1) return context.json({ ...only, ...also }, 200);
      if (found.length > 1) return context.json({ count: found.length, instruments: found, ...also }, 200);
      const unknown = await unknownInstrument(actors, of.market.toUpperCase(), of.instrument);
      return context.json({ ...unknown, ...also }, 404);
    },
  );
}

function releaseRoute(app: App, actorsOf: ActorsOf): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/actors/{market}/{instrument}/release',
      summary: 'Lets a quarantined instrument go on: its parked records first, in order',
      description: RELEASE,
      request: { params: z.object({ market, instrument }), query: z.object({ scope }) },
      responses: { 202: json('Released'), 404: PROBLEM, 409: PROBLEM },
    }),
    async (context) => {
      const of = context.req.valid('param');
      const id = `${of.market.toUpperCase()}:${of.instrument}`;
      const actors = actorsOf(context.req.valid('query').scope, context.req.header('authorization'));
      const { of: outcome, missing } = await actors.release(id);
      if (outcome === 'released')
        return context.json({ instrument_id: id, status: 'releasing', ...partial(missing) }, 202);
      if (outcome === 'unknown') {
        const unknown = await unknownInstrument(actors, of.market.toUpperCase(), of.instrument);
        return context.json({ ...unknown, ...partial(missing) }, 404);
      }
      return context.json({ error: 'not_quarantined', message: `${id} is not in quarantine` }, 409);
    },
  );
}

/** Of an answer that some place did not add to. */
function partial(missing: readonly string[]): { partial?: { missing: readonly string[]; message: string } } {
  if (missing.length === 0) return {};
  const message = 'these did not answer in time: what lives there is not in this answer';
  return { partial: { missing, message } };
}

function staleIn({ stale }: TreeNode): { readonly stale?: Stale } {
  return stale === undefined ? {} : { stale };
}

/** Who is not found may only not be restored yet. */
async function staleness(actors: ActorsView): Promise<{ readonly stale?: Stale }> {
  return staleIn((await actors.tree()).of);
}

async function unknownInstrument(actors: ActorsView, ofMarket: string, name: string) {
  const [{ of: near }, stale] = await Promise.all([actors.near(ofMarket, name), staleness(actors)]);
  const message = near.length === 0 ? 'nothing like it is known here' : 'did you mean one of these?';
  const links = near.map((id) => `/actors/${id.replace(':', '/')}`);
  return {
    error: 'unknown_instrument',
    message: `no instrument '${ofMarket}:${name}': ${message}`,
    near: links,
    ...stale,
  };
}

function deadLetterRoutes(app: App, deadLetters: DeadLettersView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/dead-letters',
      summary: 'Refused records, newest first, with reason and origin',
      request: {
        query: z.object({
          limit: numberParameter(1, 500, 50),
          cursor: textParameter.or(z.string().max(20_000).optional()),
          reason: textParameter,
          service: textParameter,
        }),
      },
      responses: { 200: json('Dead letters') },
    }),
    async (context) => {
      const { limit, cursor, reason, service } = context.req.valid('query');
      const page = await deadLetters.list({
        limit,
        cursor: cursor ?? null,
        reason: reason ?? null,
        service: service ?? null,
      });
      const { letters, next, total } = page;
      return context.json({ dead_letters: letters, count: letters.length, total, next }, 200);
    },
  );
}
