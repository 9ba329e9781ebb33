// Asks for one choice of a feed: each page in turn, judged, parsed and gathered. What any step finds wrong is
// the outcome; nothing is thrown but at a stop.

import type { RawRecord } from '../../actors/domain/wire.ts';
import type { Correction, Parsed, RefusedResponse, Response } from '../../actors/feeds/feed.ts';
import { type Finding, findingsOf } from '../../actors/feeds/findings.ts';
import type { Ask, Reply, Source, Window } from '../../actors/feeds/source.ts';
import { judgeRefusal, judgeReply, type Outcome, retryAfterMs } from '../../actors/live/outcome.ts';
import { type Fetched, waitOf } from '../../actors/live/pending.ts';
import type { Choice } from '../../actors/live/plan.ts';
import type { Fetch } from './fetch.ts';
import { FetchFault } from './fetch-fault.ts';
import { type Limiter, LimiterFault } from './host-limiter.ts';
import type { ConnectorPlan, Registry } from './settings.ts';

export interface RequestParts {
  readonly connector: ConnectorPlan;
  readonly registry: Registry;
  readonly fetch: Fetch;
  readonly limiter: Limiter;
  readonly nowMs: () => number;
  readonly tenantId: string;
  /** Of the secrets, by name; null: it is not set. */
  readonly secret: (name: string) => string | null;
  readonly requested: (endpoint: string, seconds: number) => void;
  readonly found: (finding: Finding) => void;
}

/** What asking needs of a source. */
export type Asking = Pick<Source, 'name' | 'request' | 'nextPage' | 'recognise' | 'oldestMs'>;

interface Gathering {
  readonly records: RawRecord[];
  readonly corrections: Correction[];
  ledger: Fetched['ledger'];
  status: number | null;
  requests: number;
  bytes: number;
  millis: number;
}

const RESPONSE: Outcome = { kind: 'response' };

export async function request(
  parts: RequestParts,
  source: Asking,
  { window, span }: Choice,
  signal: AbortSignal,
): Promise<Fetched & Pick<Gathering, 'corrections'>> {
  const all: Gathering = {
    records: [],
    corrections: [],
    ledger: { rowsRead: 0, rowsUsed: 0, rowsRefused: 0 },
    status: null,
    requests: 0,
    bytes: 0,
    millis: 0,
  };
  let ask = source.request(window, span, parts.nowMs());
  if (ask === null) return { ...all, outcome: failed('it can no longer be asked for'), whole: false };
  while (ask !== null) {
    const came: Outcome | Reply = await page(parts, source, window, ask, all, signal);
    const outcome: Outcome | Reply = 'kind' in came ? withoutSecret(came, secretOf(parts, ask)) : came;
    if ('kind' in outcome) {
      const isAnswer = all.records.length > 0 && outcome.kind === 'no_data';
      return { ...all, outcome: isAnswer ? RESPONSE : outcome, whole: outcome.kind === 'no_data' };
    }
    const next: Ask | RefusedResponse | null = source.nextPage?.(ask, outcome) ?? null;
    if (next !== null && 'reason' in next) {
      return { ...all, outcome: judgeRefusal(source, window, next, null, parts.nowMs()), whole: false };
    }
    ask = next;
  }
  return { ...all, outcome: RESPONSE, whole: true };
}

function failed(detail: string): Outcome {
  return { kind: 'failed', detail, retryAfterMs: null };
}

function secretOf(parts: RequestParts, ask: Ask): string | null {
  return ask.secret === null ? null : parts.secret(ask.secret.name);
}

function needed(name: string): string {
  return `it needs the key ${name}: set ${name} or ${name}_FILE, and start again`;
}

/** An operator may say the key back to us. */
function withoutSecret(outcome: Outcome, secret: string | null): Outcome {
  if (secret === null || !('detail' in outcome)) return outcome;
  return { ...outcome, detail: outcome.detail.replaceAll(secret, '***') };
}

