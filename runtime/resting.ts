// Instruments of a partition that need no actor: stored, not asked for since, or not for long. One leaves
// when its slot is taken into an actor; till then a look reads it where it lies.

import { runKeyOf } from '../actors/calendar.ts';
import type { Slot } from '../actors/slot.ts';
import type { PackedStore } from './packed-store.ts';
import type { SlotMaker } from './slot-maker.ts';

/** A stored state that cannot be read: why, and what it is made of. */
export interface Damage {
  readonly id: string;
  readonly cause: string;
  readonly parts: readonly string[];
}

export class Resting {
  readonly #maker: SlotMaker | null;
  readonly #store: PackedStore;
  /** Of those whose stored state is not what is to be gone on with. */
  readonly #made: Map<string, Slot>;

  /** `made` stands before what is stored of the same instrument. */
  constructor(maker: SlotMaker | null, store: PackedStore, made: ReadonlyMap<string, Slot>) {
    this.#maker = maker;
    this.#store = store;
    this.#made = new Map(made);
    for (const id of made.keys()) store.delete(id);
  }

  get size(): number {
    return this.#store.size + this.#made.size;
  }

  has(id: string): boolean {
    return this.#store.has(id) || this.#made.has(id);
  }

  *ids(): Iterable<string> {
    yield* this.#store.ids();
    yield* this.#made.keys();
  }

  /** Its slot, which rests here no more; that of a new instrument when it did not. */
  take(id: string): Slot {
    const slot = this.#made.get(id);
    if (this.#made.delete(id) && slot !== undefined) return slot;
    const maker = this.#sharded();
    const parts = this.#store.take(id);
    return parts === null ? maker.fresh(id) : maker.restore(id, parts);
  }

  /**
   * Builds its slot, for `take` to give out. Null: done, or it does not rest here; else what is stored cannot
   * be read and stays.
   */
  wake(id: string): Damage | null {
    const parts = this.#store.take(id);
    if (parts === null) return null;
    const slot = this.#sharded().restore(id, parts);
    if (slot.unusable === null) {
      this.#made.set(id, slot);
      return null;
    }
    this.#store.put(id, parts);
    return { id, cause: slot.unusable, parts: [...parts.keys()] };
  }

  /** To be gone on with instead of what is stored. */
  replace(id: string, slot: Slot): void {
    this.#store.delete(id);
    this.#made.set(id, slot);
  }

  /** Its actor is given up; `take` brings it back. */
  put(id: string, parts: Iterable<readonly [part: string, bytes: Uint8Array]>): void {
    this.#store.put(id, parts);
  }

  /** For a look; null: it does not rest here. */
  peek(id: string): Slot | null {
    const slot = this.#made.get(id);
    if (slot !== undefined) return slot;
    const parts = this.#store.peek(id);
    return parts === null ? null : this.#sharded().restore(id, parts);
  }

  /** The same as its slot's, at less cost. */
  watermarkMs(id: string): number | null {
    const slot = this.#made.get(id);
    if (slot !== undefined) return slot.watermarkMs();
    const parts = this.#maker?.timed === true ? this.#store.peek(id) : null;
    return parts === null ? null : this.#sharded().glance(id, parts).watermarkMs;
  }

  /** It lives elsewhere now. */
  forget(id: string): boolean {
    return this.#made.delete(id) || this.#store.delete(id);
  }

  #sharded(): SlotMaker {
    if (this.#maker === null) throw new Error('its work has no slots');
    return this.#maker;
  }
}

/** Greatest watermark by `market:run`, milliseconds. */
export type Marks = Map<string, number>;

export function raise(marks: Marks, id: string, ms: number | null): void {
  if (ms === null) return;
  const run = runKeyOf(id);
  marks.set(run, Math.max(marks.get(run) ?? Number.NEGATIVE_INFINITY, ms));
}
