// The router of one input partition: it shards each batch onto the instrument actors (or hands it to a
// function or a sink), gathers the answers, and commits outputs, state, counters and position together. One
// batch is in flight at a time; an abort does the same batch again; a fence stops the router.
//
//   polling ──polled──▶ folding ──all answered──▶ committing ──committed──▶ polling
//      ▲                   ▲                          │ aborted: undo, back off
//      │                   └──────────────────────────┘
//      └── paused (parking full, or an operator says so) · draining ──▶ stopped

import type { CommitOutcome } from './batch.ts';
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
import { collect, drainedAfter, foldMessage, rememberInstruments, shard } from './router-shard.ts';
import { Work } from './router-work.ts';

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
      case 'deferred':
        return deferred(state, message.seq, message.result);
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
  if (kind.kind === 'direct') return settled(base, work, kind.fold(work.batch, work.nowMs));
  const { batch, nowMs } = work;
  return { state: base, effects: [{ kind: 'defer', seq: base.seq, batch, nowMs }] };
}

function afterShard(step: RouterStep): RouterStep {
  const { work, phase } = step.state;
  if (work === null || phase === 'paused' || work.waiting.size > 0) return step;
  const done = commitNow(step.state);
  return { state: done.state, effects: [...step.effects, ...done.effects] };
}

function settled(state: RouterState, work: Work, result: DirectResult): RouterStep {
  const reasons = new Map(result.refused.map((each) => [each.offset, each.rejection]));
  for (let index = 0; index < work.batch.count; index += 1) {
    work.settleOne(index, reasons.get(work.batch.offset(index)));
  }
  for (const emission of result.emissions) work.emit(emission);
  return commitNow(state);
}

function folded(state: RouterState, reply: FoldReply, settings: RouterSettings): RouterStep {
  const { work } = state;
  if (work === null || reply.seq !== state.seq || !work.waiting.delete(reply.instrument)) return idle(state);
  return afterShard(collect(state, work, reply, settings));
}

function deferred(state: RouterState, seq: number, result: DirectResult): RouterStep {
  return state.work === null || seq !== state.seq ? idle(state) : settled(state, state.work, result);
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
