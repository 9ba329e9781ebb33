// A look at one instrument, whether it has an actor or rests. What rests is read where it lies and stays
// there: a look wakes nobody.

import type { Slot } from '../actors/slot.ts';
import type { Directory, Resident } from './directory.ts';

export interface Look {
  readonly id: string;
  /** Null: it rests. */
  readonly resident: Resident | null;
  /** By slot key, as their calendars have them; those of actors at work as of the last commit. */
  readonly slots: ReadonlyMap<string, Slot>;
}

/** Null: there is no such instrument here. */
export function lookAt(directory: Directory, id: string, nowMs: number): Look | null {
  if (!directory.index.has(id)) return null;
  const resident = directory.find(id) ?? null;
  const slots = new Map<string, Slot>();
  for (const [slotKey, owner] of directory.owners()) {
    const slot = resident?.slots.get(slotKey) ?? owner.resting.peek(id);
    if (slot !== null) slots.set(slotKey, asOf(slot, owner.calendarMs(id), nowMs));
  }
  return { id, resident, slots };
}

/** Where an instrument's event time is settled, milliseconds; null: nowhere yet. Costs less than a look. */
export function watermarkAt(directory: Directory, id: string): number | null {
  const resident = directory.find(id);
  for (const [slotKey, owner] of directory.owners()) {
    const slot = resident?.slots.get(slotKey);
    const ms = slot === undefined ? owner.resting.watermarkMs(id) : slot.watermarkMs();
    if (ms === null) continue;
    const toMs = isUsable(slot) ? owner.calendarMs(id) : null;
    return Math.max(ms, toMs ?? ms);
  }
  return null;
}

function isUsable(slot: Slot | undefined): boolean {
  return slot === undefined || slot.unusable === null;
}

/** The slot as it would be had it been told of event time at which nothing of it was due. */
function asOf(slot: Slot, calendarMs: number | null, nowMs: number): Slot {
  const markMs = slot.watermarkMs();
  if (!isUsable(slot) || calendarMs === null || markMs === null || markMs >= calendarMs) return slot;
  return slot.advance(calendarMs, { nowMs }).slot;
}
