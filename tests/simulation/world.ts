// The simulated world: one virtual clock, one queue of what happens next, and the mailboxes of every process.
// A seed draws all of it: how long an answer takes and which mailbox runs. Nothing else decides, so a seed is
// a run. Time moves only when something that was due happens.

import type { Clock, Draw } from '../../runtime/host.ts';
import { type SeededHost, seededDraw } from './seeded-host.ts';

interface Due {
  readonly atMs: number;
  readonly tie: number;
  readonly action: () => void;
  cancelled: boolean;
}

export class World {
  readonly draw: Draw;
  readonly clock: Clock;
  readonly listening = new Listening();
  readonly #hosts = new Set<SeededHost>();
  readonly #due: Due[] = [];
  #nowMs: number;
  steps = 0;

  constructor(seed: number, startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.draw = seededDraw(seed);
    this.clock = { nowMs: () => this.#nowMs, after: (delayMs, action) => this.#after(delayMs, action) };
  }

  /** What is due some time and was not called off. */
  get timers(): number {
    return this.#due.reduce((sum, { cancelled }) => (cancelled ? sum : sum + 1), 0);
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

  /** One message or one thing that is due; false when there is neither. */
  async step(): Promise<boolean> {
    this.steps += 1;
    const done = (this.chance(0.7) && this.#message()) || this.#event() || this.#message();
    await settled();
    return done;
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
      if (next.cancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
      return true;
    }
  }

  #after(delayMs: number, action: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + delayMs, tie: this.draw(), action, cancelled: false };
    const before = (a: Due, b: Due): boolean => a.atMs > b.atMs || (a.atMs === b.atMs && a.tie > b.tie);
    let [from, to] = [0, this.#due.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const found = this.#due[middle];
      if (found !== undefined && before(found, due)) from = middle + 1;
      else to = middle;
    }
    this.#due.splice(from, 0, due);
    return () => {
      due.cancelled = true;
    };
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

/** Everything that promises had to say is said. */
function settled(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
