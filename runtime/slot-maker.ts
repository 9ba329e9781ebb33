// How an instrument's slot is made from what is stored of it.

import { type Slot, slotOf, unreadableSlot } from '../actors/slot.ts';
import type { Stage } from '../actors/stage.ts';
import type { RecordEvent } from './views.ts';

export type MakeSlot = (id: string, parts: ReadonlyMap<string, Uint8Array> | null) => Slot;

/** A slot maker for a stage; unreadable parts give a slot that leads to quarantine. */
export function slotMaker<State>(stage: Stage<State>, record: RecordEvent, service: string): MakeSlot {
  return (id, parts) => {
    if (parts === null) return slotOf(stage, stage.initial(id));
    try {
      return slotOf(stage, stage.restore(id, parts));
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const decision = 'its records will be parked';
      record({ kind: 'defect', service, actor: id, cause, decision, budget_left: null });
      return unreadableSlot(stage.name, cause);
    }
  };
}
