// Looking inside: the actor tree, a market, an instrument; the dead letters.

import { createRoute, z } from '@hono/zod-openapi';
import type { ActorsView, DeadLettersView, EventsView } from '../views.ts';
import { type App, json, numberParameter, PROBLEM, textParameter } from './app.ts';
import { eventRoutes } from './event-routes.ts';

export interface InspectionViews {
  readonly actors: ActorsView;
  readonly events: EventsView;
  readonly deadLetters: DeadLettersView;
}

export function inspectionRoutes(app: App, views: InspectionViews): void {
  actorRoutes(app, views.actors);
  eventRoutes(app, views.events);
  deadLetterRoutes(app, views.deadLetters);
}

const market = z.string().min(1).max(40);
const instrument = z.string().min(1).max(200);

const RELEASE = `For an operator, when the cause of the defects is gone: GET /events?kind=quarantine tells it,
GET /dead-letters?reason=defect shows the records. 202 means that the release has begun; it is over with the
event of kind \`release\`. The instrument starts with its whole budget of defects; more of them than that and
it is in quarantine again, behind the last one. A partition that was paused because its parking is full goes
on. Needs Authorization: Bearer <ADMIN_TOKEN> where that is set.`;

function actorRoutes(app: App, actors: ActorsView): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors',
      summary: 'The tree of supervisors with states, counts and budgets',
      responses: { 200: json('The tree') },
    }),
    (context) => {
      const links = actors.markets().map((each) => `/actors/${each}`);
      return context.json({ tree: actors.tree(), markets: links }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors/{market}',
      summary: 'A market: its instruments by page, watermark, lag, rate, who is quarantined',
      request: {
        params: z.object({ market }),
        query: z.object({ limit: numberParameter(1, 1_000, 100), after: textParameter }),
      },
      responses: { 200: json('The market'), 404: PROBLEM },
    }),
    async (context) => {
      const name = context.req.valid('param').market.toUpperCase();
      const { limit, after } = context.req.valid('query');
      const view = await actors.market(name, limit, after ?? null);
      if (view !== null) return context.json({ ...view }, 200);
      const message = `no market '${name}' has instruments here`;
      return context.json({ error: 'unknown_market', message, markets: actors.markets() }, 404);
    },
  );
  app.openapi(
    createRoute({
      method: 'get',
      path: '/actors/{market}/{instrument}',
      summary: 'An instrument (RTPD:TH_SP15_GEN-APND), or a location with all its runs',
      request: { params: z.object({ market, instrument }) },
      responses: { 200: json('The instrument, or a list of its runs'), 404: PROBLEM },
    }),
    async (context) => {
      const of = context.req.valid('param');
      const found = await actors.instruments(of.market.toUpperCase(), of.instrument);
      const [only] = found;
      if (only !== undefined && found.length === 1) return context.json({ ...only }, 200);
      if (found.length > 1) return context.json({ count: found.length, instruments: found }, 200);
      return context.json(unknownInstrument(actors, of.market.toUpperCase(), of.instrument), 404);
    },
  );
  app.openapi(
    createRoute({
      method: 'post',
      path: '/actors/{market}/{instrument}/release',
      summary: 'Lets a quarantined instrument go on: its parked records first, in order',
      description: RELEASE,
      request: { params: z.object({ market, instrument }) },
      responses: { 202: json('Released'), 404: PROBLEM, 409: PROBLEM },
    }),
    (context) => {
      const of = context.req.valid('param');
      const id = `${of.market.toUpperCase()}:${of.instrument}`;
      const outcome = actors.release(id);
      if (outcome === 'released') return context.json({ instrument_id: id, status: 'releasing' }, 202);
      if (outcome === 'unknown')
        return context.json(unknownInstrument(actors, of.market.toUpperCase(), of.instrument), 404);
      return context.json({ error: 'not_quarantined', message: `${id} is not in quarantine` }, 409);
    },
  );
}

function unknownInstrument(actors: ActorsView, ofMarket: string, name: string) {
  const near = actors.near(ofMarket, name);
  const message = near.length === 0 ? 'nothing like it is known here' : 'did you mean one of these?';
  const links = near.map((id) => `/actors/${id.replace(':', '/')}`);
  return {
    error: 'unknown_instrument',
    message: `no instrument '${ofMarket}:${name}': ${message}`,
    near: links,
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
