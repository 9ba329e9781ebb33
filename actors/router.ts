// The router of one input partition: it shards each batch onto the instrument actors (or hands it to a function or a
// sink), gathers the answers, and commits outputs, state, counters and position together. One batch is in flight at
// a time; an abort does the same batch again; a fence stops the router.
//
//   polling ──polled──▶ folding ──all answered──▶ committing ──committed──▶ polling
//      ▲                   ▲                          │ aborted: undo, back off
//      │                   └──────────────────────────┘
//      └── paused (parking full, or an operator says so) · draining ──▶ stopped

import type { Batch, Commit, CommitOutcome } from './batch.ts';
import type { Behaviour, Step } from './behaviour.ts';
import type { FoldMessage, FoldReply } from './instrument.ts';
import type { Ledgers } from './ledger.ts';
import { isActive, type Quarantines, quarantineChanges } from './quarantine.ts';
import { collect, drainedAfter, foldMessage, rememberInstruments, shard } from './router-shard.ts';
import { type RoutedEmission, Work, type WorkSettings } from './router-work.ts';
import type { Refused } from './stage.ts';

/** What a stage without instrument state makes of a batch. Records that it does not refuse are forwarded. */
export interface DirectResult {
  readonly emissions: readonly RoutedEmission[];
  readonly refused: readonly Refused[];
}

export type WorkKind =
  | { readonly kind: 'sharded'; readonly slotKey: string }
  | { readonly kind: 'direct'; readonly fold: (batch: Batch, nowMs: number) => DirectResult }
  | { readonly kind: 'sink' };

export interface RouterSettings extends WorkSettings {
  readonly work: WorkKind;
  /** Records that may wait in this partition's parking, over all its quarantined instruments. */
  readonly parkedMax: number;
}

export interface RouterState {
  readonly phase: 'polling' | 'folding' | 'committing' | 'paused' | 'stopped';
  readonly position: number;
  readonly seq: number;
  readonly work: Work | null;
  readonly ledgers: Ledgers;
  readonly quarantines: Quarantines;
  /** Taken over when the commit of the batch in flight succeeds. */
  readonly pending: { readonly ledgers: Ledgers; readonly quarantines: Quarantines } | null;
  readonly calendar: ReadonlyMap<string, number>;
  /** Instruments seen in this partition, by `market:run`. */
  readonly instruments: ReadonlyMap<string, ReadonlySet<string>>;
  readonly toRelease: readonly string[];
  readonly draining: boolean;
  readonly held: boolean;
  /** Failures of the batch in flight so far. */
  readonly attempt: number;
}

export type RouterMessage =
  | { readonly kind: 'start' }
  | { readonly kind: 'polled'; readonly batch: Batch; readonly nowMs: number }
  /** What the parking topic holds of an instrument, from where it was drained to; empty: it is released. */
  | { readonly kind: 'parked'; readonly instrument: string; readonly batch: Batch; readonly nowMs: number }
  | { readonly kind: 'folded'; readonly reply: FoldReply }
  | { readonly kind: 'written'; readonly seq: number; readonly refused: readonly Refused[] }
  | { readonly kind: 'committed'; readonly seq: number; readonly outcome: CommitOutcome }
  | { readonly kind: 'failed'; readonly seq: number; readonly cause: string }
  | { readonly kind: 'retry'; readonly seq: number }
  | { readonly kind: 'respawned'; readonly instrument: string }
  | { readonly kind: 'release'; readonly instrument: string }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'drain' };

export type RouterEffect =
  | { readonly kind: 'poll'; readonly position: number }
  | { readonly kind: 'fold'; readonly instrument: string; readonly message: FoldMessage }
  | { readonly kind: 'write'; readonly seq: number; readonly batch: Batch }
  | { readonly kind: 'commit'; readonly seq: number; readonly commit: Commit }
  | {
      readonly kind: 'settle';
      readonly seq: number;
      readonly instruments: Iterable<string>;
      readonly outcome: 'commit' | 'undo';
    }
  | { readonly kind: 'back-off'; readonly seq: number; readonly attempt: number; readonly cause: string }
  | { readonly kind: 'read-parked'; readonly instrument: string; readonly fromOffset: number }
  | { readonly kind: 'report'; readonly reply: FoldReply }
  | { readonly kind: 'progress'; readonly work: Work }
  | { readonly kind: 'paused'; readonly cause: string }
  | { readonly kind: 'released'; readonly instrument: string }
  | { readonly kind: 'stopped'; readonly cause: string };

