// CAISO followed over TLS and HTTP on a virtual clock: what it says it has corrected is asked for again, a
// group in processing is asked for politely, long lists of nodes are cut, days are the market's own, and an
// outage is met with pauses, a circuit and one probe at a time.

import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { recogniseOasis } from '../../actors/feeds/caiso-source.ts';
import { findFeed, notices } from '../../actors/feeds/markets.ts';
import { systemClock } from '../../runtime/clock.ts';
import { completenessView } from '../../runtime/live/completeness-view.ts';
import { systemFetch } from '../../runtime/live/fetch.ts';
import { onLog } from '../simulation/live-month.ts';
import {
  NAME,
  NODES,
  type OverHttp,
  type OverHttpWish,
  overHttp,
  sourceOf,
} from '../simulation/over-http.ts';
import { type OperatorCertificates, operatorCertificates } from '../support/operators/certificates.ts';
import { Oasis, type OasisBook, RATE_MS } from '../support/operators/oasis.ts';
import { correctionList, OasisGroups, type PriceCorrection } from '../support/operators/oasis-groups.ts';
import { type Play, standIn } from '../support/operators/stand-in.ts';
import { goodRecordings, responseOf, textResponse } from '../support/recordings.ts';
import { temporaryDirs } from '../support/temporary.ts';

setDefaultTimeout(120_000);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const directory = temporaryDirs('carbon-caiso');
let certificates: OperatorCertificates;
beforeAll(() => {
  certificates = operatorCertificates(NAME);
});

const pacific = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' });
const dayOf = (ms: number) => pacific.format(ms);
const cents = (node: string, startMs: number) => (Bun.hash.xxHash32(`${node} ${startMs}`) % 20_000) - 3_000;
const PLAIN: OasisBook = {
  versions: (_, node, at) => [{ outMs: at - 40 * HOUR, cents: cents(node, at) }],
};

function following(startMs: string, of: Pick<OverHttpWish, 'play' | 'plan'>): Promise<OverHttp> {
  const network = { ca: certificates.ca, resolve: async () => ['127.0.0.1'] };
  const identity = certificates.of.good;
  return overHttp({ seed: 11, startMs: Date.parse(startMs), dir: directory(), identity, network, ...of });
}

const [corrections] = notices;
if (corrections === undefined) throw new Error('no notices');

test('a correction that is announced after the last look is a newer version, fetched once', async () => {
  const CORRECTED = '2026-10-21';
  const ISSUED = '2026-10-31 09:15:00';
  // Ten days later: no look at the day for its own sake comes after that.
  const outMs = Date.parse('2026-10-31T16:00:00Z');
  const announced: PriceCorrection[] = [
    { date: CORRECTED, market: 'DAM', issued: ISSUED },
    // A day that was never followed, and a market that is not: nothing to do.
    { date: '2026-10-17', market: 'DAM', issued: ISSUED },
    { date: CORRECTED, market: 'RTD', issued: ISSUED },
  ];
  const book: OasisBook = {
    versions: (run, node, at) => {
      const first = PLAIN.versions(run, node, at);
      return dayOf(at) === CORRECTED ? [...first, { outMs, cents: cents(node, at) + 77 }] : first;
    },
  };
  const asked = { prices: new Map<string, number>(), notices: new Map<string, number[]>() };
  const times: number[] = [];
  const follow = async (withNotices: boolean) => {
    const oasis = new Oasis(book);
    const of = await following('2026-10-20T21:00:00Z', {
      play({ url }, nowMs): Play {
        times.push(nowMs);
        const date = dayOf(Date.parse(isoOf(url.searchParams.get('startdatetime') ?? '')));
        if (url.searchParams.get('groupid') !== 'PRC_CORR_GRP') {
          if (nowMs > outMs) asked.prices.set(date, (asked.prices.get(date) ?? 0) + 1);
          return oasis.answer(url, nowMs);
        }
        asked.notices.set(date, [...(asked.notices.get(date) ?? []), nowMs]);
        return correctionList(date, nowMs >= outMs ? announced : [], '2026-10-30 09:00:00');
      },
      plan: {
        feeds: [{ name: 'dam', source: sourceOf('caiso.dam'), nodes: NODES, daysBack: 1 }],
        ...(withNotices ? { notices: [{ name: 'corrections', notices: corrections, daysBack: 16 }] } : {}),
      },
    });
    await of.until('two weeks later', () => of.world.clock.nowMs() > Date.parse('2026-11-03T21:00:00Z'));
    return of;
  };

  await using without = await follow(false);
  const stale = [...onLog(without.store, 'CAISO')].filter(([key]) => isOf(key, CORRECTED));
  expect(stale.map(([, { versions }]) => versions.length)).toEqual(stale.map(() => 1));
  asked.prices.clear();
  times.length = 0;

  await using of = await follow(true);
  const found = onLog(of.store, 'CAISO');
  const corrected = [...found].filter(([key]) => isOf(key, CORRECTED));
  expect(corrected).toHaveLength(2 * 24);
  for (const [key, { versions }] of found) {
    const [, node = '', at = ''] = key.split('|');
    const first = cents(node, Number(at));
    const wanted = isOf(key, CORRECTED) ? [first, first + 77] : [first];
    expect([key, versions.map((each) => each.cents)]).toEqual([key, wanted]);
  }
  // Asked once more, and no other day for its sake.
  expect(asked.prices.get(CORRECTED)).toBe(1);
  expect(asked.prices.get('2026-10-17')).toBeUndefined();
  const jobs = of.process.connectors.jobs().map(({ run, from, to, status }) => [run, from, to, status]);
  expect(jobs).toEqual([['DAM', CORRECTED, CORRECTED, 'done']]);
  const said = of.process.events.map(({ cause }) => cause).filter((each) => each.includes('priced anew'));
  expect(said).toContain(`DAM of ${CORRECTED} was priced anew (${ISSUED})`);
  // A notice a day and date.
  for (const each of asked.notices.values()) expect(leastGap(each)).toBeGreaterThanOrEqual(DAY);
  expect(leastGap(times)).toBeGreaterThanOrEqual(RATE_MS);
}, 60_000);

