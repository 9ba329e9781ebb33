// An application for one service port: parameters are checked by schema (422 names the field), errors are
// JSON that says what to do, `/x/` is `/x`, a wrong method is 405 with those that are right, and what changes
// something needs the right to (access.ts).

import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from '../logging.ts';
import { type Access, refuse } from './access.ts';

export interface Problem {
  readonly error: string;
  readonly message: string;
  readonly [more: string]: unknown;
}

export interface AppSettings extends Access {
  readonly logger: Logger;
}

export type App = OpenAPIHono;

export function newApp(settings: AppSettings): App {
  const app = new OpenAPIHono({
    strict: false,
    defaultHook: (result, context) => {
      if (result.success) return undefined;
      const fields = result.error.issues.map((issue) => ({
        field: issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.'),
        message: issue.code === 'unrecognized_keys' ? 'no such parameter here' : issue.message,
      }));
      const message = fields.map((each) => `${each.field}: ${each.message}`).join('; ');
      return context.json({ error: 'invalid_parameter', message, fields }, 422);
    },
  });
  app.use('*', async (context, next) => refuse(settings, context) ?? next());
  app.notFound((context) => noRoute(app, context));
  app.onError((error, context) => {
    const status = statusOf(error);
    const message = error instanceof Error ? error.message : String(error);
    if (status === 400) return context.json({ error: 'bad_request', message }, 400);
    const fields = {
      event: 'request_failed',
      method: context.req.method,
      path: context.req.path,
      cause: message,
    };
    if (status === 503) settings.logger.warn(fields);
    else settings.logger.error({ ...fields, stack: error instanceof Error ? error.stack : undefined });
    return context.json({ error: status === 503 ? 'unavailable' : 'internal', message }, status);
  });
  return app;
}

/**
 * Faults of a sink carry `retryable` and a code: the service is out of order, not wrong. What the framework
 * throws is about the request, such as a body that is not JSON.
 */
function statusOf(error: unknown): 400 | 500 | 503 {
  if (error instanceof HTTPException && error.status < 500) return 400;
  return error instanceof Error && (error.name === 'Fault' || error.name === 'LogFault') ? 503 : 500;
}

/** 405 with `Allow` where the path has other methods, else 404. */
export function noRoute(app: App, context: Context): Response {
  const { method, path } = context.req;
  const allowed = methodsOf(app, path);
  if (allowed.length === 0) {
    const message = `no route ${path}: GET / lists what there is`;
    return context.json({ error: 'not_found', message }, 404);
  }
  const allow = allowed.join(', ');
  const message = `${path} does not answer ${method}: it answers ${allow}`;
  return context.json({ error: 'method_not_allowed', message }, 405, { allow });
}

/** `GET` answers `HEAD` too. */
function methodsOf(app: App, path: string): string[] {
  const found = new Set<string>();
  for (const route of routesOf(app)) {
    if (!matcher(route.path).test(path)) continue;
    found.add(route.method);
    if (route.method === 'GET') found.add('HEAD');
  }
  return [...found].sort();
}

function matcher(pattern: string): RegExp {
  const literal = pattern.replace(/[.*+?^$()[\]\\|]/g, '\\$&');
  return new RegExp(`^${literal.replace(/\{[^/]+\}/g, '[^/]+')}/?$`);
}

/** Routes of an application, each once, with parameters as `{name}`. */
export function routesOf(app: App): readonly { readonly method: string; readonly path: string }[] {
  const found = new Map<string, { method: string; path: string }>();
  for (const { method, path: pattern } of app.routes) {
    if (method === 'ALL' || pattern.includes('*')) continue;
    const path = pattern.replace(/:([^/]+)/g, '{$1}');
    found.set(`${method} ${path}`, { method, path });
  }
  return [...found.values()];
}

/** JSON of any shape, described in a sentence. */
export function json(description: string) {
  return { description, content: { 'application/json': { schema: z.unknown() } } };
}

export const PROBLEM = json('What is wrong and what to do');

/** A number of a query string within bounds. */
export function numberParameter(from: number, to: number, fallback: number) {
  return z
    .string()
    .regex(/^-?\d{1,9}$/, `expected a whole number, ${from}–${to}`)
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value >= from && value <= to, `expected ${from}–${to}`);
}

export const textParameter = z.string().min(1).max(200).optional();
export const dayParameter = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'expected a day as YYYY-MM-DD', abort: true })
  .refine(isDay, { error: 'no such day', abort: true })
  .refine((day) => day >= '1970-01-01' && day <= '2149-06-06', 'expected 1970-01-01–2149-06-06')
  .optional();

/** `Date` takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** An instant: ISO 8601 with its offset; a bare day is its start in UTC. */
export const instantParameter = z
  .string()
  .refine((text) => !Number.isNaN(instantMs(text)), 'expected an instant such as 2024-01-31T00:00:00Z')
  .optional();

export function instantMs(text: string): number {
  const withTime = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  return /(Z|[+-]\d{2}:?\d{2})$/.test(withTime) ? Date.parse(withTime) : Number.NaN;
}

/** Cursors travel as one opaque word. */
export function packCursor(of: unknown): string {
  return Buffer.from(JSON.stringify(of)).toString('base64url');
}

/** Null for a word that is no cursor of ours. */
export function unpackCursor(word: string): readonly (string | number)[] | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(word, 'base64url').toString('utf8'));
    if (!Array.isArray(parsed) || parsed.length > 8) return null;
    const plain = parsed.filter((each) => typeof each === 'string' || typeof each === 'number');
    return plain.length === parsed.length ? plain : null;
  } catch {
    return null;
  }
}
