// How a router shards a batch onto instruments and gathers their answers: parking for the quarantined,
// calendar news for those without records, and what an answer that reports defects changes.

import type { StateChange } from './batch.ts';
import { runKey, runKeyOf, storedCalendarKey } from './calendar.ts';
import { keyHash } from './domain/murmur2.ts';
import { reject } from './domain/rejection.ts';
import { sealJson } from './domain/sealed.ts';
import { outputBytes } from './fold.ts';
import type { FoldMessage, FoldReply } from './instrument.ts';
import { placed, versionOf } from './layout.ts';
import { drained, isActive, park, parkedCount, type Quarantines } from './quarantine.ts';
import type {
  DirectResult,
  KnownInstruments,
  RouterEffect,
  RouterSettings,
  RouterState,
  RouterStep,
} from './router-protocol.ts';
import type { Work } from './router-work.ts';

/** Sends each instrument its records; parks those of the quarantined; pauses when the parking is full. */
export function shard(state: RouterState, work: Work, slotKey: string, settings: RouterSettings): RouterStep {
  const known = (id: string) => state.instruments.get(runKeyOf(id))?.has(id) ?? false;
  const { layout } = state;
  const { partition } = work.batch;
  const strays = (id: string) => layout !== null && placed(layout, keyHash(id)) !== partition;
  const version = layout === null ? 1 : versionOf(layout);
  if (work.released === null) work.classify(state.position, known, { strays, version });
  else work.classify(0, known, { strays: () => false, version });
  const parking = work.released === null ? parkGroups(state, work, settings.parkedMax) : state.quarantines;
  if (parking === null) {
    const full = `the parking of this partition is full (${settings.parkedMax} records)`;
    const cause = `${full}: release an instrument`;
    return { state: { ...state, phase: 'paused', work: null }, effects: [{ kind: 'paused', cause }] };
  }
  const base: RouterState = {
    ...state,
    instruments: rememberInstruments(state.instruments, work.groups.keys()),
    pending: { ledgers: state.ledgers, quarantines: parking, calendar: addNews(state.calendar, work) },
  };
  return { state: base, effects: folds(base, work, slotKey) };
}

/** Null when the parking cannot take them. */
function parkGroups(state: RouterState, work: Work, parkedMax: number): Quarantines | null {
  const ids = [...work.groups.keys()].filter((id) => isActive(state.quarantines, id));
  const records = ids.reduce((sum, id) => sum + (work.groups.get(id)?.length ?? 0), 0);
  if (records > 0 && parkedCount(state.quarantines) + records > parkedMax) return null;
  let quarantines = state.quarantines;
  for (const id of ids) {
    const indices = work.groups.get(id) ?? [];
    work.count(id, indices.length);
    work.park(id, indices, state.quarantines.get(id)?.home ?? null);
    work.groups.delete(id);
    quarantines = park(quarantines, id, indices.length, work.nowMs);
  }
  return quarantines;
}

function folds(state: RouterState, work: Work, slotKey: string): RouterEffect[] {
  const effects: RouterEffect[] = [];
  const send = (instrument: string, indices: readonly number[]): void => {
    work.waiting.add(instrument);
    work.count(instrument, indices.length);
    effects.push({
      kind: 'fold',
      instrument,
      message: foldMessage(state, work, slotKey, instrument, indices),
    });
  };
  for (const [id, indices] of work.groups) send(id, indices);
  // Nothing is parked, or no more: what it missed may be the calendar, and its budget is due.
  if (work.released !== null && work.groups.size === 0) send(work.released, []);
  for (const key of new Set(work.news.map(runKey))) {
    const toMs = state.pending?.calendar.get(key) ?? Number.NEGATIVE_INFINITY;
    for (const [id, dueMs] of state.instruments.get(key) ?? []) {
      if (dueMs <= toMs && !work.groups.has(id) && !isActive(state.quarantines, id)) send(id, []);
    }
  }
  return effects;
}

export function foldMessage(
  state: RouterState,
  work: Work,
  slotKey: string,
  instrument: string,
  indices: readonly number[],
): FoldMessage {
  return {
    kind: 'fold',
    slotKey,
    seq: state.seq,
    source: `${work.batch.topic}/${work.batch.partition}`,
    records: work.records(indices),
    owedMs: indices.length === 0 ? null : owed(state, work, instrument),
    advanceToMs: (state.pending ?? state).calendar.get(runKeyOf(instrument)) ?? null,
    renewed: work.released === instrument && state.releasing !== instrument,
    nowMs: work.nowMs,
  };
}