const isOf = (key: string, date: string) => dayOf(Number(key.split('|')[2])) === date;

/** `20261101T07:00-0000` */
function isoOf(text: string): string {
  const [, year, month, day, time] = /^(\d{4})(\d{2})(\d{2})T(\d{2}:\d{2})-0000$/.exec(text) ?? [];
  return `${year}-${month}-${day}T${time}:00Z`;
}

function leastGap(times: readonly number[]): number {
  return Math.min(...times.slice(1).map((at, n) => at - (times[n] ?? 0)), Number.POSITIVE_INFINITY);
}

test('a list of corrections: one a run and day, the latest; lines without any, and bad ones', () => {
  const list = correctionList(
    '2026-10-21',
    [
      { date: '2026-10-21', market: 'RTD', issued: '2026-10-30 09:00:00' },
      { date: '2026-10-21', market: 'RTD', issued: '2026-11-02 09:00:00' },
    ],
    '2026-11-02 09:00:00',
  );
  const response = textResponse('PRC_CORR_GRP_2026-10-21', list.body);
  const feed = findFeed(response);
  expect(feed?.name).toBe('caiso.corrections');
  const parsed = feed?.parse(response);
  expect(parsed?.corrections).toEqual([
    { market: 'CAISO', run: 'RTM', date: '2026-10-21', issued: '2026-11-02 09:00:00' },
  ]);
  expect(parsed?.records).toEqual([]);
  expect(parsed?.ledger).toEqual({ rowsRead: 7, rowsUsed: 7, rowsRefused: 0 });
  const text =
    'TRADE_DATE,MARKET,CORRECTION_REASON,REPORT_GENERATED\n2026-13-01,DAM,x,y\n2026-10-01,RUC,x,y\n1,2\n';
  const bad = feed?.parse(textResponse('PRC_CORR_GRP', text));
  expect(bad?.ledger).toEqual({ rowsRead: 3, rowsUsed: 0, rowsRefused: 3 });
  expect(bad?.refused.map(({ detail }) => detail)).toEqual([
    "'2026-13-01' is no trade date",
    "'RUC' is no market with prices here",
    'the row has 2 cells, the header 4',
  ]);
  const other = feed?.parse(textResponse('PRC_CORR_GRP', 'A,B\n1,2\n'));
  expect(other?.refusal?.reason).toBe('unknown_format');
  expect(recogniseOasis).toBe(corrections.recognise);
});