export type RouterStep = Step<RouterState, RouterEffect>;

export interface RestoredRouter {
  readonly position: number;
  readonly ledgers: Ledgers;
  readonly quarantines: Quarantines;
  readonly calendar: ReadonlyMap<string, number>;
  readonly instruments: Iterable<string>;
}

/** The state of a router that was just assigned its partition. */
export function routerFrom(restored: RestoredRouter): RouterState {
  return {
    phase: 'paused',
    position: restored.position,
    seq: 0,
    work: null,
    ledgers: restored.ledgers,
    quarantines: restored.quarantines,
    pending: null,
    calendar: restored.calendar,
    instruments: rememberInstruments(new Map(), restored.instruments),
    toRelease: [],
    draining: false,
    held: false,
    attempt: 0,
  };
}

export function routerBehaviour(
  settings: RouterSettings,
): Behaviour<RouterState, RouterMessage, RouterEffect> {
  return (state, message) => {
    if (state.phase === 'stopped') return idle(state);
    switch (message.kind) {
      case 'start':
        return next(state);
      case 'polled':
        return begin(state, new Work(message.batch, message.nowMs, settings, null), settings);
      case 'parked':
        return begin(state, new Work(message.batch, message.nowMs, settings, message.instrument), settings);
      case 'folded':
        return folded(state, message.reply, settings);
      case 'written':
        return written(state, message.seq, message.refused);
      case 'committed':
        return committed(state, message.seq, message.outcome);
      case 'failed':
        return message.seq === state.seq ? backOff(state, message.cause) : idle(state);
      case 'retry':
        return retry(state, message.seq, settings);
      case 'respawned':
        return respawned(state, message.instrument, settings);
      case 'release':
        return release(state, message.instrument);
      case 'pause':
        return idle({ ...state, held: true });
      case 'resume':
        return resume({ ...state, held: false });
      case 'drain':
        return drain(state);
    }
  };
}

function idle(state: RouterState): RouterStep {
  return { state, effects: [] };
}

/** What to do when nothing is in flight. */
function next(state: RouterState): RouterStep {
  const free: RouterState = { ...state, work: null, pending: null, attempt: 0 };
  if (state.draining) return stopped(free, 'drained');
  const [instrument, ...toRelease] = state.toRelease;
  if (instrument !== undefined) {
    const fromOffset = state.quarantines.get(instrument)?.fromOffset ?? 0;
    return {
      state: { ...free, toRelease, phase: 'polling' },
      effects: [{ kind: 'read-parked', instrument, fromOffset }],
    };
  }
  if (state.held) return idle({ ...free, phase: 'paused' });
  return { state: { ...free, phase: 'polling' }, effects: [{ kind: 'poll', position: state.position }] };
}

function begin(state: RouterState, work: Work, settings: RouterSettings): RouterStep {
  const base: RouterState = { ...state, seq: state.seq + 1, work, phase: 'folding', pending: null };
  const { work: kind } = settings;
  if (kind.kind === 'sharded') return afterShard(shard(base, work, kind.slotKey, settings));
  if (kind.kind === 'sink')
    return { state: base, effects: [{ kind: 'write', seq: base.seq, batch: work.batch }] };
  const result = kind.fold(work.batch, work.nowMs);
  settleAll(work, result.refused);
  for (const emission of result.emissions) work.emit(emission);
  return commitNow(base);
}

function afterShard(step: RouterStep): RouterStep {
  const { work, phase } = step.state;
  if (work === null || phase === 'paused' || work.waiting.size > 0) return step;
  const done = commitNow(step.state);
  return { state: done.state, effects: [...step.effects, ...done.effects] };
}

function settleAll(work: Work, refused: readonly Refused[]): void {
  const reasons = new Map(refused.map((each) => [each.offset, each.rejection]));
  for (let index = 0; index < work.batch.count; index += 1) {
    work.settleOne(index, reasons.get(work.batch.offset(index)));
  }
}

function folded(state: RouterState, reply: FoldReply, settings: RouterSettings): RouterStep {
  const { work } = state;
  if (work === null || reply.seq !== state.seq || !work.waiting.delete(reply.instrument)) return idle(state);
  return afterShard(collect(state, work, reply, settings));
}

