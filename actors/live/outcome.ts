// What became of a request. Six kinds that are never mixed: only `no_data` is an answer without prices, and
// only the operator's own words or a day older than it keeps make it one. Throttling is judged by content
// before status, because CAISO's page comes with 429 and with 200.
//
//   reply ──own words?──▶ refusal ─┐
//     │ no                         ├─▶ throttled · no_data · past_retention · invalid · failed
//     ├─ status not 200 ───────────┘
//     └─ parse ──refusal?──┘  no ─▶ response

import type { RefusedResponse } from '../feeds/feed.ts';
import type { Reply, Source, Window } from '../feeds/source.ts';

export type Outcome =
  | { readonly kind: 'response' }
  | { readonly kind: 'throttled'; readonly detail: string; readonly retryAfterMs: number | null }
  | { readonly kind: 'no_data'; readonly detail: string }
  | { readonly kind: 'past_retention'; readonly detail: string }
  /** Our request is wrong, or our key: asking again as it is would change nothing. */
  | { readonly kind: 'invalid'; readonly detail: string }
  /** The operator, the way to it or the bytes failed: ask again later. */
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterMs: number | null };

export type OutcomeKind = Outcome['kind'];

/** The most that an operator may make us wait. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** `120` or an HTTP date → milliseconds from now, at most an hour; null when it says neither. */
export function retryAfterMs(text: string | null, nowMs: number): number | null {
  if (text === null) return null;
  const word = text.trim();
  const ms = /^\d{1,9}$/.test(word) ? Number(word) * 1_000 : Date.parse(word) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(RETRY_AFTER_MS_MAX, Math.max(0, ms));
}

/** What judging needs of a source. */
type Judging = Pick<Source, 'recognise' | 'oldestMs'>;

/** The outcome of a reply that need not be parsed; null: parse it. */
export function judgeReply(source: Judging, window: Window, reply: Reply, nowMs: number): Outcome | null {
  const waitMs = retryAfterMs(reply.retryAfter, nowMs);
  const refusal = source.recognise(reply);
  if (refusal !== null) return judgeRefusal(source, window, refusal, waitMs, nowMs);
  const { status } = reply;
  if (status === 200) return null;
  const detail = `HTTP ${status}`;
  if (status === 429) return { kind: 'throttled', detail, retryAfterMs: waitMs };
  if (status === 503 && waitMs !== null) return { kind: 'failed', detail, retryAfterMs: waitMs };
  if (status === 408 || status >= 500 || status < 400)
    return { kind: 'failed', detail, retryAfterMs: waitMs };
  return { kind: 'invalid', detail: status === 401 || status === 403 ? `${detail}: not permitted` : detail };
}

/** The outcome of a response as a whole that gave no records. */
export function judgeRefusal(
  source: Judging,
  window: Window,
  { reason, detail }: RefusedResponse,
  waitMs: number | null,
  nowMs: number,
): Outcome {
  switch (reason) {
    case 'no_data': {
      const oldest = source.oldestMs(nowMs);
      return oldest !== null && window.endMs <= oldest
        ? { kind: 'past_retention', detail: `${detail}; the operator no longer keeps ${window.date}` }
        : { kind: 'no_data', detail };
    }
    case 'throttled':
      return { kind: 'throttled', detail, retryAfterMs: waitMs };
    case 'invalid_request':
      return { kind: 'invalid', detail };
    default:
      return { kind: 'failed', detail: `${reason}: ${detail}`, retryAfterMs: waitMs };
  }
}