test('a group of all nodes in processing: asked again politely, then there, whole and once', async () => {
  const groups = new OasisGroups(10 * 60_000);
  const times: number[] = [];
  const nodes = Array.from({ length: 40 }, (_, n) => `NODE_${n}_N101`);
  await using of = await following('2026-11-01T21:00:00Z', {
    play({ url }, nowMs): Play {
      times.push(nowMs);
      expect(Object.fromEntries(url.searchParams)).toMatchObject({ groupid: 'DAM_LMP_GRP', version: '12' });
      const startMs = Date.parse(isoOf(url.searchParams.get('startdatetime') ?? ''));
      const hours = Math.round(
        (Date.parse(isoOf(url.searchParams.get('enddatetime') ?? '')) - startMs) / HOUR,
      );
      return groups.dayAhead(url, nowMs, (component) =>
        nodes.flatMap((node) =>
          Array.from({ length: hours }, (_, n) => {
            const at = startMs + n * HOUR;
            const text = component === 'LMP' ? (cents(node, at) / 100).toFixed(2) : '0';
            return { node, startMs: at, minutes: 60, component, text };
          }),
        ),
      );
    },
    plan: { feeds: [{ name: 'dam', source: sourceOf('caiso.dam-group'), nodes: 'all', daysBack: 0 }] },
  });
  await of.until('both days', () => onLog(of.store, 'CAISO').size === 40 * (25 + 24));
  await of.until('noted', () => of.runs.filter((run) => run.outcome === 'response').length === 2);
  expect(of.runs.map((run) => run.outcome).slice(0, 2)).toEqual(['failed', 'failed']);
  expect(of.runs[0]?.error).toMatch(/^in_process: CAISO error 1015/);
  expect(leastGap(times)).toBeGreaterThanOrEqual(RATE_MS);
  // Ten minutes of making take a handful of questions a day, not one every five seconds.
  expect(times.length).toBeLessThan(20);
});

test('23 nodes on a day of 25 hours and one of 24: at most ten a request, each day in three', async () => {
  const nodes = Array.from({ length: 23 }, (_, n) => `NODE_${n}_N101`);
  const oasis = new Oasis(PLAIN);
  const asked: (readonly [number, number])[] = [];
  await using of = await following('2026-11-01T21:00:00Z', {
    play({ url }, nowMs): Play {
      const between = ['startdatetime', 'enddatetime'].map((each) => isoOf(url.searchParams.get(each) ?? ''));
      const hours = (Date.parse(between[1] ?? '') - Date.parse(between[0] ?? '')) / HOUR;
      asked.push([(url.searchParams.get('node') ?? '').split(',').length, hours]);
      return oasis.answer(url, nowMs);
    },
    plan: { feeds: [{ name: 'dam', source: sourceOf('caiso.dam'), nodes, daysBack: 0 }] },
  });
  await of.until('both days', () => onLog(of.store, 'CAISO').size === 23 * (25 + 24));
  expect(asked.sort().map(String)).toEqual(['10,24', '10,24', '10,25', '10,25', '3,24', '3,25']);
  expect(oasis.throttled).toBe(0);
});

test('a day that is published thirty hours late: no data until then, then whole and once', async () => {
  const startMs = Date.parse('2026-10-20T21:00:00Z');
  const outMs = startMs + 30 * HOUR;
  const late = (_: string, node: string, at: number) => [{ outMs, cents: cents(node, at) }];
  const oasis = new Oasis({ versions: late });
  await using of = await following('2026-10-20T21:00:00Z', {
    play: ({ url }, nowMs): Play => oasis.answer(url, nowMs),
    plan: { feeds: [{ name: 'dam', source: sourceOf('caiso.dam'), nodes: NODES, daysBack: 1 }] },
  });
  await of.until('it is out', () => of.world.clock.nowMs() > outMs);
  expect(onLog(of.store, 'CAISO').size).toBe(0);
  const before = of.runs.map(({ outcome }) => outcome);
  expect(before.length).toBeGreaterThan(10);
  expect(new Set(before)).toEqual(new Set(['no_data']));
  // Days later each was looked at again, and given again as it was: the same file is no new version.
  await of.until('days later', () => of.world.clock.nowMs() > startMs + 6 * DAY);
  const found = onLog(of.store, 'CAISO');
  expect(found.size).toBeGreaterThanOrEqual(3 * 2 * 24);
  for (const [key, { versions }] of found) {
    const [, node = '', at = ''] = key.split('|');
    expect(versions.map((each) => each.cents)).toEqual([cents(node, Number(at))]);
  }
  expect(of.runs.reduce((sum, { appended }) => sum + appended, 0)).toBe(found.size);
  expect(of.runs.some(({ why, unchanged }) => why === 'correction' && unchanged === 48)).toBe(true);
}, 60_000);

