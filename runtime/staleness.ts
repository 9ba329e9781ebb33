// While a group restores partitions, what is known of their instruments is missing or older than the log.
// Every answer that depends on it says so, since when, and how far the restore has come.

import type { Group } from './group.ts';
import type { GroupName } from './services.ts';
import type { Stale } from './views.ts';

/** A group that has not restored all partitions which are its own. */
export interface Restoring {
  readonly group: GroupName;
  readonly sinceMs: number;
  readonly restored: number;
  /** 0: it is not known yet which they are. */
  readonly partitions: number;
}

export function restoringIn(
  groups: ReadonlyMap<GroupName, Group>,
  names: Iterable<GroupName> = groups.keys(),
): readonly Restoring[] {
  return [...names].flatMap((group) => {
    const found = groups.get(group)?.restoring ?? null;
    return found === null ? [] : [{ group, ...found }];
  });
}

/** Null: nothing is being restored. A group that does so in several threads is one. */
export function staleOf(all: readonly Restoring[]): Stale | null {
  if (all.length === 0) return null;
  const since = new Date(all.reduce((least, each) => Math.min(least, each.sinceMs), Infinity)).toISOString();
  const groups = [...Map.groupBy(all, ({ group }) => group)].map(([group, some]) => ({
    group,
    restored: some.reduce((sum, each) => sum + each.restored, 0),
    partitions: some.reduce((sum, each) => sum + each.partitions, 0),
  }));
  return { since, groups, message: MESSAGE };
}

const MESSAGE = 'state is being restored: what is not read yet is missing here, or older than the log';

/** Of answers that come together. */
export function staler(a: Stale | undefined, b: Stale | undefined): Stale | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const groups = [...a.groups];
  for (const each of b.groups) {
    const at = groups.findIndex(({ group }) => group === each.group);
    const same = groups[at];
    if (same === undefined) groups.push(each);
    else
      groups[at] = {
        ...same,
        restored: same.restored + each.restored,
        partitions: same.partitions + each.partitions,
      };
  }
  const [since = a.since] = [a.since, b.since].sort();
  return { ...a, since, groups };
}
