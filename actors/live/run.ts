// One entry of a feed's history: what was asked, what came, what became of it. Bounded texts, no credentials.

import type { OutcomeKind } from './outcome.ts';
import type { Choice } from './plan.ts';

export interface Run {
  readonly seq: number;
  readonly feed: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly window: string;
  readonly why: Choice['why'];
  /** `partial`: prices came, and something that is published did not. */
  readonly outcome: OutcomeKind | 'partial';
  /** Of the last reply; null: none came. */
  readonly status: number | null;
  readonly requests: number;
  readonly bytes: number;
  readonly rows: number;
  /** Records put on the log; of them, corrections of what was there. */
  readonly appended: number;
  readonly corrected: number;
  readonly unchanged: number;
  readonly unasked: number;
  /** Intervals that are published and not on the log. */
  readonly missing: number;
  /** From the first request to its last byte, without waiting for a turn. */
  readonly millis: number;
  readonly error: string | null;
}

/** The operator answered: with prices, or that there are none. */
export function isGood({ outcome }: Run): boolean {
  return outcome === 'response' || outcome === 'partial' || outcome === 'no_data';
}

const ERROR_CHARS_MAX = 300;

export function shortError(text: string): string {
  return text.slice(0, ERROR_CHARS_MAX);
}
