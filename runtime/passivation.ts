// Which instrument actors may be given up. One may when it could be made again from what is stored as if
// nothing had happened: nothing is in hand for it, it is in no quarantine, its budgets are whole, and each of
// its states stands in the log as it is. What a look shows of a crash stays with its actor.

import { budgetLeft, type RestartPolicy } from '../actors/supervision.ts';
import type { Resident } from './directory.ts';

type Parts = readonly (readonly [part: string, bytes: Uint8Array])[];

/** What is to be put to rest, by slot key; null: its actor is to stay. */
export function atRest(
  { slots, inHand, quarantined, lastError }: Resident,
  budget: RestartPolicy,
  nowMs: number,
): ReadonlyMap<string, Parts> | null {
  if (inHand.size > 0 || quarantined.size > 0 || lastError !== null) return null;
  const found = new Map<string, Parts>();
  for (const [slotKey, slot] of slots) {
    const parts = slot.packed();
    const isWhole = budgetLeft(slot.defects, nowMs, budget) === budget.intensity;
    if (parts === null || parts.length === 0 || !isWhole) return null;
    found.set(slotKey, parts);
  }
  return found;
}
