// What a section of the soak has done and found, over as many rounds as it took: how often each thing
// happened, ticks judged, and what was wrong, with the seed that repeats the round.

import type { Verdict } from './judge.ts';

export interface Failed {
  readonly seed: number;
  readonly part: string;
  readonly faults: readonly string[];
}

const SHOWN = 10;

export class Tally {
  rounds = 0;
  ticks = 0;
  millis = 0;
  readonly failed: Failed[] = [];
  /** What was asked for, by its name, in rounds that were judged. */
  readonly reached: Record<string, number> = {};
  /** What else can be told of it. */
  readonly told: Record<string, number> = {};
  #happened: Record<string, number> = {};
  #counted: Record<string, number> = {};

  get underWay(): Readonly<Record<string, number>> {
    return { ...this.#happened, ...this.#counted };
  }

  /** One more of what was asked for happened in the round under way. */
  happened(what: string, times = 1): void {
    this.#happened[what] = (this.#happened[what] ?? 0) + times;
  }

  count(what: string, times = 1): void {
    this.#counted[what] = (this.#counted[what] ?? 0) + times;
  }

  /** The round was judged, or could not be (`faults` says why): what happened in it counts now. */
  judged(seed: number, part: string, { ticks, faults }: Verdict, millis: number): void {
    this.rounds += 1;
    this.ticks += ticks;
    this.millis += millis;
    if (faults.length > 0) this.failed.push({ seed, part, faults: faults.slice(0, SHOWN) });
    for (const [what, times] of Object.entries(this.#happened)) add(this.reached, what, times);
    for (const [what, times] of Object.entries(this.#counted)) add(this.told, what, times);
    this.forget();
  }

  /** A round that was cut short counts for nothing. */
  forget(): void {
    this.#happened = {};
    this.#counted = {};
  }
}

function add(to: Record<string, number>, what: string, times: number): void {
  to[what] = (to[what] ?? 0) + times;
}
