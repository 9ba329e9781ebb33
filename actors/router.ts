// The router of one input partition: it shards each batch onto the instrument actors (or hands it to a
// function or a sink), gathers the answers, and commits outputs, state, counters and position together. One
// batch is in flight at a time; an abort does the same batch again; a fence stops the router.
//
//   polling ──polled──▶ folding ──all answered──▶ committing ──committed──▶ polling
//      ▲ failed ▲           ▲                         │ aborted, failed: candidates are forgotten
//      │        └───── backing-off ◀──────────────────┘
//      └── paused (parking full, or an operator says so) · drained, fenced ──▶ stopped
//
// A barrier comes as a batch of its own: what moves is handed over instead of folding.

import type { CommitOutcome, StateChange } from './batch.ts';
import type { Behaviour } from './behaviour.ts';
import type { FoldReply } from './instrument.ts';
import { isActive, quarantineChanges } from './quarantine.ts';
import type {
  DirectResult,
  RestoredRouter,
  RouterEffect,
  RouterMessage,
  RouterSettings,
  RouterState,
  RouterStep,
} from './router-protocol.ts';
import { behindBarrier, releasedBy, releaseGoesOn } from './router-release.ts';
import {
  calendarChanges,
  collect,
  drainedAfter,
  duesOf,
  foldMessage,
  noteDues,
  shard,
  takeResult,
} from './router-shard.ts';
import { positionChange, Work } from './router-work.ts';

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
    layout: restored.layout,
    instruments: noteDues(new Map(), restored.instruments),
    toRelease: [],
    releasing: null,
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
        return state.phase === 'paused' ? next(state) : idle(state);
      case 'polled':
        return awaited(state, message) ? begin(state, liveWork(message, settings), settings) : idle(state);
      case 'parked':
        return awaited(state, message) ? begin(state, parkedWork(message, settings), settings) : idle(state);
      case 'folded':
        return folded(state, message.reply);
      case 'deferred':
        return deferred(state, message.seq, message.result, settings);
      case 'handed':
        return handed(state, message, settings);
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
        return pause({ ...state, held: true });
      case 'resume':
        return resume({ ...state, held: false }, 'an operator says so');
      case 'drain':
        return drain(state);
    }
  };
}

function awaited(state: RouterState, answer: { readonly seq: number }): boolean {
  return state.phase === 'polling' && answer.seq === state.seq;
}

function liveWork(
  { batch, nowMs }: Extract<RouterMessage, { kind: 'polled' }>,
  settings: RouterSettings,
): Work {
  return new Work(batch, nowMs, settings, null);
}

function parkedWork(of: Extract<RouterMessage, { kind: 'parked' }>, settings: RouterSettings): Work {
  return new Work(of.batch, of.nowMs, settings, of.instrument);
}

function idle(state: RouterState): RouterStep {
  return { state, effects: [] };
}

/** What to do when nothing is in flight. */
function next(state: RouterState): RouterStep {
  const free: RouterState = { ...state, work: null, pending: null };
  if (state.draining) return stopped(free, 'drained');
  const seq = state.seq + 1;
  const [instrument] = state.toRelease;
  if (instrument !== undefined) {
    const { fromOffset = 0, home = null } = state.quarantines.get(instrument) ?? {};
    return {
      state: { ...free, seq, phase: 'polling' },
      effects: [{ kind: 'read-parked', seq, instrument, fromOffset, home }],
    };
  }
  if (state.held) return idle({ ...free, phase: 'paused' });
  const { position } = state;
  return { state: { ...free, seq, phase: 'polling' }, effects: [{ kind: 'poll', seq, position }] };
}

function begin(state: RouterState, work: Work, settings: RouterSettings): RouterStep {
  const base: RouterState = { ...state, seq: state.seq + 1, work, phase: 'folding', pending: null };
  const { work: kind } = settings;
  const { seq } = base;
  if (work.barrier !== null) {
    return { state: base, effects: [{ kind: 'hand-over', seq, barrier: work.barrier }] };
  }
  if (kind.kind === 'sharded') return commitWhenAnswered(shard(base, work, kind.slotKey, settings));
  if (kind.kind === 'direct') return settled(base, work, kind.fold(work.batch, work.nowMs), settings);
  const { batch, nowMs } = work;
  return { state: base, effects: [{ kind: 'defer', seq, batch, nowMs }] };
}

function commitWhenAnswered(step: RouterStep): RouterStep {
  const { work, phase } = step.state;
  if (work === null || phase !== 'folding' || work.waiting.size > 0) return step;
  const { state } = step;
  const position = positionChange(nextPosition(state, work));
  const { calendar } = state.pending ?? state;
  const done = commitNow(state, work, [position, ...calendarChanges(calendar, work)]);
  return { state: done.state, effects: [...step.effects, ...done.effects] };
}

function settled(
  state: RouterState,
  work: Work,
  result: DirectResult,
  { outputBytesMax }: RouterSettings,
): RouterStep {
  takeResult(work, result, outputBytesMax);
  return commitNow(state, work, []);
}

function folded(state: RouterState, reply: FoldReply): RouterStep {
  const { work } = state;
  if (work === null || state.phase !== 'folding' || reply.seq !== state.seq) return idle(state);
  if (!work.waiting.delete(reply.instrument)) return idle(state);
  return commitWhenAnswered(collect(state, work, reply));
}

function deferred(
  state: RouterState,
  seq: number,
  result: DirectResult,
  settings: RouterSettings,
): RouterStep {
  const { work, phase } = state;
  if (work === null || phase !== 'folding' || seq !== state.seq) return idle(state);
  return settled(state, work, result, settings);
}

