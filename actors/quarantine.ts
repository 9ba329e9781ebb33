// Quarantined instruments of one partition. Their records go to the parking topic with the batch they came
// in; on release the parked ones are folded in order before live ones. An entry outlives its release: it
// remembers how far the parking topic was drained, so that nothing is folded twice.

import type { StateChange } from './batch.ts';
import { sealJson, unsealJson } from './domain/sealed.ts';

export interface Quarantine {
  readonly active: boolean;
  /** Parking topic: first offset that was not drained yet. */
  readonly fromOffset: number;
  /** Records parked and not drained. */
  readonly parked: number;
  readonly sinceMs: number;
  /** Partition of the parking topic, when the instrument came from another one; null: its own. */
  readonly home: number | null;
}

export type Quarantines = ReadonlyMap<string, Quarantine>;

const STATE_PREFIX = 'r:quarantine:';

export function isActive(all: Quarantines, id: string): boolean {
  return all.get(id)?.active ?? false;
}

export function parkedCount(all: Quarantines): number {
  let sum = 0;
  for (const each of all.values()) sum += each.parked;
  return sum;
}

/** Puts `id` into quarantine, or parks more of its records. */
export function park(all: Quarantines, id: string, records: number, nowMs: number): Quarantines {
  const found = all.get(id);
  const since = found?.active === true ? found.sinceMs : nowMs;
  const parked = (found?.parked ?? 0) + records;
  const { fromOffset = 0, home = null } = found ?? {};
  return new Map(all).set(id, { active: true, fromOffset, parked, sinceMs: since, home });
}

/** `records` were drained up to (excluding) `nextOffset`; `active` says whether the quarantine goes on. */
export function drained(
  all: Quarantines,
  id: string,
  records: number,
  nextOffset: number,
  active: boolean,
): Quarantines {
  const found = all.get(id);
  if (found === undefined) return all;
  const parked = Math.max(0, found.parked - records);
  return new Map(all).set(id, { ...found, active, parked, fromOffset: nextOffset });
}

/** State changes that turn `before` into `after`. */
export function quarantineChanges(before: Quarantines, after: Quarantines): StateChange[] {
  const changes: StateChange[] = [];
  for (const [id, entry] of after) {
    if (before.get(id) === entry) continue;
    changes.push({ key: `${STATE_PREFIX}${id}`, value: sealJson(1, entry) });
  }
  return changes;
}

/** The instrument of a stored quarantine key, or null for another key. */
export function quarantinedId(stateKey: string): string | null {
  return stateKey.startsWith(STATE_PREFIX) ? stateKey.slice(STATE_PREFIX.length) : null;
}

/** A stored quarantine as its instrument's next partition stores it: what is parked stays where it is. */
export function movedHome(stored: Uint8Array, partition: number): Uint8Array {
  const entry: Quarantine = Object(unsealJson(stored, [1]));
  return sealJson(1, { ...entry, home: entry.home ?? partition });
}
