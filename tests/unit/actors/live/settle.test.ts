// What an answer makes of a window: the file of another day settles nothing, a hole in a published file is
// not asked for by the hour, and corrections that came due while nobody looked are looked for afterwards,
// however long ago their day is.

import { expect, test } from 'bun:test';
import { marketCalendar } from '../../../../actors/domain/operating-day.ts';
import type { RawRecord } from '../../../../actors/domain/wire.ts';
import { sources } from '../../../../actors/feeds/markets.ts';
import { miso } from '../../../../actors/feeds/miso.ts';
import {
  type Choice,
  type FeedSettings,
  isDone,
  nextAsk,
  stateOf,
  type WindowState,
} from '../../../../actors/live/plan.ts';
import { settle } from '../../../../actors/live/settle.ts';
import { randomOf, seedOf } from '../../../support/random.ts';
import { rawRecord } from '../../../support/wire-records.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const calendar = marketCalendar(miso.zone);
const source = sources.find((each) => each.name === 'miso.da-expost');
if (source === undefined) throw new Error('no source');
const settings: FeedSettings = {
  source,
  market: miso,
  calendar,
  nodes: ['A'],
  daysBack: 3,
  retry: { initialMs: 60_000, maxMs: HOUR, jitter: 0 },
};

function choice(date: string, why: Choice['why'] = 'missing'): Choice {
  const day = calendar.day(date);
  const [window] = day === null ? [] : settings.source.windows(day, ['A']);
  if (window === undefined) throw new Error(date);
  return { window, span: window, why };
}

function records(date: string, hours: number): RawRecord[] {
  const { window } = choice(date);
  return Array.from({ length: hours }, (_, n) => {
    const at = (window.startMs + n * HOUR) * 1_000;
    const interval = { interval_start: at, interval_end: at + HOUR * 1_000 };
    return rawRecord({ run: 'DA_EXPOST', delivery_location: 'A', ...interval, values: { LMP: '1' } });
  });
}

const answer = { outcome: 'response' as const, retryAfterMs: null, whole: true, asked: 0 };
const of = (asked: Choice, got: RawRecord[], nowMs: number, before?: WindowState) => {
  const state = before ?? stateOf(settings, new Map(), asked.window);
  return settle(settings, state, asked, { ...answer, records: got, startedMs: nowMs }, nowMs, 0);
};

test('a file of another day settles nothing, and counts as no look for corrections', () => {
  const asked = choice('2026-10-02');
  const nowMs = asked.window.endMs + 6 * DAY;
  const whole = of(asked, records('2026-10-02', 24), asked.window.startMs);
  const other = of({ ...asked, why: 'correction' }, records('2026-10-01', 24), nowMs, whole.state);
  expect(other.merged.unasked).toBe(24);
  expect(other.state).toMatchObject({ corrections: 0, unsettled: true, concludedMs: asked.window.startMs });
  const right = of({ ...asked, why: 'correction' }, records('2026-10-02', 24), nowMs, whole.state);
  expect(right.state).toMatchObject({ corrections: 2, unsettled: false });
});

test('the last part of an answer may hold nothing that was asked for', () => {
  const asked = choice('2026-10-02');
  const parts = { ...answer, asked: 24, startedMs: 0, records: records('2026-10-01', 1) };
  const state = stateOf(settings, new Map(), asked.window);
  expect(settle(settings, state, asked, parts, asked.window.endMs, 0).state.unsettled).toBe(false);
});

test('a hole in a published file waits for hours, a file that is not there for minutes', () => {
  const asked = choice('2026-10-02');
  const nowMs = asked.window.startMs;
  expect(of(asked, records('2026-10-02', 23), nowMs).state.notBeforeMs).toBe(nowMs + 6 * HOUR);
  expect(of(asked, [], nowMs).state.notBeforeMs).toBe(nowMs + 60_000);
  expect(of(asked, records('2026-10-02', 24), nowMs).state.notBeforeMs).toBe(0);
});

