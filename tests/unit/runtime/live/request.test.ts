// What a request makes of its pages: who asks to be left alone is, with the whole host, and a page that came
// twice ends the paging.

import { expect, test } from 'bun:test';
import { findFeed, sources } from '../../../../actors/feeds/markets.ts';
import { miso } from '../../../../actors/feeds/miso.ts';
import type { Reply } from '../../../../actors/feeds/source.ts';
import { type RequestParts, request } from '../../../../runtime/live/request.ts';

const NOW = Date.UTC(2026, 9, 3);
const DAY = 86_400_000;
const START = Date.UTC(2026, 9, 1, 5);
const WINDOW = { id: '2026-10-01', date: '2026-10-01', startMs: START, endMs: START + DAY, nodes: ['A'] };
const BASE = 'https://exchange.example';

function reply(status: number, body: unknown, retryAfter: string | null = null): Reply {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return { status, contentType: 'application/json', retryAfter, bytes };
}

async function asked(answer: (page: number) => Reply) {
  const source = sources.find(({ name }) => name === 'miso.exchange-da-expost');
  if (source === undefined) throw new Error('no source');
  const holds: (readonly [string, number])[] = [];
  const pages: number[] = [];
  const parts: RequestParts = {
    connector: {
      name: 'miso',
      market: miso,
      description: '',
      enabled: true,
      bases: { exchange: BASE },
      origins: new Set([BASE]),
      privateAddresses: false,
      requestIntervalMs: 5_000,
      timeoutMs: 1_000,
      bytesMax: 1_000_000,
      retry: { initialMs: 1_000, maxMs: 1_000, jitter: 0 },
      historyDays: 1,
      breaker: { threshold: 5, pauseMs: 1_000, pauseMsMax: 1_000 },
      feeds: [],
    },
    registry: { markets: [miso], sources, findFeed },
    fetch: async ({ url }) => {
      pages.push(Number(new URL(url).searchParams.get('pageNumber')));
      if (pages.length > 9) throw new Error('it asks for ever');
      return { reply: answer(pages.at(-1) ?? 0), millis: 1 };
    },
    limiter: { turn: async () => {}, hold: (host, waitMs) => void holds.push([host, waitMs]) },
    nowMs: () => NOW,
    tenantId: 't',
    secret: () => 'key',
    requested: () => {},
    found: () => {},
  };
  const choice = { window: WINDOW, span: WINDOW, why: 'missing' as const };
  const { outcome, whole } = await request(parts, source, choice, new AbortController().signal);
  return { outcome, whole, holds, pages };
}

const HOST = 'exchange.example';
for (const [what, of, holds] of [
  ['503 with Retry-After', reply(503, {}, '120'), [[HOST, 120_000]]],
  ['503 without', reply(503, {}), []],
  ['429 with Retry-After', reply(429, {}, '120'), [[HOST, 120_000]]],
  ['429 without', reply(429, {}), [[HOST, 5_000]]],
] as const) {
  test(`${what}: the host is held ${holds[0]?.[1] ?? 0} ms`, async () => {
    expect((await asked(() => of)).holds).toEqual([...holds].map(([host, ms]) => [host, ms]));
  });
}

const paged = (pageNumber: number, lastPage: boolean) =>
  reply(200, {
    data: [{ preliminaryFinal: 'Final', timeInterval: INTERVAL, node: 'A', lmp: 1, mcc: 0, mec: 1, mlc: 0 }],
    page: { pageNumber, lastPage },
  });
const INTERVAL = { start: '2026-10-01T00:00:00', end: '2026-10-01T01:00:00', resolution: 'hourly' };

test('pages are asked for until the last', async () => {
  const { outcome, whole, pages } = await asked((page) => paged(page, page === 3));
  expect([outcome.kind, whole, pages]).toEqual(['response', true, [1, 2, 3]]);
});

test('a page that comes again for the next one is a failure, not asked for once more', async () => {
  const { outcome, whole, pages } = await asked(() => paged(1, false));
  expect([outcome.kind, whole, pages]).toEqual(['failed', false, [1, 2]]);
});
