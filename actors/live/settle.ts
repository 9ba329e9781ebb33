// What an answer makes of a window: its records are taken into the coverage, and the window says when it may
// be asked again. Pure.

import { DAY_MS, HOUR_MS } from '../domain/time.ts';
import type { RawRecord } from '../domain/wire.ts';
import type { Window } from '../feeds/source.ts';
import { backoffMs } from '../supervision.ts';
import { type Gap, intervalMsOf, type Merged, merge, missing } from './coverage.ts';
import type { OutcomeKind } from './outcome.ts';
import { type Choice, type FeedSettings, missingNow, type WindowState } from './plan.ts';
import { publishedMs } from './publication.ts';

const SETTLING: ReadonlySet<OutcomeKind> = new Set(['response', 'no_data', 'past_retention']);

export interface Settled {
  readonly state: WindowState;
  readonly merged: Merged;
  /** Intervals that are published and still not there. */
  readonly stillMissing: number;
}

export interface Answer {
  readonly outcome: OutcomeKind;
  readonly records: readonly RawRecord[];
  /** Not before, as the operator asked; null: it did not. */
  readonly retryAfterMs: number | null;
  /** All that was asked for came: every page, none in doubt. */
  readonly whole: boolean;
  /** When the request left: what came due or was wanted later, it did not ask for. */
  readonly startedMs: number;
  /** Records of earlier parts of this answer that the window asks for. */
  readonly asked: number;
}

/** What was published whole and has a hole is asked again, but not by the hour: a file seldom grows. */
const HOLE_MS = 6 * HOUR_MS;

/** An answer of which nothing was asked for, such as the file of another day, settles nothing. */
export function settle(
  settings: FeedSettings,
  before: WindowState,
  choice: Choice,
  answer: Answer,
  nowMs: number,
  /** 0 ≤ draw < 1: spreads the pauses, so that feeds which failed together do not return together. */
  draw: number,
): Settled {
  const { market, source, retry } = settings;
  const { window, span } = choice;
  const merged = merge(before.coverage, window, intervalMsOf(market, source.run), answer.records, source.run);
  const asked = answer.asked + merged.fresh.length + merged.unchanged;
  const isKnown = SETTLING.has(answer.outcome) && !deniesWhatIsThere(settings, before, choice, answer);
  const settles = isKnown && answer.whole && (asked > 0 || merged.unasked === 0);
  // A whole answer makes up for all corrections due by its request, however it came to be asked for.
  const isWhole = span.startMs <= window.startMs && span.endMs >= window.endMs;
  const isDue = (days: number): boolean => window.endMs + days * DAY_MS <= answer.startedMs;
  const passed = source.correctionDays.filter(isDue).length;
  const taken: WindowState = {
    ...before,
    coverage: merged.coverage,
    outcome: answer.outcome,
    concludedMs: settles ? nowMs : before.concludedMs,
    freshMs: settles ? answer.startedMs : before.freshMs,
    lookedMs: isWhole && settles ? answer.startedMs : before.lookedMs,
    corrections: isWhole && settles ? passed : before.corrections,
  };
  const { expected, present, gaps } = missingNow(settings, taken, window, nowMs);
  const stillMissing = expected - present;
  const isOpen = stillMissing > 0 || !settles;
  // Older holes were left out: they are asked for when their own pause is over.
  const isPart = settles && gaps.some(({ startMs }) => startMs < span.startMs);
  const attempts = settles && !isPart ? (isOpen ? before.attempts + 1 : 0) : before.attempts;
  const failures = settles ? 0 : before.failures + 1;
  const pauseMs = backoffMs(retry, settles ? before.attempts : before.failures, draw);
  const hole = settles && asked > 0 && source.publication.kind !== 'lag' ? HOLE_MS : 0;
  const againMs = nowMs + Math.max(pauseMs, hole, answer.retryAfterMs ?? 0);
  const state: WindowState = {
    ...taken,
    attempts,
    failures,
    askedMs: settles && !isPart ? answer.startedMs : before.askedMs,
    notBeforeMs: isPart ? before.notBeforeMs : isOpen ? againMs : 0,
    late: settles ? lateOf(settings, choice, gaps, isPart ? null : before.attempts, nowMs, draw) : null,
    unsettled: !settles,
  };
  return { state, merged, stillMissing };
}

/** The youngest of what was asked for and did not come, where it deserves a shorter pause than all of it. */
function lateOf(
  settings: FeedSettings,
  { window, span }: Choice,
  gaps: readonly Gap[],
  /** Of all of it; null: that has a pause of its own. */
  attempts: number | null,
  nowMs: number,
  draw: number,
): WindowState['late'] {
  if (settings.source.publication.kind !== 'lag') return null;
  const asked = gaps.filter(({ startMs }) => startMs >= span.startMs && startMs < span.endMs);
  if (asked.length === 0) return null;
  const fromMs = asked.reduce((latest, { startMs }) => Math.max(latest, startMs), window.startMs);
  const tries = triesOf(settings, window, fromMs, nowMs);
  if (attempts !== null && tries >= attempts) return null;
  return { fromMs, notBeforeMs: nowMs + backoffMs(settings.retry, tries, draw) };
}

/**
 * Answers that a hole has been through by its age, each pause twice the one before: what is late today is
 * asked for at its own pace, whatever never came before it.
 */
function triesOf(settings: FeedSettings, window: Window, startMs: number, nowMs: number): number {
  const { market, source, calendar, retry } = settings;
  const interval = { startMs, endMs: startMs + intervalMsOf(market, source.run) };
  const ageMs = nowMs - publishedMs(source.publication, calendar, window, interval);
  return ageMs < retry.initialMs ? 0 : 1 + Math.floor(Math.log2(ageMs / retry.initialMs));
}

/** `no_data` of intervals that came before is an operator in trouble: as an answer, it would end a look. */
function deniesWhatIsThere(
  { market, source }: FeedSettings,
  { coverage }: WindowState,
  { window, span }: Choice,
  { outcome }: Answer,
): boolean {
  if (outcome !== 'no_data') return false;
  const within = (startMs: number): boolean => startMs >= span.startMs && startMs < span.endMs;
  return missing(coverage, window, intervalMsOf(market, source.run), market, within).present > 0;
}
