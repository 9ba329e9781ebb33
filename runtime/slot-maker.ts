// How an instrument's slot is made from what is stored of it.

import { type Slot, slotOf, unreadableSlot } from '../actors/slot.ts';
import type { Stage } from '../actors/stage.ts';

export type MakeSlot = (id: string, parts: ReadonlyMap<string, Uint8Array> | null) => Slot;

/** A slot maker for a stage; parts that cannot be read give an unusable slot (see recovery.ts). */
export function slotMaker<State>(stage: Stage<State>): MakeSlot {
  return (id, parts) => {
    if (parts === null) return slotOf(stage, stage.initial(id));
    try {
      return slotOf(stage, stage.restore(id, parts));
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return unreadableSlot(stage.name, cause);
    }
  };
}
