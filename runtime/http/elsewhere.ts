// Questions about connectors at a process that follows none: whoever does is named, instead of an answer from
// an empty memory.

import type { Context, Next } from 'hono';
import type { ConnectorsView, Refused } from '../views.ts';
import type { App } from './app.ts';

/** 503 with where to ask. */
export function elsewhere(context: Context, { refused, message, known }: Refused) {
  return context.json({ error: refused, message, ...(known.length === 0 ? {} : { ask: known }) }, 503);
}

/** Before the routes themselves. */
export function elsewhereRoutes(app: App, { elsewhere: where, names }: ConnectorsView): void {
  const all = async (context: Context, next: Next) => {
    const found = await where.all();
    return found === null ? next() : elsewhere(context, found);
  };
  const one = async (context: Context, next: Next) => {
    const found = await where.connector(context.req.param('name') ?? '');
    return found === null ? next() : elsewhere(context, found);
  };
  if (names.length === 0) {
    app.use('/connectors', all);
    app.use('/connectors/:name', one);
    app.use('/connectors/:name/health', one);
  }
  for (const path of ['/completeness', '/backfill', '/backfill/:id']) app.use(path, all);
  for (const what of ['runs', 'enable', 'disable', 'fetch']) app.use(`/connectors/:name/${what}`, one);
}
