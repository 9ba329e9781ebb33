// The connector's behaviour: responses become raw records on the log, once. A response is known by what its
// records follow from; its cursor (how many of its records are on the log) is stored in the transaction that
// appends them, so a restart goes on where the last commit ended and repeats nothing. At the end the calendar
// of each run is closed.
//
// opening ──opened──▶ waiting ──may go──▶ appending ──appended──▶ waiting … ──▶ opening … ──▶ closing ──▶
// finished

import type { Behaviour, Step } from './behaviour.ts';
import type { RawRecord } from './domain/wire.ts';
import type { Parsed } from './feeds/feed.ts';

/** What the log remembers of a response. */
export interface Cursor {
  readonly name: string;
  /** Records on the log, in the feed's order. */
  readonly done: number;
  readonly total: number;
  readonly rowsRead: number;
  readonly rowsUsed: number;
  readonly rowsRefused: number;
  /** Why the response as a whole was refused; null when it was not. */
  readonly refusal: string | null;
  /** Greatest interval end by `market:run`, microseconds. */
  readonly ends: Readonly<Record<string, number>>;
}

export interface ConnectorState {
  readonly phase: 'opening' | 'waiting' | 'appending' | 'closing' | 'finished';
  readonly current: {
    readonly response: string;
    readonly records: readonly RawRecord[];
    readonly cursor: Cursor;
  } | null;
  /** Cursor of the append under way; taken over when it succeeds. */
  readonly next: Cursor | null;
  readonly responses: number;
  readonly skipped: number;
  readonly refused: number;
  readonly appended: number;
  readonly ends: Readonly<Record<string, number>>;
  readonly draining: boolean;
}

export type ConnectorMessage =
  | { readonly kind: 'start' }
  | {
      readonly kind: 'opened';
      readonly response: string;
      readonly name: string;
      readonly parsed: Parsed;
      readonly done: number;
    }
  /** Its cursor says that all of it is on the log. */
  | { readonly kind: 'known'; readonly cursor: Cursor }
  | { readonly kind: 'no-more' }
  | { readonly kind: 'may-go' }
  | { readonly kind: 'appended' }
  | { readonly kind: 'failed'; readonly cause: string }
  | { readonly kind: 'retry' }
  | { readonly kind: 'drain' };

export type ConnectorEffect =
  | { readonly kind: 'open-next' }
  /** Wait until the log's readers have room, and until the replay's clock reaches these records. */
  | { readonly kind: 'await-room'; readonly next: RawRecord }
  | {
      readonly kind: 'append';
      readonly records: readonly RawRecord[];
      readonly response: string;
      readonly cursor: Cursor;
    }
  | { readonly kind: 'close-calendar'; readonly ends: Readonly<Record<string, number>> }
  | { readonly kind: 'response-done'; readonly cursor: Cursor; readonly fresh: boolean }
  | { readonly kind: 'back-off'; readonly cause: string }
  | { readonly kind: 'finished' };

export const connectorStart: ConnectorState = {
  phase: 'opening',
  current: null,
  next: null,
  responses: 0,
  skipped: 0,
  refused: 0,
  appended: 0,
  ends: {},
  draining: false,
};

type ConnectorStep = Step<ConnectorState, ConnectorEffect>;

/**
 * `chunkMax`: records appended in one transaction. `perInterval`: a chunk never spans two intervals (paced
 * replay).
 */
export function connectorBehaviour(settings: {
  readonly chunkMax: number;
  readonly perInterval: boolean;
}): Behaviour<ConnectorState, ConnectorMessage, ConnectorEffect> {
  return (state, message) => {
    switch (message.kind) {
      case 'start':
        return { state, effects: [{ kind: 'open-next' }] };
      case 'known':
        return nextResponse(
          { ...state, skipped: state.skipped + 1, ends: mergeEnds(state.ends, message.cursor.ends) },
          message.cursor,
          false,
        );
      case 'opened':
        return opened(state, message);
      case 'may-go':
        return append(state, settings);
      case 'appended':
        return appended(state);
      case 'no-more':
        return {
          state: { ...state, phase: 'closing' },
          effects: [{ kind: 'close-calendar', ends: state.ends }],
        };
      case 'failed':
        return { state, effects: [{ kind: 'back-off', cause: message.cause }] };
      case 'retry':
        return retry(state, settings);
      case 'drain':
        return { state: { ...state, draining: true }, effects: [] };
    }
  };
}