/** Parked records are older than what came after them: they are folded as they would have been. */
function owed(state: RouterState, work: Work, instrument: string): number | null {
  const run = runKeyOf(instrument);
  const dueMs = state.instruments.get(run)?.get(instrument) ?? Number.NEGATIVE_INFINITY;
  const told = work.released !== null || dueMs === Number.NEGATIVE_INFINITY;
  return told ? null : (state.calendar.get(run) ?? null);
}

/** An answer joins the outcome; one that ends in quarantine parks the records after the last defect. */
export function collect(state: RouterState, work: Work, reply: FoldReply): RouterStep {
  work.collect(reply);
  const { instrument, quarantinedAfter: after } = reply;
  if (after === null) return { state, effects: [] };
  if (work.released !== null) {
    work.stoppedAfter = after;
    return { state, effects: [] };
  }
  const rest = (work.groups.get(instrument) ?? []).filter((index) => work.batch.offset(index) > after);
  const { quarantines: before, calendar } = state.pending ?? state;
  work.park(instrument, rest, before.get(instrument)?.home ?? null);
  const quarantines = park(before, instrument, rest.length, work.nowMs);
  return { state: { ...state, pending: { ledgers: state.ledgers, quarantines, calendar } }, effects: [] };
}

/** What direct or deferred work made of a batch becomes its outcome. */
export function takeResult(work: Work, result: DirectResult, outputBytesMax: number): void {
  const reasons = new Map(result.refused.map((each) => [each.offset, each.rejection]));
  for (const { value, from } of result.emissions) {
    if (from !== undefined && outputBytes(value, outputBytesMax) > outputBytesMax)
      reasons.set(from, reject('oversized_output', `its output is over ${outputBytesMax} bytes`));
  }
  for (let index = 0; index < work.batch.count; index += 1) {
    work.settleOne(index, reasons.get(work.batch.offset(index)));
  }
  for (const emission of result.emissions) {
    if (emission.from === undefined || !reasons.has(emission.from)) work.emit(emission);
  }
}

/** After parked records were folded: how far the parking is drained, and whether the quarantine is over. */
export function drainedAfter(quarantines: Quarantines, work: Work): Quarantines {
  const { released, batch, stoppedAfter } = work;
  if (released === null) return quarantines;
  if (stoppedAfter === null)
    return drained(quarantines, released, batch.count, batch.nextOffset, batch.count > 0);
  let done = 0;
  while (done < batch.count && batch.offset(done) <= stoppedAfter) done += 1;
  return done === 0 ? quarantines : drained(quarantines, released, done, stoppedAfter + 1, true);
}

/** Adds ids of which nothing is known yet; the same map when all are known. */
function rememberInstruments(known: KnownInstruments, ids: Iterable<string>): KnownInstruments {
  const fresh: (readonly [string, number])[] = [];
  for (const id of ids) {
    if (known.get(runKeyOf(id))?.has(id) !== true) fresh.push([id, Number.NEGATIVE_INFINITY]);
  }
  return noteDues(known, fresh);
}

/** The same map when nothing is new. */
export function noteDues(
  known: KnownInstruments,
  dues: Iterable<readonly [id: string, dueMs: number]>,
): KnownInstruments {
  const changed = new Map<string, Map<string, number>>();
  for (const [id, dueMs] of dues) {
    const run = runKeyOf(id);
    const of = changed.get(run);
    if ((of ?? known.get(run))?.get(id) === dueMs) continue;
    if (of === undefined) changed.set(run, new Map(known.get(run)).set(id, dueMs));
    else of.set(id, dueMs);
  }
  return changed.size === 0 ? known : new Map([...known, ...changed]);
}

/** Of the instruments that a batch has folded. */
export function duesOf({ candidates }: Work): (readonly [id: string, dueMs: number])[] {
  return [...candidates].map(([id, slot]) => [id, slot.dueMs()] as const);
}

export function forgetInstruments(known: KnownInstruments, gone: ReadonlySet<string>): KnownInstruments {
  if (gone.size === 0) return known;
  return new Map(
    [...known].map(([run, ids]) => [run, new Map([...ids].filter(([id]) => !gone.has(id)))] as const),
  );
}

function addNews(calendar: ReadonlyMap<string, number>, work: Work): ReadonlyMap<string, number> {
  if (work.news.length === 0) return calendar;
  const all = new Map(calendar);
  for (const news of work.news) all.set(runKey(news), Math.max(all.get(runKey(news)) ?? 0, news.toMs));
  return all;
}

/** What the batch's news changed of the calendar, which is stored with it. */
export function calendarChanges(calendar: ReadonlyMap<string, number>, work: Work): StateChange[] {
  return [...new Set(work.news.map(runKey))].map((key) => ({
    key: storedCalendarKey(key),
    value: sealJson(1, calendar.get(key) ?? 0),
  }));
}
