// How an instrument's slot is made from what is stored of it.

import { type Slot, slotOf, unreadableSlot } from '../actors/slot.ts';
import type { Glance, Stage } from '../actors/stage.ts';

export interface SlotMaker {
  /** Of a new instrument. */
  fresh(id: string): Slot;
  /** Parts that cannot be read give an unusable slot. */
  restore(id: string, parts: ReadonlyMap<string, Uint8Array>): Slot;
  /** What is known of stored parts before the slot is made; throws when they are damaged. */
  glance(id: string, parts: ReadonlyMap<string, Uint8Array>): Glance;
  /** Its slots have watermarks. */
  readonly timed: boolean;
}

export function slotMaker<State>(stage: Stage<State>): SlotMaker {
  return {
    fresh: (id) => slotOf(stage, stage.initial(id)),
    restore(id, parts) {
      try {
        return slotOf(stage, stage.restore(id, parts));
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error);
        return unreadableSlot(stage.name, cause);
      }
    },
    glance: (id, parts) => stage.glance?.(id, parts) ?? glanceOf(slotOf(stage, stage.restore(id, parts))),
    timed: stage.watermarkMs !== undefined,
  };
}

export function glanceOf(slot: Slot): Glance {
  return { watermarkMs: slot.watermarkMs(), dueMs: slot.dueMs() };
}