test('a correction that came due during a long downtime is looked for once, and then no more', () => {
  const first = choice('2026-10-02');
  const known = of(first, records('2026-10-02', 24), first.window.startMs).state;
  const states = new Map([[first.window.id, known]]);
  // Three weeks later all other days are there; only this one was never looked at again.
  const nowMs = first.window.endMs + 21 * DAY;
  for (
    let day = calendar.dayOf(nowMs + DAY);
    day.startMs > nowMs - 10 * DAY;
    day = calendar.dayOf(day.startMs - 1)
  ) {
    const asked = choice(day.date);
    states.set(asked.window.id, { ...of(asked, records(day.date, 24), nowMs).state, corrections: 2 });
  }
  const next = nextAsk(settings, states, [], nowMs);
  expect(next).toEqual({ ask: { ...first, why: 'correction' } });
  states.set(
    first.window.id,
    of({ ...first, why: 'correction' }, records('2026-10-02', 24), nowMs, known).state,
  );
  expect('ask' in nextAsk(settings, states, [], nowMs)).toBe(false);
});

const exchange = sources.find((each) => each.name === 'miso.exchange-rt5-prelim');
if (exchange === undefined) throw new Error('no source');
const five: FeedSettings = { ...settings, source: exchange };
const FIVE = HOUR / 12;

/** The day of five minutes each, and its prices from one slot to another. */
function fiveMinutes(date: string) {
  const { window } = choice(date);
  const prices = (from: number, to: number): RawRecord[] =>
    Array.from({ length: to - from }, (_, n) => {
      const at = (window.startMs + (from + n) * FIVE) * 1_000;
      const interval = { interval_start: at, interval_end: at + FIVE * 1_000 };
      return rawRecord({ run: 'RT5_EXPOST', delivery_location: 'A', ...interval, values: { LMP: '1' } });
    });
  const ask = (from: number, to: number): Choice => {
    const span = { startMs: window.startMs + from * FIVE, endMs: window.startMs + to * FIVE };
    return { window, span, why: 'missing' };
  };
  const settled = (before: WindowState, asked: Choice, got: RawRecord[], startedMs: number, tookMs = 0) =>
    settle(five, before, asked, { ...answer, records: got, startedMs }, startedMs + tookMs, 0).state;
  return { window, prices, ask, settled, fresh: stateOf(five, new Map(), window) };
}

test('an answer to a part of a window is no answer to whoever wants all of it', () => {
  const { window, prices, ask, settled, fresh } = fiveMinutes('2026-10-01');
  const nowMs = window.endMs + HOUR;
  const first = settled(fresh, ask(0, 288), prices(1, 288), nowMs - 1);
  const part = settled(first, ask(0, 1), [], nowMs + 1);
  const job = { job: 'a', windows: [window], sinceMs: nowMs };
  expect(isDone(five, part, window, { ...job, onlyMissing: false }, nowMs + 1)).toBe(false);
  expect(isDone(five, part, window, { ...job, onlyMissing: true }, nowMs + 1)).toBe(true);
  const whole = settled(part, ask(0, 288), prices(1, 288), nowMs + 2);
  expect(isDone(five, whole, window, { ...job, onlyMissing: false }, nowMs + 2)).toBe(true);
});

test('a correction that is due asks for all of a followed day, whatever hole it has', () => {
  const { window, prices, ask, settled, fresh } = fiveMinutes('2026-10-01');
  const known = settled(fresh, ask(0, 288), prices(1, 288), window.endMs);
  const nowMs = window.endMs + DAY;
  const states = new Map([[window.id, known]]);
  for (const date of ['2026-10-02', '2026-10-03']) {
    const other = fiveMinutes(date);
    const got = other.prices(0, 288);
    states.set(other.window.id, other.settled(other.fresh, other.ask(0, 288), got, other.window.startMs));
  }
  expect(nextAsk(five, states, [], nowMs)).toEqual({ ask: { window, span: window, why: 'correction' } });
  states.delete(window.id);
  expect(nextAsk(five, states, [], nowMs)).toEqual({ ask: ask(0, 288) });
});

