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
  nextAsk,
  stateOf,
  type WindowState,
} from '../../../../actors/live/plan.ts';
import { settle } from '../../../../actors/live/settle.ts';
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
  return settle(settings, state, asked, { ...answer, records: got }, nowMs, 0);
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
  const parts = { ...answer, asked: 24, records: records('2026-10-01', 1) };
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
