// A month of CAISO on a virtual clock, from a summer-time day over the one of 25 hours, by two processes of
// one machine: throttling under 429 and 200, cut zips, bombs, resets, refusals, a day that comes late, a day
// that is published again with corrections, holes that stay, and a crash. At the end every interval is on the
// log once or is listed as missing, the last correction is the last version, and no two requests were ever
// closer than five seconds.

import { expect, test } from 'bun:test';
import { caiso } from '../../actors/feeds/caiso.ts';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { FetchFault } from '../../runtime/live/fetch.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { completenessView } from '../../runtime/live/views.ts';
import { rawTopic, topicSpecs } from '../../runtime/services.ts';
import {
  type Answer,
  Oasis,
  oasisError,
  RATE_MS,
  throttlePage,
  type Version,
} from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { zipOf } from '../support/zips.ts';
import { liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-10-20T18:00:00Z');
const END = START + 31 * DAY;
const NODES = ['TH_NP15_GEN-APND', 'TH_SP15_GEN-APND', 'TH_SP15_GEN_ONPEAK-APND'];
const MINUTES = { DAM: 60, RTPD: 15 } as const;
type Run = keyof typeof MINUTES;
const RUNS: readonly Run[] = ['DAM', 'RTPD'];

const dayFormat = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' });
const dayOf = (ms: number): string => dayFormat.format(ms);
const LATE_DAY = '2026-11-05';
const CORRECTED_DAYS = ['2026-10-27', '2026-11-01'];

/** A number that follows from its words alone. */
const drawn = (...words: readonly (string | number)[]): number => Bun.hash.xxHash32(words.join('|'));

/** Hours of the on-peak hub by the wall clock; the month has one holiday, Thanksgiving lies after it. */
function priced(node: string, startMs: number): boolean {
  if (!node.includes('ONPEAK')) return true;
  const of = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone: 'America/Los_Angeles',
      weekday: 'short',
      hour: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(startMs)
      .map(({ type, value }) => [type, value]),
  );
  return of.weekday !== 'Sun' && Number(of.hour) >= 6 && Number(of.hour) <= 21;
}

/** About one interval in 400 never gets a price. */
const isHole = (run: string, node: string, startMs: number): boolean =>
  drawn('hole', run, node, startMs) % 400 === 0;

function versions(run: string, node: string, startMs: number): Version[] {
  const date = dayOf(startMs);
  if (!priced(node, startMs) || isHole(run, node, startMs)) return [];
  const regularMs = run === 'DAM' ? startMs - 12 * HOUR : startMs + 20 * 60_000;
  const outMs = date === LATE_DAY ? startMs + 30 * HOUR : regularMs;
  const first = { outMs, cents: (drawn(run, node, startMs) % 20_000) - 5_000 };
  const isCorrected = CORRECTED_DAYS.includes(date) && drawn('fix', node, startMs) % 3 === 0;
  return isCorrected ? [first, { outMs: startMs + 3 * DAY, cents: first.cents + 123 }] : [first];
}

const BOMB = zipOf({ 'a.csv': new Uint8Array(20_000_000) });

/** One request in six meets one of these. */
function faults(whole: Answer, draw: () => number): Answer | FetchFault {
  const kinds: readonly (() => Answer | FetchFault)[] = [
    () => throttlePage(429, '30'),
    () => throttlePage(200),
    () => ({ ...whole, body: whole.body.subarray(0, Math.floor(whole.body.length / 2)) }),
    () => ({ ...whole, body: BOMB }),
    () => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: new TextEncoder().encode('<html>'),
    }),
    () => new FetchFault('the connection was reset', 'network'),
    () => new FetchFault('no whole answer in 120000 ms', 'timeout'),
    () => oasisError(1010),
    () => oasisError(1015),
    () => ({ status: 503, headers: { 'retry-after': '60' }, body: new Uint8Array() }),
  ];
  if (draw() > 1 / 6) return whole;
  return kinds[Math.floor(draw() * kinds.length)]?.() ?? whole;
}

function plan(name: string, runs: readonly Run[]): ConnectorPlan {
  return {
    name,
    market: caiso,
    description: '',
    enabled: true,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    privateAddresses: false,
    requestIntervalMs: 5_000,
    timeoutMs: 120_000,
    bytesMax: 1e9,
    retry: { initialMs: 60_000, maxMs: HOUR, jitter: 0.2 },
    historyDays: 400,
    breaker: { threshold: 5, pauseMs: 60_000, pauseMsMax: 600_000 },
    feeds: runs.map((run) => {
      const source = sources.find((each) => each.name === `caiso.${run.toLowerCase()}`);
      if (source === undefined) throw new Error(run);
      return { name: run.toLowerCase(), source, nodes: NODES, daysBack: 3 };
    }),
  };
}

