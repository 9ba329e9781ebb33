// What a router starts from, read once: the stored state of its partition, instruments that had to be folded
// again, and the barriers that retention took. A log that fails is asked again, for as long as it is wanted.

import type { Barrier, Layout } from '../actors/layout.ts';
import type { RestoredRouter } from '../actors/router-protocol.ts';
import { backoffMs } from '../actors/supervision.ts';
import type { Log, Member, TopicPartition } from './log/log.ts';
import { LogFault } from './log/log-fault.ts';
import { missedBarriers } from './missed-barriers.ts';
import { type Gap, overtaken } from './overtaken.ts';
import type { PartitionPlan, PartitionPorts } from './partition-plan.ts';
import { recoverSlots } from './recovery.ts';
import { type Marks, Resting } from './resting.ts';
import { restorePartition } from './restore.ts';

export interface StartState {
  readonly router: RestoredRouter;
  /** The instruments that were stored; each waits here until it is needed. */
  readonly resting: Resting;
  readonly marks: Marks;
  /** Barriers that retention took before they were read, in order. */
  readonly missed: readonly Barrier[];
  /** Records that it took; null: none. */
  readonly gap: Gap | null;
}

/** Older partitions that have not handed over yet: until they have, this one is not whole. */
export interface Awaiting {
  readonly awaits: readonly number[];
}

export interface Wish {
  /** The newest assignment gives it to us. */
  readonly owned: () => boolean;
  /** It is to be started when it is restored. */
  readonly wanted: () => boolean;
  /** What was found. */
  readonly note: (cause: string, decision: string) => void;
}

/** Tried again while the log says that it helps; null: no longer wanted. Throws what no second try mends. */
export async function takenOver(
  ports: PartitionPorts,
  member: Member,
  of: TopicPartition,
  plan: PartitionPlan,
  { owned, wanted, note }: Wish,
): Promise<StartState | Awaiting | null> {
  const { clock, retries } = ports;
  const place = `${of.topic}/${of.partition}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const restored = await startState(ports, member, of, plan, note);
      retries.passed(place);
      return restored;
    } catch (error) {
      if (!owned()) return null;
      if (!(error instanceof LogFault && error.retryable)) throw error;
      const delayMs = backoffMs(plan.backoff, attempt, ports.draw());
      retries.failed(place, error.message, `the restore is tried again in ${delayMs} ms, and so on`);
      await new Promise<void>((done) => clock.after(delayMs, done));
      if (wanted()) continue;
      retries.gone(place);
      return null;
    }
  }
}

/** Throws what the log throws; a damaged router entry is a Defect. */
async function startState(
  ports: PartitionPorts,
  member: Member,
  of: TopicPartition,
  plan: PartitionPlan,
  note: Wish['note'],
): Promise<StartState | Awaiting> {
  const { log } = ports;
  const layout = await log.layout(of.topic);
  if (layout !== null && layout.steps.length > 0) await widenParking(log, of, plan);
  const { router, store, stored, awaits } = await restorePartition(member, of, layout);
  if (awaits.length > 0) return { awaits };
  const { slots, instruments, marks } = await recoverSlots(ports, plan, of, router, store);
  const missed = await missedOf(log, of, router, layout, note);
  const gap = await overtaken(log, member, of, stored);
  const resting = new Resting(plan.slot, store, slots);
  return { router: { ...router, instruments }, resting, marks, missed, gap };
}

async function missedOf(
  log: Log,
  of: TopicPartition,
  { position, layout: own }: Pick<RestoredRouter, 'position' | 'layout'>,
  layout: Layout | null,
  note: Wish['note'],
): Promise<StartState['missed']> {
  const missed = await missedBarriers(log, of, position, own, layout);
  if (missed.length > 0) {
    const place = `${of.topic}/${of.partition}`;
    const cause = `${missed.length} barriers of ${place} are gone: retention took them unread`;
    note(cause, 'what moves is handed over at once');
  }
  return missed;
}

/** What a partition parks stands beside it, those that a layout adds included. */
async function widenParking(log: Log, of: TopicPartition, { settings }: PartitionPlan): Promise<void> {
  const { work, parkingTopic } = settings;
  if (work.kind === 'sharded') await log.increase(parkingTopic, of.partition + 1);
}