test('an answer to what was asked before a job was made does not count for it', () => {
  const { window, prices, ask, settled, fresh } = fiveMinutes('2026-10-01');
  const nowMs = window.endMs + HOUR;
  const state = settled(fresh, ask(0, 288), prices(1, 288), nowMs - 5_000, 10_000);
  const job = { job: 'a', windows: [window], sinceMs: nowMs };
  for (const onlyMissing of [false, true]) {
    expect(isDone(five, state, window, { ...job, onlyMissing }, nowMs + 5_000)).toBe(false);
  }
});

test('what came due or out between a request and its answer was not looked for', () => {
  const { window, prices, ask, settled, fresh } = fiveMinutes('2026-10-01');
  const dueMs = window.endMs + DAY;
  expect(settled(fresh, ask(0, 288), prices(0, 288), dueMs - 5_000, 10_000).corrections).toBe(0);
  const nowMs = window.startMs + 10 * FIVE + 10 * 60_000;
  const late = settled(fresh, ask(0, 9), prices(1, 9), nowMs - 5_000, 10_000);
  const next = nextAsk({ ...five, daysBack: 0 }, new Map([[window.id, late]]), [], nowMs + 5_000);
  expect(next).toEqual({ ask: ask(9, 10) });
});

test('one failure holds up what is newly published for the first pause, however old a hole is', () => {
  const { window, prices, ask, settled, fresh } = fiveMinutes('2026-10-01');
  let state = fresh;
  let nowMs = window.startMs;
  for (let n = 1; n <= 72; n += 1) {
    nowMs = window.startMs + n * FIVE + 10 * 60_000;
    state = settled(state, ask(0, n), n === 1 ? [] : prices(n - 1, n), nowMs);
  }
  expect(state.notBeforeMs).toBe(nowMs + HOUR);
  const failed = { ...answer, outcome: 'failed' as const, whole: false, records: [], startedMs: nowMs };
  const once = settle(five, state, ask(0, 73), failed, nowMs, 0).state;
  expect(once.notBeforeMs).toBe(nowMs + 60_000);
  expect(settle(five, once, ask(0, 73), failed, nowMs, 0).state.notBeforeMs).toBe(nowMs + 120_000);
});

/** A day whose first price never came, asked for interval by interval until the 73rd is out. */
function dayWithHole() {
  const day = fiveMinutes('2026-10-01');
  const published = (n: number): number => day.window.startMs + n * FIVE + 10 * 60_000;
  let state = day.fresh;
  for (let n = 1; n <= 72; n += 1) {
    state = day.settled(state, day.ask(0, n), n === 1 ? [] : day.prices(n - 1, n), published(n));
  }
  const next = (of: WindowState, nowMs: number) =>
    nextAsk({ ...five, daysBack: 0 }, new Map([[day.window.id, of]]), [], nowMs);
  return { ...day, published, state, next };
}

test('what is late now is asked for at its own pace, whatever never came before it', () => {
  const { prices, ask, settled, published, state: before, next } = dayWithHole();
  let state = before;
  // The newest is late: a minute, two, as if nothing else were missing; then it comes.
  let nowMs = published(73);
  expect(next(state, nowMs)).toEqual({ ask: ask(72, 73) });
  for (const pauseMs of [60_000, 120_000]) {
    state = settled(state, ask(72, 73), [], nowMs);
    expect(next(state, nowMs)).toEqual({ waitUntilMs: nowMs + pauseMs });
    nowMs += pauseMs;
    expect(next(state, nowMs)).toEqual({ ask: ask(72, 73) });
  }
  state = settled(state, ask(72, 73), prices(72, 73), nowMs);
  expect(next(state, nowMs)).toEqual({ waitUntilMs: published(74) });
  // An operator that is silent for long is no interval that is late.
  nowMs = published(90);
  state = settled(state, ask(73, 90), [], nowMs);
  expect(state.late?.notBeforeMs).toBe(nowMs + HOUR);
});