/** What moves leaves in the commit that takes the position behind the barrier. */
function handed(
  state: RouterState,
  { seq, handOver }: Extract<RouterMessage, { kind: 'handed' }>,
  settings: RouterSettings,
): RouterStep {
  const { work, phase } = state;
  if (work === null || work.barrier === null || phase !== 'folding' || seq !== state.seq) return idle(state);
  work.moved = handOver.moved;
  const position = settings.work.kind === 'sharded' ? [positionChange(work.batch.nextOffset)] : [];
  return commitNow(state, work, [...handOver.changes, ...position]);
}

/** Parked records were read before: they move no position. */
function nextPosition(state: RouterState, work: Work): number {
  return work.released === null ? work.batch.nextOffset : state.position;
}

function commitNow(state: RouterState, work: Work, more: readonly StateChange[]): RouterStep {
  const { calendar } = state.pending ?? state;
  const quarantines = drainedAfter((state.pending ?? state).quarantines, work);
  const changes = [...more, ...quarantineChanges(state.quarantines, quarantines)];
  const { commit, ledgers } = work.commit(state.ledgers, nextPosition(state, work), changes);
  return {
    state: { ...state, phase: 'committing', pending: { ledgers, quarantines, calendar } },
    effects: [{ kind: 'commit', seq: state.seq, commit }],
  };
}

function committed(state: RouterState, seq: number, outcome: CommitOutcome): RouterStep {
  const { work, pending } = state;
  if (work === null || pending === null || state.phase !== 'committing' || seq !== state.seq)
    return idle(state);
  if (outcome === 'aborted') return backOff(state, 'the commit was aborted');
  if (outcome === 'fenced') return stopped(state, 'fenced: another member owns the partition');
  const position = nextPosition(state, work);
  const instruments = noteDues(state.instruments, duesOf(work));
  const done: RouterState = { ...state, ...pending, instruments, position, attempt: 0 };
  const { barrier, moved } = work;
  if (barrier !== null) {
    const more = next(behindBarrier(done, barrier, moved));
    return { state: more.state, effects: [{ kind: 'moved', barrier, instruments: moved }, ...more.effects] };
  }
  const released = releasedBy(pending.quarantines, work);
  const more = next(releaseGoesOn(done, work));
  const effects: RouterEffect[] = [
    { kind: 'settle', slots: work.candidates },
    ...work.reports.map((reply): RouterEffect => ({ kind: 'report', reply })),
    { kind: 'progress', work },
  ];
  if (released !== null) effects.push({ kind: 'released', instrument: released });
  return { state: more.state, effects: [...effects, ...more.effects] };
}

/** The batch, or the read before it, is done again later. While draining it is left to whoever comes next. */
function backOff(state: RouterState, cause: string): RouterStep {
  const { seq, attempt, phase } = state;
  if (phase !== 'polling' && phase !== 'folding' && phase !== 'committing') return idle(state);
  if (state.draining) return stopped(state, `drained; the last batch is left uncommitted: ${cause}`);
  return {
    state: { ...state, phase: 'backing-off', pending: null, attempt: attempt + 1 },
    effects: [{ kind: 'back-off', seq, attempt, cause }],
  };
}

function retry(state: RouterState, seq: number, settings: RouterSettings): RouterStep {
  const { work } = state;
  if (state.phase !== 'backing-off' || seq !== state.seq) return idle(state);
  if (work === null) return next(state);
  return begin(state, new Work(work.batch, work.nowMs, settings, work.released), settings);
}

/** An actor came back with its committed slots: what it has not answered is sent again. */
function respawned(state: RouterState, instrument: string, settings: RouterSettings): RouterStep {
  const { work, phase } = state;
  if (settings.work.kind !== 'sharded' || phase !== 'folding') return idle(state);
  if (work === null || !work.waiting.has(instrument)) return idle(state);
  const indices = work.groups.get(instrument) ?? [];
  const message = foldMessage(state, work, settings.work.slotKey, instrument, indices);
  return { state, effects: [{ kind: 'fold', instrument, message }] };
}

/** A router that waits for live records turns to the parked ones at once. */
function release(state: RouterState, instrument: string): RouterStep {
  if (!isActive(state.quarantines, instrument) || state.toRelease.includes(instrument)) return idle(state);
  const asked: RouterState = { ...state, toRelease: [...state.toRelease, instrument] };
  return waitsForLive(state) ? next(asked) : resume(asked, `${instrument} is being released`);
}

function waitsForLive({ phase, toRelease }: RouterState): boolean {
  return phase === 'polling' && toRelease.length === 0;
}

function pause(state: RouterState): RouterStep {
  return idle(waitsForLive(state) ? { ...state, phase: 'paused', seq: state.seq + 1 } : state);
}

/** Goes on if the router stands still; otherwise the news is taken up after the batch in flight. */
function resume(state: RouterState, cause: string): RouterStep {
  if (state.phase !== 'paused') return idle(state);
  const step = next(state);
  return { state: step.state, effects: [{ kind: 'resumed', cause }, ...step.effects] };
}

function drain(state: RouterState): RouterStep {
  const inFlight = state.phase === 'folding' || state.phase === 'committing';
  const draining = { ...state, draining: true };
  return inFlight ? idle(draining) : stopped(draining, 'drained');
}

function stopped(state: RouterState, cause: string): RouterStep {
  return {
    state: { ...state, phase: 'stopped', work: null, pending: null },
    effects: [{ kind: 'stopped', cause }],
  };
}
