// Who may change something by HTTP: anyone on loopback while no token is set, else who has the token. A
// browser on this machine is not a person on it: while changes are open, the request must name a loopback
// host (a rebound DNS name does not) and must not come from a page of another origin.

import type { Context } from 'hono';

export interface Access {
  /** Token that changes need; null: only loopback may change, and is asked for nothing. */
  readonly adminToken: string | null;
  /** Whether the port listens on loopback only. */
  readonly loopback: boolean;
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** Whether an address is reachable from this machine alone. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** The answer that refuses; null: it may go on. */
export function refuse({ adminToken, loopback }: Access, context: Context): Response | null {
  if (READS.has(context.req.method)) return null;
  if (adminToken !== null) return withToken(adminToken, context);
  if (!loopback) {
    const message = 'this port is open to others and no ADMIN_TOKEN is set: changes are refused';
    return context.json({ error: 'forbidden', message }, 403);
  }
  const host = context.req.header('host') ?? '';
  if (!isLoopback(host.replace(/:\d+$/, ''))) {
    const message = `changes are open to this machine only, asked by localhost: not by '${host}'`;
    return context.json({ error: 'forbidden', message }, 403);
  }
  if (!sameOrigin(context, host)) {
    const message = 'a page of another origin may not change anything: set ADMIN_TOKEN and send it';
    return context.json({ error: 'forbidden', message }, 403);
  }
  return null;
}

function withToken(token: string, context: Context): Response | null {
  const given = context.req.header('authorization') ?? '';
  if (sameText(given, `Bearer ${token}`)) return null;
  const message = 'changes need the header Authorization: Bearer <ADMIN_TOKEN>';
  return context.json({ error: 'unauthorized', message }, 401, { 'www-authenticate': 'Bearer' });
}

/** Browsers name the page's origin with every change; others send nothing. */
function sameOrigin(context: Context, host: string): boolean {
  const origin = context.req.header('origin');
  const site = context.req.header('sec-fetch-site') ?? 'none';
  if (origin !== undefined && origin !== `http://${host}`) return false;
  return site === 'none' || site === 'same-origin';
}

/** Takes as long for a near miss as for a far one. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest();
  return crypto.timingSafeEqual(hash(a), hash(b));
}
