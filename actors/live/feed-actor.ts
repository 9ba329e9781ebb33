// A live feed's behaviour. It asks for one window at a time, appends what is new in the same transaction as
// what it remembers of the window and the entry of its history, and then looks again. Time comes in with the
// messages; nothing here waits.
//
//   idle ──tick, something due──▶ asking ──fetched──▶ appending ──appended──▶ idle
//    │ nothing due, circuit open      │ the answer was no prices: an append     │ failed: the same append
//    ▼ or disabled                    ▼ of the memory alone                     ▼ again after a pause
//   wake at …                                                                idle
//
// Disabled or draining, it finishes what is in flight and asks for nothing more.

import type { Step } from '../behaviour.ts';
import type { RawRecord } from '../domain/wire.ts';
import type { Window } from '../feeds/source.ts';
import { spread } from '../supervision.ts';
import { asking, type Breaker, type BreakerPolicy, CLOSED, failed, opensMs, succeeded } from './breaker.ts';
import { intervalMsOf, merge } from './coverage.ts';
import { open } from './packed-coverage.ts';
import { type Fetched, type Ledger, type Pending, runOf, waitOf } from './pending.ts';
import { type Choice, type FeedSettings, nextAsk, stateOf, type Wanted, type WindowState } from './plan.ts';
import { isGood, type Run } from './run.ts';
import { settle } from './settle.ts';
import { type MemoryPolicy, tidy } from './tidy.ts';

export interface FeedState {
  readonly phase: 'idle' | 'asking' | 'appending';
  readonly enabled: boolean;
  readonly draining: boolean;
  readonly windows: ReadonlyMap<string, WindowState>;
  readonly wanted: readonly Wanted[];
  readonly breaker: Breaker;
  readonly asked: { readonly choice: Choice; readonly startedMs: number } | null;
  readonly pending: Pending | null;
  /** The append under way; done again when it fails. */
  readonly append: AppendEffect | null;
  readonly ledger: Ledger;
  readonly seq: number;
  readonly lastSuccessMs: number | null;
  readonly lastRun: Run | null;
}

export interface AppendEffect {
  readonly kind: 'append';
  readonly records: readonly RawRecord[];
  readonly windowId: string;
  readonly window: WindowState;
  readonly ledger: Ledger;
  /** With the last part of an answer. */
  readonly run: Run | null;
  /** Other windows, as they are remembered from here on; null: forgotten. */
  readonly tidied: ReadonlyMap<string, WindowState | null>;
}

export type FeedMessage =
  | { readonly kind: 'tick'; readonly nowMs: number }
  /** `draw`: a number drawn at random, 0 ≤ n < 1. */
  | { readonly kind: 'fetched'; readonly fetched: Fetched; readonly nowMs: number; readonly draw: number }
  | { readonly kind: 'appended'; readonly nowMs: number }
  | { readonly kind: 'append-failed'; readonly cause: string; readonly nowMs: number }
  | { readonly kind: 'append-again' }
  | { readonly kind: 'enabled'; readonly enabled: boolean; readonly nowMs: number }
  /** Look now: pauses and an open circuit are passed over once. */
  | { readonly kind: 'fetch-now'; readonly nowMs: number }
  | { readonly kind: 'wanted'; readonly wanted: readonly Wanted[]; readonly nowMs: number }
  | { readonly kind: 'drain' };

export type FeedEffect =
  | { readonly kind: 'fetch'; readonly choice: Choice }
  | AppendEffect
  | { readonly kind: 'wake'; readonly atMs: number }
  | { readonly kind: 'append-again-later'; readonly cause: string }
  /** An answer is on the log; calendars and backfills may move. */
  | { readonly kind: 'settled'; readonly run: Run; readonly choice: Choice }
  | { readonly kind: 'idle' };