test('an old hole is asked for at its own pace, and not with each new interval', () => {
  const { prices, ask, settled, published, state: before, next, window } = dayWithHole();
  let state = before;
  const spans: string[] = [];
  for (let nowMs = published(72); nowMs < published(144); nowMs += 60_000) {
    const due = next(state, nowMs);
    if (!('ask' in due)) continue;
    const from = (due.ask.span.startMs - window.startMs) / FIVE;
    const to = (due.ask.span.endMs - window.startMs) / FIVE;
    spans.push(from === 0 ? 'the hole' : `${to - from}`);
    state = settled(state, ask(from, to), prices(Math.max(1, from), to), nowMs);
  }
  // Six hours: each interval once, the hole of the morning once an hour.
  expect(spans.filter((each) => each === '1').length).toBeGreaterThanOrEqual(64);
  expect(spans.filter((each) => each === 'the hole').length).toBeWithin(5, 7);
  expect(spans.length).toBeLessThanOrEqual(72);
});

test('whatever is late, and however, all that ever comes is in, soon after it came', () => {
  const seed = seedOf('late intervals');
  const random = randomOf(seed);
  const { window, prices, published, fresh, next } = dayWithHole();
  // Most in time, some minutes late, a few hours late, one in forty never.
  const outMs = Array.from({ length: 288 }, (_, n) => {
    const kind = random();
    const lateMs =
      kind < 0.7 ? 0 : kind < 0.9 ? random() * 900_000 : kind < 0.975 ? random() * 6 * HOUR : DAY * 9;
    return published(n + 1) + lateMs;
  });
  const inMs = new Map<number, number>();
  let state = fresh;
  let asked = 0;
  for (let nowMs = window.startMs; nowMs < window.endMs; ) {
    const due = next(state, nowMs);
    if (!('ask' in due)) {
      nowMs = Math.max(nowMs + 1_000, Math.min(due.waitUntilMs, nowMs + HOUR));
      continue;
    }
    asked += 1;
    const from = (due.ask.span.startMs - window.startMs) / FIVE;
    const to = (due.ask.span.endMs - window.startMs) / FIVE;
    const there = Array.from({ length: to - from }, (_, n) => from + n).filter(
      (n) => (outMs[n] ?? 0) <= nowMs,
    );
    for (const n of there) if (!inMs.has(n)) inMs.set(n, nowMs);
    const got = there.flatMap((n) => prices(n, n + 1));
    state = settle(five, state, due.ask, { ...answer, records: got, startedMs: nowMs }, nowMs, 0).state;
    nowMs += 1_000;
  }
  const waits = outMs.flatMap((at, n) =>
    at < window.endMs - 2 * HOUR ? [(inMs.get(n) ?? Infinity) - at] : [],
  );
  // The longest pause there is, and the while that one hole may hold another up.
  expect(Math.max(...waits)).toBeLessThanOrEqual(HOUR + 60_000);
  // Less than three requests an interval.
  expect(asked).toBeLessThan(3 * 288);
});

test('a job that wants what is missing is not done by an answer that left it out', () => {
  const { window, prices, ask, settled, published, state } = dayWithHole();
  const job = { job: 'a', windows: [window], onlyMissing: true, sinceMs: published(72) + 1 };
  const part = settled(state, ask(72, 73), prices(72, 73), published(73));
  expect(isDone(five, part, window, job, published(73))).toBe(false);
  const all = settled(part, ask(0, 73), [], published(73) + 1);
  expect(isDone(five, all, window, job, published(73) + 1)).toBe(true);
});

test('no data of a day whose prices came before ends no look: it is asked again', () => {
  const asked = choice('2026-10-02');
  const whole = of(asked, records('2026-10-02', 24), asked.window.startMs);
  const look: Choice = { ...asked, why: 'correction' };
  const nowMs = asked.window.endMs + 20 * DAY;
  const denied = settle(
    settings,
    whole.state,
    look,
    { ...answer, outcome: 'no_data', records: [], startedMs: nowMs },
    nowMs,
    0,
  );
  expect(denied.state).toMatchObject({ corrections: whole.state.corrections, unsettled: true, failures: 1 });
  expect(denied.state.notBeforeMs).toBeGreaterThan(nowMs);
  // A day of which nothing ever came has no data: that is an answer.
  const empty = settle(
    settings,
    stateOf(settings, new Map(), look.window),
    look,
    { ...answer, outcome: 'no_data', records: [], startedMs: nowMs },
    nowMs,
    0,
  );
  expect(empty.state).toMatchObject({ unsettled: false, failures: 0 });
  expect(empty.state.corrections).toBeGreaterThan(0);
});
