// What a feed asks for next. Pure: the windows it knows, what each has on the log, and the time → a window
// and a span of it, or when to look again. A window is due while something published is missing, when the
// day of a correction has come, and when a backfill wants it.
//
// Live windows go before backfill, the latest first, so that catching up never holds up the present.

import type { MarketSpec } from '../domain/market.ts';
import type { MarketCalendar } from '../domain/operating-day.ts';
import { DAY_MS } from '../domain/time.ts';
import type { Nodes, Source, Span, Window } from '../feeds/source.ts';
import type { BackoffPolicy } from '../supervision.ts';
import {
  type Coverage,
  emptyCoverage,
  gapSpan,
  intervalMsOf,
  type Missing,
  missing,
  slotsOf,
} from './coverage.ts';
import type { OutcomeKind } from './outcome.ts';
import { horizon, publishedMs } from './publication.ts';

/** What is remembered of a window. */
export interface WindowState {
  readonly endMs: number;
  readonly coverage: Coverage;
  /** Answers in a row that left something published missing. */
  readonly attempts: number;
  /** Requests in a row that settled nothing; apart, because a hole that stays makes many attempts. */
  readonly failures: number;
  /** Not asked again before, for what was asked for and did not come; 0: at any time. */
  readonly notBeforeMs: number;
  /** Before that: holes that begin at `fromMs` or later, because they are young. */
  readonly late: { readonly fromMs: number; readonly notBeforeMs: number } | null;
  /** The last request settled nothing: until `notBeforeMs` not even what is newly published is asked for. */
  readonly unsettled: boolean;
  /** When an answer last settled what there is: a response, no data, past retention; 0: never. */
  readonly concludedMs: number;
  /** When the request of that answer left, ms, for whatever part of the window; 0: never. */
  readonly freshMs: number;
  /** When the last one left that asked for all that was missing. */
  readonly askedMs: number;
  /** The same of the last such request for all of the window. */
  readonly lookedMs: number;
  /** Corrections looked for so far. */
  readonly corrections: number;
  readonly outcome: OutcomeKind | null;
}

export interface FeedSettings {
  readonly source: Source;
  readonly market: MarketSpec;
  readonly calendar: MarketCalendar;
  readonly nodes: Nodes;
  /** Operating days before today that are followed and caught up with. */
  readonly daysBack: number;
  /** Pause before a window is asked again that gave less than is due. */
  readonly retry: BackoffPolicy;
}

/** Windows that somebody wants besides the live ones. */
export interface Wanted {
  readonly job: string;
  readonly windows: readonly Window[];
  /** False: asked even when nothing is missing. */
  readonly onlyMissing: boolean;
  /** Answers to requests before this do not count. */
  readonly sinceMs: number;
}

export interface Choice {
  readonly window: Window;
  readonly span: Span;
  readonly why: 'missing' | 'correction' | 'backfill';
}

export type Next = { readonly ask: Choice } | { readonly waitUntilMs: number };

export function newWindow(source: Source, market: MarketSpec, window: Window): WindowState {
  const coverage = emptyCoverage(slotsOf(window, intervalMsOf(market, source.run)));
  return {
    endMs: window.endMs,
    coverage,
    attempts: 0,
    failures: 0,
    notBeforeMs: 0,
    late: null,
    unsettled: false,
    concludedMs: 0,
    freshMs: 0,
    askedMs: 0,
    lookedMs: 0,
    corrections: 0,
    outcome: null,
  };
}

export type States = ReadonlyMap<string, WindowState>;

export function nextAsk(
  settings: FeedSettings,
  states: States,
  wanted: readonly Wanted[],
  nowMs: number,
): Next {
  const { source, calendar, nodes, daysBack } = settings;
  const today = calendar.dayOf(nowMs);
  const followedMs = followedFromMs(settings, nowMs);
  const uncorrected = Math.ceil((today.startMs - uncorrectedMs(settings, states, nowMs)) / DAY_MS);
  const daysKnown = Math.max(daysBack, uncorrected);
  let waitUntilMs = today.endMs;
  for (const window of horizon(source, calendar, nodes, daysKnown, nowMs)) {
    const isFollowed = window.endMs > followedMs;
    if (!isFollowed && !states.has(window.id)) continue;
    const due = dueOf(settings, stateOf(settings, states, window), window, nowMs, isFollowed);
    if ('ask' in due) return due;
    waitUntilMs = Math.min(waitUntilMs, due.waitUntilMs);
  }
  for (const each of wanted) {
    for (const window of each.windows) {
      const due = wantedOf(settings, stateOf(settings, states, window), window, each, nowMs);
      if (due === null) continue;
      if ('ask' in due) return due;
      waitUntilMs = Math.min(waitUntilMs, due.waitUntilMs);
    }
  }
  return { waitUntilMs };
}

/** Windows that end after this are asked for until they are whole. */
export function followedFromMs({ calendar, daysBack }: FeedSettings, nowMs: number): number {
  const today = calendar.dayOf(nowMs);
  return calendar.dayOf(today.startMs - daysBack * DAY_MS + DAY_MS / 2).startMs;
}

/**
 * Start of the earliest window whose corrections were not all looked for; after a downtime that may be long
 * before the last of them was due. Now when there is none.
 */
function uncorrectedMs({ source, market }: FeedSettings, states: States, nowMs: number): number {
  const oldestMs = source.oldestMs(nowMs) ?? Number.NEGATIVE_INFINITY;
  const intervalMs = intervalMsOf(market, source.run);
  let foundMs = nowMs;
  for (const { corrections, endMs, coverage } of states.values()) {
    if (corrections >= source.correctionDays.length || endMs <= oldestMs) continue;
    foundMs = Math.min(foundMs, endMs - coverage.slots * intervalMs);
  }
  return foundMs;
}