/** Takes a page's records; the reply when that went well, else what became of it. */
async function page(
  parts: RequestParts,
  source: Asking,
  window: Window,
  ask: Ask,
  all: Gathering,
  signal: AbortSignal,
): Promise<Outcome | Reply> {
  const reply = await fetchOne(parts, source, ask, all, signal);
  if ('kind' in reply) return reply;
  const nowMs = parts.nowMs();
  const judged = judgeReply(source, window, reply, nowMs);
  if (judged !== null) return heldBack(parts, ask, judged);
  const response: Response = { name: ask.name, bytes: reply.bytes, takenMs: nowMs, tenantId: parts.tenantId };
  const parsed = parse(parts, response, reply.contentType);
  if ('kind' in parsed) return parsed;
  if (parsed.refusal !== undefined) {
    const waitMs = retryAfterMs(reply.retryAfter, nowMs);
    return heldBack(parts, ask, judgeRefusal(source, window, parsed.refusal, waitMs, nowMs));
  }
  for (const finding of findingsOf(ask.name, parsed)) parts.found(finding);
  all.records.push(...parsed.records);
  all.corrections.push(...(parsed.corrections ?? []));
  const { rowsRead, rowsUsed, rowsRefused } = parsed.ledger;
  all.ledger = {
    rowsRead: all.ledger.rowsRead + rowsRead,
    rowsUsed: all.ledger.rowsUsed + rowsUsed,
    rowsRefused: all.ledger.rowsRefused + rowsRefused,
  };
  return reply;
}

async function fetchOne(
  parts: RequestParts,
  source: Asking,
  ask: Ask,
  all: Gathering,
  signal: AbortSignal,
): Promise<Outcome | Reply> {
  const { connector } = parts;
  const headers: Record<string, string> = {};
  if (ask.secret !== null) {
    const secret = secretOf(parts, ask);
    if (secret === null) return { kind: 'invalid', detail: needed(ask.secret.name) };
    headers[ask.secret.header] = secret;
  }
  try {
    const { reply, millis } = await parts.fetch(
      {
        url: urlOf(connector, ask),
        headers,
        origins: connector.origins,
        privateAddresses: connector.privateAddresses,
        timeoutMs: connector.timeoutMs,
        bytesMax: connector.bytesMax,
        turn: async (host) => {
          await parts.limiter.turn(host, connector.requestIntervalMs, signal);
          all.requests += 1;
        },
      },
      signal,
    );
    parts.requested(source.name, millis / 1_000);
    all.status = reply.status;
    all.bytes += reply.bytes.length;
    all.millis += millis;
    return reply;
  } catch (error) {
    signal.throwIfAborted();
    return fault(error);
  }
}

/** A fault of the outside is an outcome; a defect goes on. */
function fault(error: unknown): Outcome {
  if (error instanceof FetchFault) return failed(`${error.code}: ${error.message}`);
  if (error instanceof LimiterFault) return failed(error.message);
  throw error;
}

function urlOf({ bases }: ConnectorPlan, { base, path }: Ask): string {
  return `${(bases[base] ?? '').replace(/\/$/, '')}/${path}`;
}

/** Who is throttled, or told to come back later, leaves the host alone, with all processes of the machine. */
function heldBack({ connector, limiter }: RequestParts, ask: Ask, outcome: Outcome): Outcome {
  const waitMs = waitOf(outcome) ?? (outcome.kind === 'throttled' ? connector.requestIntervalMs : null);
  if (waitMs === null) return outcome;
  const host = new URL(urlOf(connector, ask)).hostname;
  try {
    limiter.hold(host, waitMs);
  } catch (error) {
    return fault(error);
  }
  return outcome;
}

/** A feed that throws has a defect: the response is a failure like any other, and the feed goes on. */
function parse(parts: RequestParts, response: Response, contentType: string): Parsed | Outcome {
  const feed = parts.registry.findFeed(response);
  if (feed === null) return failed(`unknown_format: no feed reads ${glance(response.bytes, contentType)}`);
  try {
    return feed.parse(response);
  } catch (error) {
    return failed(`${feed.name} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const GLANCE_BYTES = 60;

/** Enough of a body to know it again. */
function glance(bytes: Uint8Array, contentType: string): string {
  const head = new TextDecoder().decode(bytes.subarray(0, GLANCE_BYTES)).replace(/[^\x20-\x7e]+/g, ' ');
  return `its ${bytes.length} bytes of '${contentType}', which begin '${head.trim()}'`;
}
