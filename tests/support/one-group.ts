// One consumer group on the real router, host and clock, over any log: what a test gives it is what it does
// with each batch.

import { instrumentBehaviour } from '../../actors/instrument.ts';
import type { WorkKind } from '../../actors/router-protocol.ts';
import { nactHost } from '../../runtime/actor-system.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Directory } from '../../runtime/directory.ts';
import { Group } from '../../runtime/group.ts';
import type { Log } from '../../runtime/log/log.ts';
import type { PartitionPlan } from '../../runtime/partition-plan.ts';

export const DEAD_LETTERS = 'dead.letters';
export const OUTPUT = 'output';

export interface GroupWish {
  readonly group: string;
  readonly topics: readonly string[];
  readonly work: WorkKind;
  /** For deferred work. */
  readonly deferred: PartitionPlan['work'];
  /** Unset: a minute. */
  readonly stallMs?: number;
  /** Every cause that the routers told of. */
  readonly said: (cause: string) => void;
}

/** Emissions go to `OUTPUT`, dead letters to `DEAD_LETTERS`; both have to be there. */
export function oneGroup(log: Log, of: GroupWish): Group {
  const { group, topics, work, deferred, said, stallMs = 60_000 } = of;
  const host = nactHost();
  const policy = { intensity: 5, periodMs: 1_000 };
  const directory = new Directory({
    host,
    behaviour: instrumentBehaviour({ quarantine: policy, outputBytesMax: 1_000_000 }),
    shardChildrenMax: 256,
    crashes: policy,
    nowMs: systemClock.nowMs,
    started: () => {},
    crashed: () => {},
  });
  const parent = host.spawn({
    name: group,
    parent: null,
    initial: null,
    behaviour: () => ({ state: null, effects: [] }),
    perform: () => {},
    crashed: () => {},
  });
  const settings = {
    service: group,
    tenantId: 'default',
    topicOf: () => OUTPUT,
    deadLetterTopic: DEAD_LETTERS,
    parkingTopic: `${group}.parked`,
    calendarTo: null,
    strayTo: null,
    marketOf: () => 'CAISO',
    outputBytesMax: 1_000_000,
    work,
    parkedMax: 100,
  };
  const plan: PartitionPlan = {
    settings,
    recordsMax: 500,
    backoff: { initialMs: 5, maxMs: 50, jitter: 0.2 },
    slot: null,
    past: null,
    work: deferred,
    progress: () => {},
    defect: () => {},
  };
  return new Group(
    {
      service: group,
      group,
      topics,
      plan: () => plan,
      restarts: policy,
      stallMs,
      exhausted: (cause) => said(`exhausted: ${cause}`),
    },
    {
      host,
      clock: systemClock,
      draw: () => 0.5,
      log,
      directory,
      record: ({ cause }) => said(cause),
    },
    parent,
  );
}