function opened(
  state: ConnectorState,
  message: Extract<ConnectorMessage, { kind: 'opened' }>,
): ConnectorStep {
  const { parsed, name, response, done } = message;
  const { refusal } = parsed;
  const ends = endsOf(parsed.records);
  const cursor: Cursor = {
    name,
    done,
    total: parsed.records.length,
    ...parsed.ledger,
    refusal: refusal === undefined ? null : `${refusal.reason}: ${refusal.detail}`,
    ends,
  };
  const next: ConnectorState = {
    ...state,
    responses: state.responses + 1,
    refused: state.refused + (refusal === undefined ? 0 : 1),
    ends: mergeEnds(state.ends, ends),
    current: { response, records: parsed.records, cursor },
  };
  const first = parsed.records[done];
  if (first === undefined) {
    return {
      state: { ...next, phase: 'appending' },
      effects: [{ kind: 'append', records: [], response, cursor }],
    };
  }
  return { state: { ...next, phase: 'waiting' }, effects: [{ kind: 'await-room', next: first }] };
}

function append(
  state: ConnectorState,
  settings: { readonly chunkMax: number; readonly perInterval: boolean },
): ConnectorStep {
  const { current } = state;
  if (current === null || state.draining) return { state, effects: [] };
  const from = current.cursor.done;
  const records = chunk(current.records, from, settings.chunkMax, settings.perInterval);
  const cursor = { ...current.cursor, done: from + records.length };
  return {
    state: { ...state, phase: 'appending', next: cursor },
    effects: [{ kind: 'append', records, response: current.response, cursor }],
  };
}

/**
 * After a failure and a pause: what the phase was about to do. A response that could not be read is passed
 * over.
 */
function retry(
  state: ConnectorState,
  settings: { readonly chunkMax: number; readonly perInterval: boolean },
): ConnectorStep {
  if (state.phase === 'opening') return { state, effects: [{ kind: 'open-next' }] };
  if (state.phase === 'closing') return { state, effects: [{ kind: 'close-calendar', ends: state.ends }] };
  return append(state, settings);
}

function appended(state: ConnectorState): ConnectorStep {
  const { current } = state;
  if (state.phase === 'closing')
    return { state: { ...state, phase: 'finished' }, effects: [{ kind: 'finished' }] };
  if (current === null) return { state, effects: [] };
  const cursor = state.next ?? current.cursor;
  const settled = { ...state, next: null, current: { ...current, cursor } };
  const next = current.records[cursor.done];
  if (next === undefined) {
    return nextResponse({ ...settled, appended: state.appended + cursor.total, current: null }, cursor, true);
  }
  return { state: { ...settled, phase: 'waiting' }, effects: [{ kind: 'await-room', next }] };
}

function nextResponse(state: ConnectorState, cursor: Cursor, fresh: boolean): ConnectorStep {
  const effects: ConnectorEffect[] = [{ kind: 'response-done', cursor, fresh }];
  if (!state.draining) effects.push({ kind: 'open-next' });
  return { state: { ...state, phase: 'opening' }, effects };
}

function chunk(
  records: readonly RawRecord[],
  from: number,
  max: number,
  perInterval: boolean,
): readonly RawRecord[] {
  const first = records[from];
  let to = Math.min(records.length, from + max);
  if (perInterval && first !== undefined) {
    while (to > from + 1 && records[to - 1]?.interval_start !== first.interval_start) to -= 1;
  }
  return records.slice(from, to);
}

function endsOf(records: readonly RawRecord[]): Record<string, number> {
  const ends: Record<string, number> = {};
  for (const record of records) {
    const key = `${record.market}:${record.run}`;
    ends[key] = Math.max(ends[key] ?? 0, record.interval_end);
  }
  return ends;
}

function mergeEnds(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const all: Record<string, number> = { ...a };
  for (const [key, end] of Object.entries(b)) all[key] = Math.max(all[key] ?? 0, end);
  return all;
}