interface OnLog {
  readonly versions: { readonly publication: number; readonly cents: number }[];
}

/** What stands on the raw topic, by run, node and start. */
function readRaw(store: SimulatedStore): Map<string, OnLog> {
  const found = new Map<string, OnLog>();
  for (let partition = 0; partition < 2; partition += 1) {
    for (const entry of store.entries({ topic: rawTopic('CAISO'), partition })) {
      if (entry === null) continue;
      const record = JSON.parse(new TextDecoder().decode(entry.value));
      if (record.data_type !== 'lmp') continue;
      const key = `${record.run}|${record.delivery_location}|${record.interval_start / 1_000}`;
      const at = found.get(key) ?? { versions: [] };
      found.set(key, at);
      at.versions.push({
        publication: record.publication,
        cents: Math.round(Number(record.values.LMP) * 100),
      });
    }
  }
  return found;
}

test('a month with every fault ends whole', async () => {
  const seed = seedOf('live month');
  const world = new World(seed, START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO'], 2, DAY)) store.topics.set(spec.name, spec);
  const oasis = new Oasis({ versions });
  const of = {
    world,
    store,
    dir: temporaryDirs('carbon-live')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => faults(oasis.answer(url, nowMs), world.draw),
  };
  const first = await liveProcess(of, [plan('caiso', ['DAM'])]);
  let second = await liveProcess(of, [plan('caiso-rt', ['RTPD'])]);
  const run = async (untilMs: number): Promise<void> => {
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  await run(START + 11 * DAY);
  second.vanish();
  // It stays away for two days, and catches up by itself.
  await run(START + 13 * DAY);
  second = await liveProcess(of, [plan('caiso-rt', ['RTPD'])]);
  await run(END);

  const gaps = oasis.asked.slice(1).map((at, n) => at - (oasis.asked[n] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(RATE_MS);
  expect(oasis.throttled).toBe(0);
  expect(oasis.asked.length).toBeGreaterThan(1_000);

  const onLog = readRaw(store);
  const totals = { present: 0, listed: 0, corrected: 0 };
  for (let noon = START + 2 * HOUR; noon < END - 6 * DAY; noon += DAY) {
    const date = dayOf(noon);
    for (const runName of RUNS) {
      const { connectors } = runName === 'DAM' ? first : second;
      judgeDay(runName, date, onLog, missingOf(connectors, date), totals);
    }
  }
  console.log(JSON.stringify({ requests: oasis.asked.length, ...totals }));
  expect(totals.present).toBeGreaterThan(7_000);
  expect(totals.listed).toBeGreaterThan(5);
  expect(totals.corrected).toBeGreaterThan(50);
}, 300_000);

/** Intervals that the product lists as missing on a day. */
function missingOf(connectors: Parameters<typeof completenessView>[0], date: string): ReadonlySet<string> {
  const view = completenessView(connectors, 'CAISO', date, END);
  const listed = new Set<string>();
  const runs = Array.isArray(view?.runs) ? view.runs : [];
  for (const { run, gaps } of runs) {
    const step = MINUTES[run === 'DAM' ? 'DAM' : 'RTPD'] * 60_000;
    for (const gap of gaps) {
      for (let at = Date.parse(gap.from); at < Date.parse(gap.to); at += step)
        listed.add(`${gap.location}|${at}`);
    }
  }
  return listed;
}

function judgeDay(
  run: Run,
  date: string,
  onLog: ReadonlyMap<string, OnLog>,
  listed: ReadonlySet<string>,
  totals: { present: number; listed: number; corrected: number },
): void {
  const step = MINUTES[run] * 60_000;
  const around = Date.parse(`${date}T00:00:00Z`);
  for (const node of NODES) {
    for (let at = around; at < around + 2 * DAY; at += step) {
      if (dayOf(at) !== date) continue;
      const said = versions(run, node, at);
      const found = onLog.get(`${run}|${node}|${at}`)?.versions ?? [];
      const isListed = listed.has(`${node}|${at}`);
      const where = `${run} ${node} ${new Date(at).toISOString()}`;
      // Present once in each version, or listed; off-peak hours of an on-peak hub are neither.
      expect([where, found.length > 0, isListed]).toEqual([
        where,
        said.length > 0,
        priced(node, at) && said.length === 0,
      ]);
      if (said.length === 0) {
        if (isListed) totals.listed += 1;
        continue;
      }
      const cents = found.map((each) => each.cents);
      expect(new Set(cents).size).toBe(cents.length);
      const last = [...found].sort((a, b) => a.publication - b.publication).at(-1);
      expect([where, last?.cents]).toEqual([where, said.at(-1)?.cents]);
      totals.present += 1;
      if (found.length > 1) totals.corrected += 1;
    }
  }
}
