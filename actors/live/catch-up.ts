// What a feed has missed while it could not ask: windows that it would have followed and follows no longer,
// with something missing, and no answer to a request since all of them was out. Nothing in the ordinary
// course of days, because a window is answered when it is out and leaves days later. Pure.

import type { Window } from '../feeds/source.ts';
import { intervalMsOf } from './coverage.ts';
import {
  type FeedSettings,
  followedFromMs,
  missingNow,
  type States,
  stateOf,
  type WindowState,
} from './plan.ts';
import { daysBetween, publishedMs } from './publication.ts';

/** `sinceMs`: its last good answer before. In order of time, of at most `daysMax` days. */
export function missedWindows(
  settings: FeedSettings,
  states: States,
  sinceMs: number,
  nowMs: number,
  daysMax: number,
): readonly Window[] {
  const { source, calendar, nodes } = settings;
  const fromMs = Math.max(followedFromMs(settings, sinceMs), source.oldestMs(nowMs) ?? 0);
  const toMs = followedFromMs(settings, nowMs);
  if (fromMs >= toMs) return [];
  const days = daysBetween(calendar, calendar.dayOf(fromMs).date, calendar.dayOf(toMs - 1).date, daysMax);
  return days
    .flatMap((day) => source.windows(day, nodes))
    .filter((window) => {
      if (source.request(window, window, nowMs) === null) return false;
      const state = stateOf(settings, states, window);
      if (state.askedMs >= outMs(settings, window)) return false;
      return missingNow(settings, state, window, nowMs).gaps.length > 0;
    });
}

/** The operating days of windows in order of time, first and last; no day when there are none. */
export function spanOf(windows: readonly Window[]): { readonly from: string; readonly to: string } {
  return { from: windows[0]?.date ?? '', to: windows.at(-1)?.date ?? '' };
}

/** When the last interval of a window is out. */
function outMs({ source, market, calendar }: FeedSettings, window: Window): number {
  const startMs = window.endMs - intervalMsOf(market, source.run);
  return publishedMs(source.publication, calendar, window, { startMs, endMs: window.endMs });
}

/** When a window was last answered with prices, or with there being none. */
export function lastGoodMs(windows: Iterable<WindowState>): number {
  let lastMs = 0;
  for (const { outcome, concludedMs } of windows) {
    if (outcome === 'response' || outcome === 'no_data') lastMs = Math.max(lastMs, concludedMs);
  }
  return lastMs;
}
