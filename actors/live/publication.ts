// When the intervals of a window are published, by the market's own operating days, and which windows a feed
// looks at now: tomorrow's for what is published the day before, and so many days back.

import type { MarketCalendar } from '../domain/operating-day.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../domain/time.ts';
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

/** A window that is out only days after its end is looked at on at least so many days. */
const LOOKS_MIN = 3;
/** Windows of a source begin at least once in so many days; of no change of the clock. */
const SAMPLE_DAYS = 31;
const SAMPLE_MS = Date.UTC(2026, 0, 5, 12);

/**
 * Operating days before today that a feed follows, so that each window is looked at after it is out. What is
 * out by the day after its window is followed for `daysBack` days; what is out later is followed for so many
 * from there on, and for at least LOOKS_MIN.
 */
export function followedDays(
  source: Source,
  calendar: MarketCalendar,
  nodes: Nodes,
  daysBack: number,
): number {
  const { publication } = source;
  if (publication.kind === 'day_before') return daysBack;
  const delayMs = publication.kind === 'lag' ? publication.minutes * MINUTE_MS : publication.hours * HOUR_MS;
  const lateDays = Math.floor((longestMs(source, calendar, nodes) + delayMs) / DAY_MS) - 1;
  return lateDays <= 0 ? daysBack : lateDays + Math.max(daysBack, LOOKS_MIN);
}

function longestMs(source: Source, calendar: MarketCalendar, nodes: Nodes): number {
  let day = calendar.dayOf(SAMPLE_MS);
  let longest = DAY_MS;
  for (let n = 0; n < SAMPLE_DAYS; n += 1) {
    for (const { startMs, endMs } of source.windows(day, nodes)) longest = Math.max(longest, endMs - startMs);
    day = calendar.dayOf(day.endMs);
  }
  return longest;
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
