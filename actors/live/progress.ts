// How far event time has come by what is on the log: a day closes when all of its window is there, and while
// it is open the whole hours count. Pure.

import { HOUR_MS } from '../domain/time.ts';
import type { Window } from '../feeds/source.ts';
import { intervalMsOf } from './coverage.ts';
import { type FeedSettings, missingNow, type States, stateOf } from './plan.ts';
import { publishedMs } from './publication.ts';

export interface Reached {
  readonly endMs: number;
  /** The end of an operating day, all of whose intervals in this window are there. */
  readonly isDayEnd: boolean;
}

/** Null while something published is missing. */
export function reached(
  settings: FeedSettings,
  states: States,
  window: Window,
  nowMs: number,
): Reached | null {
  const { market, source, calendar } = settings;
  const { expected, present } = missingNow(settings, stateOf(settings, states, window), window, nowMs);
  if (expected === 0 || present < expected) return null;
  const intervalMs = intervalMsOf(market, source.run);
  let endMs = window.startMs;
  for (let at = window.startMs; at < window.endMs; at += intervalMs) {
    const interval = { startMs: at, endMs: at + intervalMs };
    if (publishedMs(source.publication, calendar, window, interval) <= nowMs) endMs = interval.endMs;
  }
  const day = calendar.dayOf(endMs - 1);
  if (endMs === day.endMs) return { endMs, isDayEnd: true };
  return { endMs: endMs - ((endMs - day.startMs) % HOUR_MS), isDayEnd: false };
}