test('an answer with a hole: partial, the gap by name, and asked for alone', async () => {
  const startMs = Date.parse('2026-10-20T21:00:00Z');
  const [node = ''] = NODES;
  const hole = Date.parse('2026-10-20T17:00:00Z');
  const oasis = new Oasis({
    versions: (run, at, ms) =>
      at === node && ms === hole
        ? [{ outMs: startMs + 2 * HOUR, cents: cents(at, ms) }]
        : PLAIN.versions(run, at, ms),
  });
  const spans: string[] = [];
  await using of = await following('2026-10-20T21:00:00Z', {
    play({ url }, nowMs): Play {
      spans.push(`${url.searchParams.get('startdatetime')} ${url.searchParams.get('enddatetime')}`);
      return oasis.answer(url, nowMs);
    },
    plan: { feeds: [{ name: 'dam', source: sourceOf('caiso.dam'), nodes: NODES, daysBack: 0 }] },
  });
  await of.until('today and tomorrow', () => onLog(of.store, 'CAISO').size === 2 * 48 - 1);
  await of.until('noted', () => of.runs.some(({ window }) => window.startsWith('2026-10-20')));
  const first = of.runs.find(({ window }) => window.startsWith('2026-10-20'));
  expect([first?.outcome, first?.missing, first?.appended]).toEqual(['partial', 1, 47]);
  const view = JSON.stringify(completenessView(of.process.connectors, 'CAISO', '2026-10-20', startMs + HOUR));
  expect(view).toContain('"location":"TH_NP15_GEN-APND"');
  expect(view).toContain('2026-10-20T17:00:00');
  await of.until('the hole is filled', () => onLog(of.store, 'CAISO').size === 2 * 48);
  expect(
    onLog(of.store, 'CAISO')
      .get(`DAM|${node}|${hole}`)
      ?.versions.map((each) => each.cents),
  ).toEqual([cents(node, hole)]);
  expect(new Set(spans.slice(2))).toEqual(new Set(['20261020T17:00-0000 20261020T18:00-0000']));
});

test('every recording arrives over the wire as it is, packed or not', async () => {
  const paths = goodRecordings();
  await using server = await standIn(certificates.of.good, ({ url }): Play => {
    const body = readFileSync(paths[Number(url.searchParams.get('n'))] ?? '');
    if (url.searchParams.get('as') === 'plain') return { status: 200, headers: {}, body };
    return { status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(body) };
  });
  const network = { ca: certificates.ca, resolve: async () => ['127.0.0.1'] };
  const fetch = systemFetch(systemClock, network);
  const origin = `https://${NAME}:${server.port}`;
  const bounds = { privateAddresses: true, timeoutMs: 60_000, bytesMax: 100_000_000, turn: async () => {} };
  const wish = { headers: {}, origins: new Set([origin]), ...bounds };
  for (const [n, path] of paths.entries()) {
    const wanted = responseOf(path);
    for (const as of ['plain', 'packed']) {
      const url = `${origin}/recorded?n=${n}&as=${as}`;
      const { reply } = await fetch({ url, ...wish }, new AbortController().signal);
      expect(Buffer.compare(Buffer.from(reply.bytes), Buffer.from(wanted.bytes))).toBe(0);
    }
    expect(findFeed(wanted)?.name).toMatch(/^(caiso|miso)\./);
  }
  expect(paths.length).toBeGreaterThan(8);
}, 60_000);

test('an outage of six hours: growing pauses, a circuit, one probe at a time, then whole', async () => {
  const oasis = new Oasis(PLAIN);
  const startMs = Date.parse('2026-11-01T21:00:00Z');
  const downUntilMs = startMs + 6 * HOUR;
  const down: number[] = [];
  await using of = await following('2026-11-01T21:00:00Z', {
    play({ url }, nowMs): Play {
      if (nowMs >= downUntilMs) return oasis.answer(url, nowMs);
      down.push(nowMs);
      return { status: 500, headers: {}, body: new Uint8Array() };
    },
    plan: { breaker: { threshold: 3, pauseMs: 60_000, pauseMsMax: 1_800_000 } },
  });
  await of.until('both days whole', () => onLog(of.store, 'CAISO').size === 2 * (25 + 24));
  await of.until('noted', () => of.runs.at(-1)?.outcome === 'response');
  // Doubled from a minute to half an hour, give or take a fifth: 1, 2, 4, 8, 16, 30, 30 …
  const gaps = down.slice(3).map((at, n) => (at - (down[n + 2] ?? 0)) / 60_000);
  for (const [n, gap] of gaps.entries()) {
    const pause = Math.min(30, 2 ** n);
    expect(gap).toBeGreaterThanOrEqual(pause * 0.8 - 0.1);
    expect(gap).toBeLessThanOrEqual(pause * 1.2 + 0.2);
  }
  expect(gaps.length).toBeGreaterThan(10);
  const told = of.process.events.map(({ kind }) => kind).filter((kind) => kind.startsWith('dependency'));
  expect([told.at(0), told.at(-1)]).toEqual(['dependency_down', 'dependency_up']);
  // An outage is told when it begins, once an hour, and when it is over.
  expect(told.length).toBeLessThanOrEqual(9);
  const after = oasis.asked.map((at) => at - downUntilMs);
  expect(after.length).toBe(2);
  // The probe is due within half an hour and a fifth, each window's own pause within an hour and a fifth.
  expect(Math.min(...after)).toBeLessThan(37 * 60_000);
  expect(Math.max(...after)).toBeLessThan(73 * 60_000);
});
