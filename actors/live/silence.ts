// Whether a feed is silent: answers come, or none do, and what should be out by now does not. Judged by the
// newest interval that is on the log, so a hole before it is no silence. Pure. Only of runs that come out
// interval by interval: a report of a whole day is seldom out to the minute.

import { DAY_MS, MINUTE_MS } from '../domain/time.ts';
import { intervalMsOf } from './coverage.ts';
import { type FeedSettings, type States, stateOf } from './plan.ts';
import { horizon, publishedMs } from './publication.ts';

/** So long after an interval is due its absence is silence: the freshness that is shipped for ticks. */
export const SILENT_MS = 15 * MINUTE_MS;

export interface Silence {
  /** Start of the first interval that did not come. */
  readonly fromMs: number;
  /** When it should have been out. */
  readonly dueMs: number;
}

/** Null: the newest interval is there, or it is not due for long, or the feed never had one. */
export function silenceOf(settings: FeedSettings, states: States, nowMs: number): Silence | null {
  const { source, market, calendar, nodes } = settings;
  if (source.publication.kind !== 'lag') return null;
  const intervalMs = intervalMsOf(market, source.run);
  const newest = newestMs(settings, states, nowMs);
  if (newest === null) return null;
  for (const window of horizon(source, calendar, nodes, 1, nowMs).toReversed()) {
    for (let startMs = window.startMs; startMs < window.endMs; startMs += intervalMs) {
      const dueMs = publishedMs(source.publication, calendar, window, {
        startMs,
        endMs: startMs + intervalMs,
      });
      if (dueMs + SILENT_MS > nowMs) return null;
      if (startMs > newest && isExpected(settings, startMs)) return { fromMs: startMs, dueMs };
    }
  }
  return null;
}

function isExpected({ market, nodes }: FeedSettings, startMs: number): boolean {
  return nodes === 'all' || nodes.some((node) => market.expects(node, startMs));
}

/** Start of the newest interval that any location has; null: of two days there is none. */
function newestMs(settings: FeedSettings, states: States, nowMs: number): number | null {
  const { source, market, calendar, nodes } = settings;
  const intervalMs = intervalMsOf(market, source.run);
  for (const window of horizon(source, calendar, nodes, 2, nowMs)) {
    const { coverage } = stateOf(settings, states, window);
    if (coverage.packed !== null) return window.endMs - intervalMs;
    for (let slot = coverage.slots - 1; slot >= 0; slot -= 1) {
      for (const hashes of coverage.locations.values()) {
        if ((hashes[slot] ?? 0) !== 0) return window.startMs + slot * intervalMs;
      }
    }
  }
  // Older than that, or never: then silence began with what is followed.
  return [...states.values()].some(({ endMs }) => endMs < nowMs - DAY_MS)
    ? (horizon(source, calendar, nodes, 1, nowMs).at(-1)?.startMs ?? nowMs) - intervalMs
    : null;
}
