// What of a feed's runs is worth an event. An outage is told when it begins, when the circuit opens, once an
// hour while it lasts, and when it is over; the history has every run. So a log of a night without network
// is a page.

import type { Breaker } from '../../actors/live/breaker.ts';
import type { Run } from '../../actors/live/run.ts';

export interface Told {
  readonly kind: 'note' | 'dependency_down' | 'dependency_up';
  readonly cause: string;
  readonly decision: string;
}

const AGAIN_MS = 3_600_000;
/** Failures between answers that are good: one of them in so long. */
const NOTE_MS = 600_000;

export class FeedVoice {
  /** Of the failures in a row: the last one that was told, when, and whether the circuit was open then. */
  #told: { readonly what: string; readonly atMs: number; readonly open: boolean } | null = null;
  #sinceMs = 0;
  #failures = 0;
  #noteAgainMs = 0;

  hear(run: Run, breaker: Breaker, nowMs: number): readonly Told[] {
    if (run.error === null || run.outcome === 'no_data') return this.#good(nowMs);
    const what = `${run.outcome}: ${run.error}`;
    const open = breaker.openedMs !== null;
    if (this.#failures === 0) this.#sinceMs = nowMs;
    this.#failures += 1;
    const told = this.#told;
    const isNews = told === null || (open && !told.open) || (!open && told.what !== what);
    if (!isNews && nowMs - told.atMs < AGAIN_MS) return [];
    if (!open && nowMs < this.#noteAgainMs) return [];
    this.#told = { what, atMs: nowMs, open };
    if (!open) {
      this.#noteAgainMs = nowMs + NOTE_MS;
      return [{ kind: 'note', cause: what, decision: `window ${run.window} is asked again later` }];
    }
    const next = new Date(nowMs + breaker.waitMs).toISOString();
    const since = new Date(this.#sinceMs).toISOString();
    const cause = `${this.#failures} failures in a row since ${since}: ${what}`;
    return [{ kind: 'dependency_down', cause, decision: `the circuit is open; one request at ${next}` }];
  }

  /** Only what was told to be down is told to be up. */
  #good(nowMs: number): readonly Told[] {
    const told = this.#told;
    const failures = this.#failures;
    this.#told = null;
    this.#failures = 0;
    if (told === null || !told.open) return [];
    const minutes = Math.round((nowMs - this.#sinceMs) / 60_000);
    const cause = `it answers again after ${failures} failures in ${minutes} min`;
    return [
      { kind: 'dependency_up', cause, decision: 'the circuit is closed; what is missing is asked for' },
    ];
  }
}
