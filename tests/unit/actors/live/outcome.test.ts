// Six outcomes, told apart: by the operator's own words whatever the status, by the status where there are
// none, and past retention only where the date says so.

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { sources } from '../../../../actors/feeds/markets.ts';
import type { Reply, Source, Window } from '../../../../actors/feeds/source.ts';
import { judgeRefusal, judgeReply, type OutcomeKind, retryAfterMs } from '../../../../actors/live/outcome.ts';
import { recording } from '../../../support/recordings.ts';

const NOW = Date.UTC(2026, 9, 3);
const DAY = 86_400_000;

function sourceOf(name: string): Source {
  const found = sources.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

function windowAt(startMs: number): Window {
  return {
    id: 'w',
    date: new Date(startMs).toISOString().slice(0, 10),
    startMs,
    endMs: startMs + DAY,
    nodes: ['A'],
  };
}

function reply(status: number, body: string | Uint8Array, retryAfter: string | null = null): Reply {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return { status, contentType: '', retryAfter, bytes };
}

const dam = sourceOf('caiso.dam');
const expost = sourceOf('miso.da-expost');
const recent = windowAt(NOW - 2 * DAY);
const THROTTLED = readFileSync(recording('AUP_429.html'));
const NO_DATA = readFileSync(recording('NO_DATA_1000.xml'));
const INVALID = readFileSync(recording('INVALID_REQUEST_1001.xml'));
const BLOB =
  '<?xml version="1.0"?><Error><Code>BlobNotFound</Code><Message>The specified blob…</Message></Error>';
const EMPTY = '{"statusCode":404,"message":"Empty data returned for date: 2026-10-01"}';
const error = (code: number) =>
  `<m:ERROR><m:ERR_CODE>${code}</m:ERR_CODE><m:ERR_DESC>d</m:ERR_DESC></m:ERROR>`;

const CASES: readonly (readonly [string, Source, Reply, OutcomeKind | null])[] = [
  ['the throttle page under 429', dam, reply(429, THROTTLED), 'throttled'],
  ['the same page under 200', dam, reply(200, THROTTLED), 'throttled'],
  ['429 without words', expost, reply(429, ''), 'throttled'],
  ['ERR 1000', dam, reply(200, NO_DATA), 'no_data'],
  ['ERR 1001', dam, reply(200, INVALID), 'invalid'],
  ['ERR 1004, more than 31 days', dam, reply(200, error(1004)), 'invalid'],
  ['ERR 1010, system error', dam, reply(200, error(1010)), 'failed'],
  ['ERR 1015, in processing', dam, reply(200, error(1015)), 'failed'],
  ['500', dam, reply(500, 'oops'), 'failed'],
  ['503', dam, reply(503, ''), 'failed'],
  ['a redirect', dam, reply(302, ''), 'failed'],
  ['401', expost, reply(401, ''), 'invalid'],
  ['404 without words', dam, reply(404, ''), 'invalid'],
  ['MISO: a report that is not published', expost, reply(404, BLOB), 'no_data'],
  ['MISO: empty data', sourceOf('miso.exchange-da-expost'), reply(404, EMPTY), 'no_data'],
  ['prices', dam, reply(200, 'INTERVALSTARTTIME_GMT'), null],
  ['a zip', dam, reply(200, new Uint8Array([0x50, 0x4b, 3, 4])), null],
];

for (const [what, source, of, kind] of CASES) {
  test(`${what}: ${kind ?? 'to be parsed'}`, () => {
    expect(judgeReply(source, recent, of, NOW)?.kind ?? null).toBe(kind);
  });
}

test('ERR 1000 is past retention only for a day that the operator no longer keeps', () => {
  const old = windowAt(Date.UTC(2023, 5, 1));
  expect(judgeReply(dam, old, reply(200, NO_DATA), NOW)?.kind).toBe('past_retention');
  expect(judgeReply(dam, windowAt(Date.UTC(2023, 6, 10)), reply(200, NO_DATA), NOW)?.kind).toBe('no_data');
  expect(judgeReply(sourceOf('caiso.dam-group'), old, reply(200, NO_DATA), NOW)?.kind).toBe('no_data');
});

test('a damaged body is a failure, never no data', () => {
  for (const reason of ['truncated', 'malformed', 'too_large', 'unknown_format'] as const) {
    const outcome = judgeRefusal(dam, recent, { reason, detail: 'd' }, null, NOW);
    expect(outcome.kind).toBe('failed');
  }
});

test('Retry-After in seconds and as a date, at most an hour, never negative', () => {
  expect(retryAfterMs('7', NOW)).toBe(7_000);
  expect(retryAfterMs(new Date(NOW + 30_000).toUTCString(), NOW)).toBe(30_000);
  expect(retryAfterMs(new Date(NOW - 30_000).toUTCString(), NOW)).toBe(0);
  expect(retryAfterMs('99999999', NOW)).toBe(3_600_000);
  expect(retryAfterMs('soon', NOW)).toBeNull();
  expect(retryAfterMs(null, NOW)).toBeNull();
  expect(judgeReply(dam, recent, reply(200, THROTTLED, '12'), NOW)).toMatchObject({ retryAfterMs: 12_000 });
});
