// What health and metrics ask of the groups and the actors of one thread.

import type { Directory } from './directory.ts';
import type { Group } from './group.ts';
import type { Partition } from './partition.ts';
import type { GroupName } from './services.ts';
import type { Actors } from './telemetry.ts';

const FAILURES_TOLD = 3;

/** Why a partition of the group does not go on; null when all do. */
export function stuckIn(group: Group): string | null {
  for (const partition of group.partitions()) {
    const why = whyStuck(partition);
    if (why !== null) return `${partition.of.topic}/${partition.of.partition}: ${why}`;
  }
  for (const what of group.stalled.values()) return `stands still: ${what}`;
  return null;
}

function whyStuck({ state, isAtEnd }: Partition): string | null {
  if (state.phase === 'stopped') return 'its router has stopped';
  if (state.phase === 'paused') return 'it is paused: see GET /events?kind=pause';
  // Attempts are counted to the next commit, which a quiet partition may not have for long.
  if (state.attempt >= FAILURES_TOLD && !isAtEnd)
    return `its batch failed ${state.attempt} times: see GET /events?kind=note`;
  return null;
}

/** Instruments of a group that are in quarantine. */
export function quarantinedIn(group: GroupName, directory: Directory): number {
  let count = 0;
  for (const { quarantined } of directory.all().values()) {
    for (const slotKey of quarantined) if (slotKey.startsWith(`${group}/`)) count += 1;
  }
  return count;
}

/** Instrument actors by market. */
export function actorsOf(directory: Directory): readonly Actors[] {
  return directory.index.markets().map((market) => {
    const live = directory.shards(market).reduce((sum, each) => sum + each.children, 0);
    const quarantined = directory.quarantined(market).length;
    return { market, instruments: directory.index.count(market), live, quarantined };
  });
}

/** By market, over several threads. */
export function sumActors(all: readonly Actors[]): readonly Actors[] {
  const found = new Map<string, Actors>();
  for (const { market, instruments, live, quarantined } of all) {
    const before = found.get(market) ?? { instruments: 0, live: 0, quarantined: 0 };
    found.set(market, {
      market,
      instruments: before.instruments + instruments,
      live: before.live + live,
      quarantined: before.quarantined + quarantined,
    });
  }
  return [...found.values()];
}
