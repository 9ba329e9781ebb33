// The simulated world: one virtual clock, one queue of what happens next, and the mailboxes of every process.
// A seed draws all of it: how long an answer takes and which mailbox runs. Nothing else decides, so a seed is
// a run. Time moves only when something that was due happens.

import { drainMicrotasks } from 'bun:jsc';
import type { Clock, Draw } from '../../runtime/host.ts';
import { type SeededHost, seededDraw } from './seeded-host.ts';

interface Due {
  readonly atMs: number;
  readonly tie: number;
  readonly action: () => void;
  /** It happens now or has happened, or it was called off. */
  over: boolean;
}

/** Steps in one task of the event loop, which has nothing else to do for a run and takes its time. */
const STEPS_A_TURN = 20;

export class World {
  readonly draw: Draw;
  readonly clock: Clock;
  readonly listening = new Listening();
  readonly #hosts = new Set<SeededHost>();
  readonly #due: Due[] = [];
  #timers = 0;
  #nowMs: number;
  steps = 0;

  constructor(seed: number, startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.draw = seededDraw(seed);
    this.clock = { nowMs: () => this.#nowMs, after: (delayMs, action) => this.#after(delayMs, action) };
  }

  /** What is due some time and was not called off. */
  get timers(): number {
    return this.#timers;
  }

  /** Whole number in [0, below). */
  below(limit: number): number {
    return Math.floor(this.draw() * limit);
  }

  chance(share: number): boolean {
    return this.draw() < share;
  }

  host(host: SeededHost): void {
    this.#hosts.add(host);
  }

  /** The process is gone: what waits in its mailboxes is never handled. */
  forget(host: SeededHost): void {
    this.#hosts.delete(host);
  }

  /** One message or one thing that is due, and all that follows of it; false when there is neither. */
  async step(): Promise<boolean> {
    const done = this.#step();
    await turn(() => {});
    return done;
  }

  /**
   * Steps as long as `goesOn` says so before each. For a world that is all in memory: after a step promises
   * have something to say, and nothing else of the process.
   */
  async run(goesOn: () => boolean): Promise<void> {
    while (await turn(() => this.#someSteps(goesOn)));
  }

  /** False when it does not go on. */
  #someSteps(goesOn: () => boolean): boolean {
    for (let step = 0; step < STEPS_A_TURN; step += 1) {
      if (!goesOn()) return false;
      this.#step();
      drainMicrotasks();
    }
    return true;
  }

  #step(): boolean {
    this.steps += 1;
    return (this.chance(0.7) && this.#message()) || this.#event() || this.#message();
  }

  #message(): boolean {
    const hosts = [...this.#hosts];
    const from = this.below(Math.max(1, hosts.length));
    return hosts.some((_, n) => hosts[(from + n) % hosts.length]?.step() === true);
  }

  #event(): boolean {
    for (;;) {
      const next = this.#due.pop();
      if (next === undefined) return false;
      if (next.over) continue;
      this.#end(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
      return true;
    }
  }

  #after(delayMs: number, action: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + delayMs, tie: this.draw(), action, over: false };
    let [from, to] = [0, this.#due.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const found = this.#due[middle];
      if (found !== undefined && isLater(found, due)) from = middle + 1;
      else to = middle;
    }
    this.#due.splice(from, 0, due);
    this.#timers += 1;
    return () => this.#end(due);
  }

  #end(due: Due): void {
    if (due.over) return;
    due.over = true;
    this.#timers -= 1;
  }
}

/**
 * Who listens to signals of abort. A signal that is heard is kept for good until it is aborted, and all that
 * its listener knows with it: whoever ends a world in which processes vanished lets go of the rest.
 */
export class Listening {
  readonly #open = new Set<() => void>();

  /** Returns how to listen no more. */
  on(signal: AbortSignal, action: () => void): () => void {
    const off = (): void => {
      this.#open.delete(off);
      signal.removeEventListener('abort', heard);
    };
    const heard = (): void => {
      off();
      action();
    };
    this.#open.add(off);
    signal.addEventListener('abort', heard);
    return off;
  }

  end(): void {
    for (const off of [...this.#open]) off();
  }
}

function isLater(a: Due, b: Due): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.tie > b.tie);
}

/** Work as a task of the event loop of its own, after all that waits there now. */
function turn<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}
