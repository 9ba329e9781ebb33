// An application for one service port: parameters are checked by schema (422 names the field), errors are
// JSON that says what to do, `/x/` is `/x`, and what changes something needs the right to.

import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Logger } from '../logging.ts';

export interface Problem {
  readonly error: string;
  readonly message: string;
  readonly [more: string]: unknown;
}

export interface AppSettings {
  readonly logger: Logger;
  /** Token that changes need; null: only loopback listens, and changes are open. */
  readonly adminToken: string | null;
  /** Whether the port listens on loopback only. */
  readonly loopback: boolean;
}

export type App = OpenAPIHono;

export function newApp(settings: AppSettings): App {
  const app = new OpenAPIHono({
    strict: false,
    defaultHook: (result, context) => {
      if (result.success) return undefined;
      const fields = result.error.issues.map((issue) => ({
        field: issue.path.join('.'),
        message: issue.message,
      }));
      const message = fields.map((each) => `${each.field}: ${each.message}`).join('; ');
      return context.json({ error: 'invalid_parameter', message, fields }, 422);
    },
  });
  app.use('*', async (context, next) => {
    const { method } = context.req;
    if (method !== 'GET' && method !== 'HEAD') {
      const refusal = refuse(settings, context);
      if (refusal !== null) return refusal;
    }
    return next();
  });
  app.notFound((context) => {
    const message = `no route ${context.req.method} ${context.req.path}: GET / lists what there is`;
    return context.json({ error: 'not_found', message }, 404);
  });
  app.onError((error, context) => {
    const status = statusOf(error);
    const message = error instanceof Error ? error.message : String(error);
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

/** Faults of a sink carry `retryable` and a code: the service is out of order, not wrong. */
function statusOf(error: unknown): 500 | 503 {
  return error instanceof Error && error.name === 'Fault' ? 503 : 500;
}

function refuse({ adminToken, loopback }: AppSettings, context: Context): Response | null {
  if (adminToken === null) {
    if (loopback) return null;
    const message = 'this port is open to others and no ADMIN_TOKEN is set: changes are refused';
    return context.json({ error: 'forbidden', message }, 403);
  }
  const given = context.req.header('authorization') ?? '';
  if (sameText(given, `Bearer ${adminToken}`)) return null;
  const message = 'changes need the header Authorization: Bearer <ADMIN_TOKEN>';
  return context.json({ error: 'unauthorized', message }, 401);
}

/** Takes as long for a near miss as for a far one. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest();
  return crypto.timingSafeEqual(hash(a), hash(b));
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
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a day as YYYY-MM-DD')
  .refine((day) => !Number.isNaN(Date.parse(`${day}T00:00:00Z`)), 'no such day')
  .optional();

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
