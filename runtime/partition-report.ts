// What a partition tells the supervisor's log of its instruments: notes, defects, quarantines and releases,
// with the cause, what was decided, and the budget that is left.

import type { FoldReply } from '../actors/instrument.ts';
import { type Barrier, partitionsOf, versionOf } from '../actors/layout.ts';
import type { Quarantine } from '../actors/quarantine.ts';
import type { Work } from '../actors/router-work.ts';
import type { Directory } from './directory.ts';
import type { RecordEvent } from './views.ts';

const CAUSE_CHARS_MAX = 1_000;
const PARKED = 'its records are parked until POST /actors/{market}/{instrument}/release';

interface ReportPorts {
  readonly record: RecordEvent;
  readonly directory: Directory;
}

/** Of one answer that was committed; marks the instrument, so that a look shows its last error. */
export function reportFold(ports: ReportPorts, service: string, reply: FoldReply): void {
  const actor = reply.instrument;
  for (const note of reply.notes) {
    ports.record({ kind: 'note', service, actor, cause: note, decision: 'flagged', budget_left: null });
  }
  if (reply.defects.length === 0) return;
  const quarantined = reply.quarantinedAfter !== null;
  const causes = reply.defects.map((each) => `offset ${each.offset ?? '–'}: ${each.cause}`);
  const cause = causes.join('; ').slice(0, CAUSE_CHARS_MAX);
  ports.record({
    kind: quarantined ? 'quarantine' : 'defect',
    service,
    actor,
    cause,
    decision: quarantined ? PARKED : 'state before it; dead letter',
    budget_left: reply.budgetLeft,
  });
  const resident = ports.directory.find(actor);
  if (resident === undefined) return;
  resident.lastError = cause;
  resident.restarts += 1;
  if (quarantined) ports.directory.quarantine(actor, reply.slotKey);
}

export function reportRelease(ports: ReportPorts, service: string, instrument: string): void {
  const decision = 'parked records were folded in order; live ones follow';
  ports.record({
    kind: 'release',
    service,
    actor: instrument,
    cause: 'released',
    decision,
    budget_left: null,
  });
}

/** A quarantine goes on after a restart; what put it there may have been told by a process that is gone. */
export function reportRestored(ports: ReportPorts, service: string, id: string, of: Quarantine): void {
  const cause = `in quarantine since ${new Date(of.sinceMs).toISOString()}, ${of.parked} records are parked`;
  ports.record({ kind: 'quarantine', service, actor: id, cause, decision: PARKED, budget_left: null });
}

/** A barrier was read: what left with it. */
export function reportMoved(
  { record }: ReportPorts,
  service: string,
  actor: string,
  { topic, layout }: Barrier,
  instruments: number,
): void {
  const cause = `layout ${versionOf(layout)} of ${topic}: ${partitionsOf(layout)} partitions`;
  const decision = `${instruments} instruments were handed over`;
  record({ kind: 'rebalance', service, actor, cause, decision, budget_left: null });
}

/** Stragglers: records that stand behind the barrier of a partition which is theirs no more. */
export function reportStrayed(
  { record }: ReportPorts,
  actor: string,
  { strayed, settings: { service, strayTo } }: Work,
): void {
  const cause = `${strayed} records stood behind the barrier of a partition that is theirs no more`;
  const decision = strayTo === null ? 'left to the group that forwards them' : 'forwarded';
  record({ kind: 'note', service, actor, cause, decision, budget_left: null });
}