export function stateOf(settings: FeedSettings, states: States, window: Window): WindowState {
  return states.get(window.id) ?? newWindow(settings.source, settings.market, window);
}

/** What of a window should be on the log by now and is not. */
export function missingNow(
  settings: FeedSettings,
  state: WindowState,
  window: Window,
  nowMs: number,
  /** Only what was published after this. */
  sinceMs = Number.NEGATIVE_INFINITY,
): Missing {
  const { source, market, calendar } = settings;
  const intervalMs = intervalMsOf(market, source.run);
  const isDue = (startMs: number): boolean => {
    const interval = { startMs, endMs: startMs + intervalMs };
    const atMs = publishedMs(source.publication, calendar, window, interval);
    return atMs <= nowMs && atMs > sinceMs;
  };
  return missing(state.coverage, window, intervalMs, market, isDue);
}

/** When the first interval is published that is not yet; Infinity when all are. */
function nextPublished({ source, market, calendar }: FeedSettings, window: Window, nowMs: number): number {
  const intervalMs = intervalMsOf(market, source.run);
  for (let startMs = window.startMs; startMs < window.endMs; startMs += intervalMs) {
    const interval = { startMs, endMs: startMs + intervalMs };
    const at = publishedMs(source.publication, calendar, window, interval);
    if (at > nowMs) return at;
  }
  return Number.POSITIVE_INFINITY;
}

/** A window that is no longer followed is asked for corrections only, whole, and so for its gaps as well. */
function dueOf(
  settings: FeedSettings,
  state: WindowState,
  window: Window,
  nowMs: number,
  isFollowed: boolean,
): Next {
  const later = (ms: number): Next => ({ waitUntilMs: ms });
  const { source } = settings;
  const oldest = source.oldestMs(nowMs);
  if (oldest !== null && window.endMs <= oldest) return later(Number.POSITIVE_INFINITY);
  const correction = source.correctionDays[state.corrections];
  if (!isFollowed && correction === undefined) return later(Number.POSITIVE_INFINITY);
  const published = nextPublished(settings, window, nowMs);
  const correctionMs = correction === undefined ? null : window.endMs + correction * DAY_MS;
  const isDue = correctionMs !== null && Math.max(correctionMs, state.notBeforeMs) <= nowMs;
  const gap = gapSpan(missingNow(settings, state, window, nowMs).gaps);
  const wantsGap = gap !== null && isFollowed;
  // Of a window that was answered before, a hole does not put the correction off: all of it is asked for.
  const isFirst = wantsGap && state.concludedMs === 0;
  if (isDue && !isFirst && source.request(window, window, nowMs) !== null) {
    return { ask: { window, span: window, why: 'correction' } };
  }
  if (wantsGap) {
    const { notBeforeMs, late, unsettled } = state;
    const isEarly = notBeforeMs > nowMs;
    if (isEarly && unsettled) return later(notBeforeMs);
    const due = isEarly ? youngSpan(settings, state, window, nowMs) : gap;
    if (due === null) return later(Math.min(notBeforeMs, late?.notBeforeMs ?? notBeforeMs, published));
    const span = askable(state, window, due);
    if (source.request(window, span, nowMs) === null) return later(published);
    return { ask: { window, span, why: 'missing' } };
  }
  if (correctionMs === null || isDue) return later(published);
  return later(Math.min(published, Math.max(correctionMs, state.notBeforeMs)));
}

/**
 * What is asked for while older holes wait: what came due since the last answer, and what is late now. Those
 * holes are left out, or each interval would be asked for with the whole day before it.
 */
function youngSpan(settings: FeedSettings, state: WindowState, window: Window, nowMs: number): Span | null {
  const fresh = missingNow(settings, state, window, nowMs, state.freshMs).gaps;
  const { late } = state;
  if (late === null || late.notBeforeMs > nowMs) return gapSpan(fresh);
  const all = missingNow(settings, state, window, nowMs).gaps;
  return gapSpan([...fresh, ...all.filter(({ startMs }) => startMs >= late.fromMs)]);
}

/** What is packed can only be held against an answer for all of it. */
function askable({ coverage }: WindowState, window: Window, gap: Span): Span {
  return coverage.packed === null ? gap : window;
}

/** Null: nothing more is wanted of it. */
function wantedOf(
  settings: FeedSettings,
  state: WindowState,
  window: Window,
  wanted: Wanted,
  nowMs: number,
): Next | null {
  if (isDone(settings, state, window, wanted, nowMs)) return null;
  if (state.notBeforeMs > nowMs) return { waitUntilMs: state.notBeforeMs };
  const gap = gapSpan(missingNow(settings, state, window, nowMs).gaps);
  const span = wanted.onlyMissing && gap !== null ? askable(state, window, gap) : window;
  return { ask: { window, span, why: 'backfill' } };
}

/** Whether an answer to what was asked since then settled it: for all of the window, or for what it lacks. */
export function isAnswered({ askedMs, lookedMs }: WindowState, { onlyMissing, sinceMs }: Wanted): boolean {
  return (onlyMissing ? askedMs : lookedMs) >= sinceMs;
}

/** Whether a backfill has had its answer on a window: whole already, or settled since it was wanted. */
export function isDone(
  settings: FeedSettings,
  state: WindowState,
  window: Window,
  wanted: Wanted,
  nowMs: number,
): boolean {
  if (isAnswered(state, wanted)) return true;
  if (settings.source.request(window, window, nowMs) === null) return true;
  if (!wanted.onlyMissing) return false;
  return missingNow(settings, state, window, nowMs).gaps.length === 0;
}