function written(state: RouterState, seq: number, refused: readonly Refused[]): RouterStep {
  if (state.work === null || seq !== state.seq) return idle(state);
  settleAll(state.work, refused);
  return commitNow(state);
}

function commitNow(state: RouterState): RouterStep {
  const { work } = state;
  if (work === null) return next(state);
  const nextOffset = work.released === null ? work.batch.nextOffset : state.position;
  const quarantines = drainedAfter(state.pending?.quarantines ?? state.quarantines, work);
  const changes = quarantineChanges(state.quarantines, quarantines);
  const { commit, ledgers } = work.commit(state.ledgers, nextOffset, changes);
  return {
    state: { ...state, phase: 'committing', pending: { ledgers, quarantines } },
    effects: [{ kind: 'commit', seq: state.seq, commit }],
  };
}

function committed(state: RouterState, seq: number, outcome: CommitOutcome): RouterStep {
  const { work, pending } = state;
  if (work === null || pending === null || seq !== state.seq) return idle(state);
  if (outcome === 'aborted') return backOff(state, 'the commit was aborted');
  const instruments = work.touched;
  if (outcome === 'fenced') {
    const step = stopped(state, 'fenced: another member owns the partition');
    return {
      state: step.state,
      effects: [{ kind: 'settle', seq, instruments, outcome: 'undo' }, ...step.effects],
    };
  }
  const position = work.released === null ? work.batch.nextOffset : state.position;
  const more = next(releaseGoesOn({ ...state, ...pending, position }, work));
  const effects: RouterEffect[] = [
    { kind: 'settle', seq, instruments, outcome: 'commit' },
    { kind: 'progress', work },
  ];
  const done = work.released !== null && !isActive(pending.quarantines, work.released);
  if (done && work.released !== null) effects.push({ kind: 'released', instrument: work.released });
  return { state: more.state, effects: [...effects, ...more.effects] };
}

/** A parking that was read in part is read on before anything else. */
function releaseGoesOn(state: RouterState, work: Work): RouterState {
  const { released } = work;
  if (released === null || work.batch.count === 0 || work.stoppedAfter !== null) return state;
  return { ...state, toRelease: [released, ...state.toRelease] };
}

function backOff(state: RouterState, cause: string): RouterStep {
  const { work, seq, attempt } = state;
  if (work === null) return idle(state);
  return {
    state: { ...state, phase: 'folding', attempt: attempt + 1 },
    effects: [
      { kind: 'settle', seq, instruments: work.touched, outcome: 'undo' },
      { kind: 'back-off', seq, attempt, cause },
    ],
  };
}

function retry(state: RouterState, seq: number, settings: RouterSettings): RouterStep {
  const { work } = state;
  if (work === null || seq !== state.seq) return idle(state);
  if (state.draining) return stopped(state, 'drained; the last batch is left uncommitted');
  return begin(state, new Work(work.batch, work.nowMs, settings, work.released), settings);
}

/** An actor came back with its committed state: the unanswered part of the batch is sent again. */
function respawned(state: RouterState, instrument: string, settings: RouterSettings): RouterStep {
  const { work } = state;
  if (settings.work.kind !== 'sharded' || work === null || !work.touched.has(instrument)) return idle(state);
  if (!work.waiting.has(instrument))
    return backOff(state, `${instrument} was respawned after it had answered`);
  const indices = work.groups.get(instrument) ?? [];
  const message = foldMessage(state, work, settings.work.slotKey, instrument, indices);
  return { state, effects: [{ kind: 'fold', instrument, message }] };
}

function release(state: RouterState, instrument: string): RouterStep {
  if (!isActive(state.quarantines, instrument) || state.toRelease.includes(instrument)) return idle(state);
  return resume({ ...state, toRelease: [...state.toRelease, instrument] });
}

/** Goes on if the router stands still; otherwise the news is taken up after the batch in flight. */
function resume(state: RouterState): RouterStep {
  return state.phase === 'paused' ? next(state) : idle(state);
}

function drain(state: RouterState): RouterStep {
  const inFlight = state.phase === 'folding' || state.phase === 'committing';
  const draining = { ...state, draining: true };
  return inFlight ? idle(draining) : stopped(draining, 'drained');
}

function stopped(state: RouterState, cause: string): RouterStep {
  return { state: { ...state, phase: 'stopped', work: null }, effects: [{ kind: 'stopped', cause }] };
}
