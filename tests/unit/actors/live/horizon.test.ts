// A feed as connectors.yaml makes it by default, looked at once a day, asks for every window of its source
// once all of it is out, also when any one day is missed, as long as the operator serves it at some look.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { marketCalendar } from '../../../../actors/domain/operating-day.ts';
import { DAY_MS } from '../../../../actors/domain/time.ts';
import { findFeed, markets, sources } from '../../../../actors/feeds/markets.ts';
import type { Source, Window } from '../../../../actors/feeds/source.ts';
import { missedWindows } from '../../../../actors/live/catch-up.ts';
import { intervalMsOf, slotsOf } from '../../../../actors/live/coverage.ts';
import { type FeedSettings, newWindow, nextAsk, type WindowState } from '../../../../actors/live/plan.ts';
import { publishedMs } from '../../../../actors/live/publication.ts';
import { connectors } from '../../../../configs/schema-connectors.ts';
import { connectorPlans } from '../../../../runtime/live/settings.ts';

setDefaultTimeout(120_000);

const FIRST = Date.UTC(2026, 8, 1, 18);
const DAYS = 45;
const ASKS_MAX = 200;

/** By its section of connectors.yaml, which says no more of it than its name. */
function byDefault(source: Source, days_back?: number): FeedSettings {
  const nodes = source.name === 'caiso.dam-group' ? 'all' : ['A'];
  const live = { prices: { source: source.name, nodes, ...(days_back === undefined ? {} : { days_back }) } };
  const { market } = source.market;
  const base_urls = Object.fromEntries(
    ['oasis', 'reports', 'public', 'exchange'].map((base) => [base, 'https://operator.example']),
  );
  const file = connectors.parse({ connectors: { one: { market, base_urls, live } } });
  const { plans, findings } = connectorPlans(file, ['one'], { markets, sources, findFeed });
  const [plan] = plans;
  const [feed] = plan?.feeds ?? [];
  if (plan === undefined || feed === undefined) throw new Error(JSON.stringify(findings));
  const { retry } = plan;
  return { ...feed, market: plan.market, calendar: marketCalendar(plan.market.zone), retry };
}

function daysOf({ source }: FeedSettings): number {
  return source.name.endsWith('-group') ? 4 : source.publication.kind === 'after' ? DAYS : 14;
}

function outMs({ source, market, calendar }: FeedSettings, window: Window): number {
  const startMs = window.endMs - intervalMsOf(market, source.run);
  return publishedMs(source.publication, calendar, window, { startMs, endMs: window.endMs });
}

/** All that is published of it by now. */
function answered(settings: FeedSettings, window: Window, nowMs: number): WindowState {
  const { source, market, calendar } = settings;
  const intervalMs = intervalMsOf(market, source.run);
  const slots = slotsOf(window, intervalMs);
  const values = Uint32Array.from({ length: slots }, (_, slot) => {
    const startMs = window.startMs + slot * intervalMs;
    const interval = { startMs, endMs: startMs + intervalMs };
    return publishedMs(source.publication, calendar, window, interval) <= nowMs ? 1 : 0;
  });
  return {
    ...newWindow(source, market, window),
    coverage: { slots, locations: new Map([['A', values]]), packed: null },
    concludedMs: nowMs,
    askedMs: nowMs,
    lookedMs: nowMs,
    corrections: source.correctionDays.filter((days) => window.endMs + days * DAY_MS <= nowMs).length,
    outcome: 'response',
  };
}

/** When each window was asked for last. */
function looks(settings: FeedSettings, isMissed: (day: number) => boolean): ReadonlyMap<string, number> {
  const states = new Map<string, WindowState>();
  for (let day = 0; day < daysOf(settings); day += 1) {
    if (isMissed(day)) continue;
    const nowMs = FIRST + day * DAY_MS;
    for (let asks = 0; ; asks += 1) {
      const next = nextAsk(settings, states, [], nowMs);
      if (!('ask' in next)) break;
      if (asks > ASKS_MAX) throw new Error(`${settings.source.name} asks for ever`);
      states.set(next.ask.window.id, answered(settings, next.ask.window, nowMs));
    }
  }
  return new Map([...states].map(([id, { concludedMs }]) => [id, concludedMs]));
}

/** Windows that the operator serves whole at some of the looks. */
function served(settings: FeedSettings, isMissed: (day: number) => boolean): readonly Window[] {
  const { source, calendar, nodes } = settings;
  const windows: Window[] = [];
  for (
    let day = calendar.dayOf(FIRST);
    day.startMs < FIRST + daysOf(settings) * DAY_MS;
    day = calendar.dayOf(day.endMs)
  ) {
    windows.push(...source.windows(day, nodes));
  }
  return windows.filter((window) =>
    Array.from({ length: daysOf(settings) }, (_, day) => day).some((day) => {
      const nowMs = FIRST + day * DAY_MS;
      if (isMissed(day) || nowMs < outMs(settings, window)) return false;
      return window.endMs > (source.oldestMs(nowMs) ?? 0) && source.request(window, window, nowMs) !== null;
    }),
  );
}

/** Each day, and none (-1); few of those whose windows are hours, which are asked one by one. */
function missedDays({ name, publication }: Source): readonly number[] {
  if (name.endsWith('-group')) return [2];
  if (publication.kind !== 'after') return [-1, 3, 9];
  return Array.from({ length: DAYS - 1 }, (_, n) => n - 1);
}

for (const source of sources) {
  for (const daysBack of [undefined, 0]) {
    // What is out at once is followed for as many days as were asked for.
    const late = source.publication.kind === 'after' && source.publication.hours >= 24;
    if (daysBack === 0 && !late) continue;
    test(`${source.name} with ${daysBack ?? 'the default'} days back misses no window`, () => {
      const settings = byDefault(source, daysBack);
      for (const missed of missedDays(source)) {
        const isMissed = (day: number) => day === missed;
        const asked = looks(settings, isMissed);
        const lost = served(settings, isMissed).filter(
          (window) => (asked.get(window.id) ?? 0) < outMs(settings, window),
        );
        expect([missed, lost.map(({ id }) => id)]).toEqual([missed, []]);
      }
    });
  }
}

test('a week that was out and left while nobody looked is caught up with', () => {
  const source = sources.find(({ name }) => name === 'miso.rt5-final');
  if (source === undefined) throw new Error('no source');
  const settings = byDefault(source);
  const day = settings.calendar.day('2026-09-07');
  const [window] = day === null ? [] : source.windows(day, settings.nodes);
  if (window === undefined) throw new Error('no week');
  const out = outMs(settings, window);
  for (let back = 1; back < 20; back += 1) {
    const nowMs = out + back * DAY_MS;
    const next = nextAsk(settings, new Map(), [], nowMs);
    const isAsked = (): boolean => {
      const states = new Map<string, WindowState>();
      for (let at = next; 'ask' in at; at = nextAsk(settings, states, [], nowMs)) {
        states.set(at.ask.window.id, answered(settings, at.ask.window, nowMs));
      }
      return states.has(window.id);
    };
    const caught = missedWindows(settings, new Map(), out - DAY_MS, nowMs, 100).map(({ id }) => id);
    expect([back, isAsked() || caught.includes(window.id)]).toEqual([back, true]);
  }
});