export function feedStart(
  of: Pick<FeedState, 'enabled' | 'windows' | 'ledger' | 'seq' | 'wanted'>,
): FeedState {
  return {
    ...of,
    phase: 'idle',
    draining: false,
    breaker: CLOSED,
    asked: null,
    pending: null,
    append: null,
    lastSuccessMs: null,
    lastRun: null,
  };
}

export interface FeedPolicy {
  readonly name: string;
  readonly settings: FeedSettings;
  readonly breaker: BreakerPolicy;
  /** Records of one append. */
  readonly chunkMax: number;
  readonly memory: MemoryPolicy;
}

const NOTHING: AppendEffect['tidied'] = new Map();

type FeedStep = Step<FeedState, FeedEffect>;

export function feedBehaviour(policy: FeedPolicy): (state: FeedState, message: FeedMessage) => FeedStep {
  return (state, message) => {
    switch (message.kind) {
      case 'tick':
        return look(policy, state, message.nowMs);
      case 'fetched':
        return fetched(policy, state, message);
      case 'appended':
        return appended(policy, state, message.nowMs);
      case 'append-failed':
        return { state, effects: [{ kind: 'append-again-later', cause: message.cause }] };
      case 'append-again':
        return { state, effects: state.append === null ? [] : [state.append] };
      case 'enabled':
        return look(policy, { ...state, enabled: message.enabled }, message.nowMs);
      case 'fetch-now':
        return look(policy, { ...impatient(state), breaker: CLOSED }, message.nowMs);
      case 'wanted':
        return look(policy, { ...state, wanted: message.wanted }, message.nowMs);
      case 'drain':
        return {
          state: { ...state, draining: true },
          effects: state.phase === 'idle' ? [{ kind: 'idle' }] : [],
        };
    }
  };
}

function impatient(state: FeedState): FeedState {
  const windows = new Map([...state.windows].map(([id, each]) => [id, { ...each, notBeforeMs: 0 }]));
  return { ...state, windows };
}

/** Asks for what is due, or says when to look again. */
function look(policy: FeedPolicy, state: FeedState, nowMs: number): FeedStep {
  if (state.phase !== 'idle') return { state, effects: [] };
  if (!state.enabled || state.draining) return { state, effects: [{ kind: 'idle' }] };
  const opens = opensMs(state.breaker);
  if (opens > nowMs) return { state, effects: [{ kind: 'wake', atMs: opens }] };
  const next = nextAsk(policy.settings, state.windows, state.wanted, nowMs);
  if (!('ask' in next)) return { state, effects: [{ kind: 'wake', atMs: next.waitUntilMs }] };
  const asked = { choice: next.ask, startedMs: nowMs };
  return {
    state: { ...state, phase: 'asking', asked, breaker: asking(state.breaker) },
    effects: [{ kind: 'fetch', choice: next.ask }],
  };
}

function fetched(
  policy: FeedPolicy,
  state: FeedState,
  { fetched: of, nowMs, draw }: Extract<FeedMessage, { kind: 'fetched' }>,
): FeedStep {
  const { asked } = state;
  if (state.phase !== 'asking' || asked === null) return { state, effects: [] };
  const opened = opening(policy, state, asked.choice.window, of);
  const counts = { done: 0, appended: 0, corrected: 0, unchanged: opened.unchanged, unasked: 0 };
  const pending = { ...asked, fetched: { ...of, records: opened.records }, draw, ...counts };
  const { kind } = of.outcome;
  // Being throttled says nothing of the operator's health; the pause that it asks for is kept by the window.
  const breaker =
    kind === 'failed' || kind === 'invalid'
      ? failed(state.breaker, nowMs, policy.breaker, spread(policy.settings.retry.jitter, draw))
      : kind === 'throttled'
        ? { ...state.breaker, probing: false }
        : succeeded();
  const ledger = {
    rowsRead: state.ledger.rowsRead + of.ledger.rowsRead,
    rowsUsed: state.ledger.rowsUsed + of.ledger.rowsUsed,
    rowsRefused: state.ledger.rowsRefused + of.ledger.rowsRefused,
    appended: state.ledger.appended,
  };
  return appendNext(
    policy,
    { ...state, windows: opened.windows, asked: null, pending, breaker, ledger },
    nowMs,
  );
}

