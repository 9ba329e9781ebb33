// How much of an operating day is on the log, run by run, with what is missing by name, for /completeness.
// What is not published yet is expected, and no gap. Pure but for the connectors that it looks at; asks
// nobody, and knows nothing of what another process follows.

import { wallTime } from '../../actors/domain/operating-day.ts';
import { DAY_MS } from '../../actors/domain/time.ts';
import type { Window } from '../../actors/feeds/source.ts';
import { intervalMsOf, missing } from '../../actors/live/coverage.ts';
import { stateOf } from '../../actors/live/plan.ts';
import { publishedMs } from '../../actors/live/publication.ts';
import type { Json } from '../views.ts';
import type { Connectors } from './connectors.ts';
import type { LiveFeed } from './live-feed.ts';
import { iso } from './views.ts';

const GAPS_SHOWN = 200;

/** What of an operating day is on the log, feed by feed; null when the market has no such day. */
export function completenessView(
  of: Connectors,
  market: string,
  date: string,
  nowMs: number,
  run: string | null = null,
): Json | null {
  const feeds = of.all
    .filter(({ plan }) => plan.market.market === market)
    .flatMap((each) => each.feeds)
    .filter(({ settings }) => run === null || settings.source.run === run);
  const [first] = feeds;
  if (first === undefined || first.settings.calendar.day(date) === null) return null;
  const runs = feeds.map((feed) => dayOf(feed, date, nowMs));
  const complete = runs.every((each) => each.complete);
  return { market, date, complete, runs };
}

interface Day extends Json {
  readonly complete: boolean;
}

function dayOf(feed: LiveFeed, date: string, nowMs: number): Day {
  const { settings } = feed;
  const { source, market, calendar, nodes } = settings;
  const day = calendar.day(date) ?? { date, startMs: 0, endMs: 0 };
  const intervalMs = intervalMsOf(market, source.run);
  const within = (startMs: number) => startMs >= day.startMs && startMs < day.endMs;
  let expected = 0;
  let due = 0;
  let present = 0;
  const gaps: Json[] = [];
  for (const window of windowsOf(feed, day.startMs, day.endMs)) {
    const state = stateOf(settings, feed.state.windows, window);
    const whole = missing(state.coverage, window, intervalMs, market, within);
    const isDue = (startMs: number) =>
      within(startMs) &&
      publishedMs(source.publication, calendar, window, { startMs, endMs: startMs + intervalMs }) <= nowMs;
    const sofar = missing(state.coverage, window, intervalMs, market, isDue);
    expected += whole.expected;
    present += whole.present;
    due += sofar.expected;
    for (const gap of sofar.gaps) {
      gaps.push({
        location: gap.location,
        from: iso(gap.startMs),
        to: iso(gap.endMs),
        market_from: wallTime(market.zone, gap.startMs),
        market_to: wallTime(market.zone, gap.endMs),
        intervals: gap.intervals,
      });
    }
  }
  return {
    feed: feed.name,
    run: source.run,
    nodes,
    summary: `${present} of ${expected}`,
    expected,
    due,
    present,
    complete: expected > 0 && present === expected,
    gaps: gaps.slice(0, GAPS_SHOWN),
    gaps_total: gaps.length,
  };
}

/** Windows that touch a day: those of its own, and those of a week that began before. */
function windowsOf({ settings }: LiveFeed, startMs: number, endMs: number): readonly Window[] {
  const { source, calendar, nodes } = settings;
  const found: Window[] = [];
  for (let back = 6; back >= 0; back -= 1) {
    const day = calendar.dayOf(startMs - back * DAY_MS);
    for (const window of source.windows(day, nodes)) {
      if (window.startMs < endMs && window.endMs > startMs) found.push(window);
    }
  }
  return [...new Map(found.map((window) => [window.id, window])).values()];
}
