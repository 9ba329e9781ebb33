// An answer between the operator and the log: what was fetched, how much of it is taken in, and the entry of
// the history that it becomes. Pure.

import type { RawRecord } from '../domain/wire.ts';
import type { Outcome } from './outcome.ts';
import type { Choice } from './plan.ts';
import { type Run, shortError } from './run.ts';

/** What came of the requests for a choice. */
export interface Fetched {
  readonly outcome: Outcome;
  readonly records: readonly RawRecord[];
  readonly ledger: { readonly rowsRead: number; readonly rowsUsed: number; readonly rowsRefused: number };
  /** Every page came. */
  readonly whole: boolean;
  readonly status: number | null;
  readonly requests: number;
  readonly bytes: number;
  readonly millis: number;
}

export type Ledger = Fetched['ledger'] & { readonly appended: number };

/** An answer on its way to the log. */
export interface Pending {
  readonly choice: Choice;
  readonly fetched: Fetched;
  readonly startedMs: number;
  readonly draw: number;
  /** Records taken so far. */
  readonly done: number;
  readonly appended: number;
  readonly corrected: number;
  readonly unchanged: number;
  readonly unasked: number;
}

/** How long the operator asks to be left alone; null: it does not. */
export function waitOf(outcome: Outcome): number | null {
  return outcome.kind === 'throttled' || outcome.kind === 'failed' ? outcome.retryAfterMs : null;
}

export function runOf(feed: string, seq: number, of: Pending, missing: number, nowMs: number): Run {
  const { outcome, ledger, status, requests, bytes, millis, whole } = of.fetched;
  const isOther = of.unasked > 0 && of.appended + of.unchanged === 0;
  const isPartial = outcome.kind === 'response' && (missing > 0 || !whole || isOther);
  const incomplete = isOther ? 'nothing of the answer was asked for' : whole ? null : 'not every page came';
  return {
    seq,
    feed,
    startedMs: of.startedMs,
    endedMs: nowMs,
    window: of.choice.window.id,
    why: of.choice.why,
    outcome: isPartial ? 'partial' : outcome.kind,
    status,
    requests,
    bytes,
    rows: ledger.rowsRead,
    appended: of.appended,
    corrected: of.corrected,
    unchanged: of.unchanged,
    unasked: of.unasked,
    missing,
    millis,
    error: 'detail' in outcome ? shortError(outcome.detail) : incomplete,
  };
}