/** The window as the answer finds it. One that is packed takes no part of an answer, only a whole one. */
function opening({ settings }: FeedPolicy, state: FeedState, window: Window, { records, whole }: Fetched) {
  const { market, source } = settings;
  const before = state.windows.get(window.id);
  if (before === undefined || before.coverage.packed === null) {
    return { windows: state.windows, records, unchanged: 0 };
  }
  const intervalMs = intervalMsOf(market, source.run);
  const found = open(before.coverage, window, intervalMs, whole ? records : [], source.run);
  const windows = new Map(state.windows).set(window.id, { ...before, coverage: found.coverage });
  return { windows, records: found.records, unchanged: found.unchanged };
}

/** The next part of an answer; the last one carries what is remembered of the whole. */
function appendNext(policy: FeedPolicy, state: FeedState, nowMs: number): FeedStep {
  const { pending } = state;
  if (pending === null) return { state, effects: [] };
  const { settings, chunkMax } = policy;
  const { choice, fetched: of, done } = pending;
  const { window } = choice;
  const records = of.records.slice(done, done + chunkMax);
  const before = stateOf(settings, state.windows, window);
  const isLast = done + records.length >= of.records.length;
  const intervalMs = intervalMsOf(settings.market, settings.source.run);
  const asked = pending.appended + pending.unchanged;
  const said = { retryAfterMs: waitOf(of.outcome), whole: of.whole, startedMs: pending.startedMs };
  const answer = { outcome: of.outcome.kind, records, ...said, asked };
  const settled = isLast
    ? settle(settings, before, choice, answer, nowMs, pending.draw)
    : {
        ...part(before, merge(before.coverage, window, intervalMs, records, settings.source.run)),
        stillMissing: 0,
      };
  const { merged } = settled;
  const counted: Pending = {
    ...pending,
    done: done + records.length,
    appended: pending.appended + merged.fresh.length,
    corrected: pending.corrected + merged.corrected,
    unchanged: pending.unchanged + merged.unchanged,
    unasked: pending.unasked + merged.unasked,
  };
  const ledger = { ...state.ledger, appended: state.ledger.appended + merged.fresh.length };
  const run = isLast ? runOf(policy.name, state.seq, counted, settled.stillMissing, nowMs) : null;
  const append: AppendEffect = {
    kind: 'append',
    records: merged.fresh,
    windowId: window.id,
    window: settled.state,
    ledger,
    run,
    tidied: isLast ? tidy(settings, state.windows, policy.memory, window.id, nowMs) : NOTHING,
  };
  return { state: { ...state, phase: 'appending', pending: counted, append, ledger }, effects: [append] };
}

function part(before: WindowState, merged: ReturnType<typeof merge>) {
  return { state: { ...before, coverage: merged.coverage }, merged };
}

function appended(policy: FeedPolicy, state: FeedState, nowMs: number): FeedStep {
  const { append, pending } = state;
  if (append === null || pending === null) return { state, effects: [] };
  const windows = new Map(state.windows).set(append.windowId, append.window);
  for (const [id, window] of append.tidied) {
    if (window === null) windows.delete(id);
    else windows.set(id, window);
  }
  const kept = { ...state, windows, append: null };
  const { run } = append;
  if (run === null) return appendNext(policy, kept, nowMs);
  const idle: FeedState = {
    ...kept,
    phase: 'idle',
    pending: null,
    seq: state.seq + 1,
    lastRun: run,
    lastSuccessMs: isGood(run) ? nowMs : state.lastSuccessMs,
  };
  const next = look(policy, idle, nowMs);
  return { state: next.state, effects: [{ kind: 'settled', run, choice: pending.choice }, ...next.effects] };
}
