// When the intervals of a window are published, by the market's own operating days, and which windows a feed
// looks at now: tomorrow's for what is published the day before, and so many days back.

import type { MarketCalendar } from '../domain/operating-day.ts';
import { HOUR_MS, MINUTE_MS } from '../domain/time.ts';
import type { Nodes, Publication, Source, Span, Window } from '../feeds/source.ts';

/** When the interval [startMs, endMs) of a window can be asked for. */
export function publishedMs(
  publication: Publication,
  calendar: MarketCalendar,
  window: Span,
  interval: Span,
): number {
  switch (publication.kind) {
    case 'day_before': {
      const day = calendar.dayOf(interval.startMs);
      return calendar.dayOf(day.startMs - 1).startMs + publication.hour * HOUR_MS;
    }
    case 'lag':
      return interval.endMs + publication.minutes * MINUTE_MS;
    case 'after':
      return window.endMs + publication.hours * HOUR_MS;
  }
}

/** Windows that begin on the days from `daysBack` before today until tomorrow; the latest first. */
export function horizon(
  source: Source,
  calendar: MarketCalendar,
  nodes: Nodes,
  daysBack: number,
  nowMs: number,
): readonly Window[] {
  const windows: Window[] = [];
  let day = calendar.dayOf(calendar.dayOf(nowMs).endMs);
  for (let n = -1; n <= daysBack; n += 1) {
    windows.push(...source.windows(day, nodes).toReversed());
    day = calendar.dayOf(day.startMs - 1);
  }
  return windows;
}

/** The operating day of each date from first to last, at most `daysMax`; empty when a date is none. */
export function daysBetween(calendar: MarketCalendar, from: string, to: string, daysMax: number) {
  const days = [];
  let day = calendar.day(from);
  while (day !== null && day.date <= to && days.length < daysMax) {
    days.push(day);
    day = calendar.dayOf(day.endMs);
  }
  return days;
}

/** Parts of a list, each of at most `size`. */
export function groupsOf<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  const groups: T[][] = [];
  for (let from = 0; from < all.length; from += size) groups.push(all.slice(from, from + size));
  return groups;
}
