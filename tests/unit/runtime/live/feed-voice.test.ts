// What of a feed's runs becomes an event: the beginning of an outage, its circuit, one line an hour, its end.

import { expect, test } from 'bun:test';
import { type Breaker, CLOSED } from '../../../../actors/live/breaker.ts';
import type { Run } from '../../../../actors/live/run.ts';
import { FeedVoice } from '../../../../runtime/live/feed-voice.ts';

const GOOD: Run = {
  seq: 0,
  feed: 'dam',
  startedMs: 0,
  endedMs: 0,
  window: '2026-11-01/0',
  why: 'missing',
  outcome: 'response',
  status: 200,
  requests: 1,
  bytes: 1,
  rows: 1,
  appended: 1,
  corrected: 0,
  unchanged: 0,
  unasked: 0,
  missing: 0,
  millis: 1,
  error: null,
};
const bad = (error: string): Run => ({ ...GOOD, outcome: 'failed', error });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function breaker(failures: number, openedMs: number | null): Breaker {
  return { ...CLOSED, failures, openedMs, pauseMs: MINUTE, waitMs: MINUTE };
}

test('a night without network is a page: begin, open, once an hour, end', () => {
  const voice = new FeedVoice();
  const told: string[] = [];
  const hear = (run: Run, of: Breaker, nowMs: number) =>
    told.push(...voice.hear(run, of, nowMs).map(({ kind, cause }) => `${nowMs / MINUTE} ${kind}: ${cause}`));
  for (let n = 1; n <= 4; n += 1) hear(bad('network'), breaker(n, null), 0);
  for (let at = 1; at < 8 * 60; at += 5) hear(bad('network'), breaker(5 + at, at * MINUTE), at * MINUTE);
  hear(GOOD, CLOSED, 8 * HOUR);
  hear(GOOD, CLOSED, 8 * HOUR + 1);
  expect(told.map((each) => each.replace(/:.*/, ''))).toEqual([
    '0 note',
    ...[1, 61, 121, 181, 241, 301, 361, 421].map((minute) => `${minute} dependency_down`),
    '480 dependency_up',
  ]);
  expect(told[1]).toContain('5 failures in a row since 1970-01-01T00:00:00.000Z: failed: network');
  expect(told.at(-1)).toContain('after 100 failures in 480 min');
});

test('one failure between good answers is noted, not each of many, and no data is no failure', () => {
  const voice = new FeedVoice();
  const kinds: string[] = [];
  for (let at = 0; at < HOUR; at += MINUTE / 6) {
    const run = (at / (MINUTE / 6)) % 2 === 0 ? bad(`reset ${at}`) : GOOD;
    kinds.push(...voice.hear(run, breaker(1, null), at).map(({ kind }) => kind));
  }
  expect(kinds).toEqual(['note', 'note', 'note', 'note', 'note', 'note']);
  expect(voice.hear({ ...GOOD, outcome: 'no_data', error: '1000' }, CLOSED, 2 * HOUR)).toEqual([]);
});

test('another kind of failure is news, before the circuit opens', () => {
  const voice = new FeedVoice();
  expect(voice.hear(bad('timeout'), breaker(1, null), 0)).toHaveLength(1);
  expect(voice.hear(bad('timeout'), breaker(2, null), 11 * MINUTE)).toHaveLength(0);
  expect(voice.hear(bad('certificate'), breaker(3, null), 12 * MINUTE)).toHaveLength(1);
});
