// Months of CAISO on a virtual clock, over the day of 25 hours and over the one of 23, by two processes of
// one machine: throttling under 429 and 200, cut zips, bombs, resets, refusals, a day that comes late, days
// that are published again with corrections, holes that stay, and a process that is gone for five days. At
// the end every interval is on the log and in gold once or is listed as missing, the last correction is what
// gold says, the bars are those of the oracle, and no two requests were ever closer than five seconds.

import { expect, test } from 'bun:test';
import { caiso } from '../../actors/feeds/caiso.ts';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { dayBounds, dayOf } from '../oracle/wall-clock.ts';
import { Oasis, oasisError, RATE_MS, throttlePage, type Version } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { closes, goldDifferences, goldOf, PARTITIONS } from './live-gold.ts';
import { DAY, disturbed, drawn, FAULTS, HOUR, judge, listed, onLog, PLAN } from './live-month.ts';
import { liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const NODES = ['TH_NP15_GEN-APND', 'TH_SP15_GEN-APND', 'TH_SP15_GEN_ONPEAK-APND'];
const MINUTES = { DAM: 60, RTPD: 15 } as const;
type Run = keyof typeof MINUTES;
const RUNS: readonly Run[] = ['DAM', 'RTPD'];
const minutesOf = (run: string): number => (run === 'DAM' ? MINUTES.DAM : MINUTES.RTPD);

interface Month {
  readonly startMs: number;
  /** The day that has not 24 hours. */
  readonly odd: { readonly date: string; readonly hours: number };
  readonly lateDay: string;
  readonly correctedDays: readonly string[];
}

const AUTUMN: Month = {
  startMs: Date.parse('2026-10-20T18:00:00Z'),
  odd: { date: '2026-11-01', hours: 25 },
  lateDay: '2026-11-05',
  correctedDays: ['2026-10-27', '2026-11-01'],
};
const SPRING: Month = {
  startMs: Date.parse('2026-02-25T18:00:00Z'),
  odd: { date: '2026-03-08', hours: 23 },
  lateDay: '2026-03-12',
  correctedDays: ['2026-03-03', '2026-03-08'],
};
const DAYS = 31;

/** Hours of the on-peak hub by the wall clock; neither month has a holiday. */
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

function versionsIn(
  { lateDay, correctedDays }: Month,
  run: string,
  node: string,
  startMs: number,
): Version[] {
  const date = dayOf('CAISO', startMs);
  if (!priced(node, startMs) || isHole(run, node, startMs)) return [];
  const regularMs = run === 'DAM' ? startMs - 12 * HOUR : startMs + 20 * 60_000;
  const outMs = date === lateDay ? startMs + 30 * HOUR : regularMs;
  const first = { outMs, cents: (drawn(run, node, startMs) % 20_000) - 5_000 };
  const isCorrected = correctedDays.includes(date) && drawn('fix', node, startMs) % 3 === 0;
  return isCorrected ? [first, { outMs: startMs + 3 * DAY, cents: first.cents + 123 }] : [first];
}

const OASIS_FAULTS = [
  ...FAULTS,
  () => throttlePage(429, '30'),
  () => throttlePage(200),
  () => oasisError(1010),
  () => oasisError(1015),
];

function plan(name: string, runs: readonly Run[]): ConnectorPlan {
  return {
    ...PLAN,
    name,
    market: caiso,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    feeds: runs.map((run) => {
      const source = sources.find((each) => each.name === `caiso.${run.toLowerCase()}`);
      if (source === undefined) throw new Error(run);
      return { name: run.toLowerCase(), source, nodes: NODES, daysBack: 3 };
    }),
  };
}

async function follow(month: Month): Promise<void> {
  const { startMs } = month;
  const endMs = startMs + DAYS * DAY;
  const world = new World(seedOf(`live month around ${month.odd.date}`), startMs);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO'], PARTITIONS, DAY)) store.topics.set(spec.name, spec);
  const versions = versionsIn.bind(null, month);
  const oasis = new Oasis({ versions });
  const of = {
    world,
    store,
    dir: temporaryDirs('carbon-live')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => disturbed(oasis.answer(url, nowMs), world.draw, OASIS_FAULTS),
  };
  const first = await liveProcess(of, [plan('caiso', ['DAM'])]);
  let second = await liveProcess(of, [plan('caiso-rt', ['RTPD'])]);
  const run = async (untilMs: number): Promise<void> => {
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  await run(startMs + 11 * DAY);
  second.vanish();
  // It stays away for five days, longer than it looks back, and catches up by itself.
  await run(startMs + 16 * DAY);
  second = await liveProcess(of, [plan('caiso-rt', ['RTPD'])]);
  await run(endMs);
  first.vanish();
  second.vanish();

  const gaps = oasis.asked.slice(1).map((at, n) => at - (oasis.asked[n] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(RATE_MS);
  expect(oasis.throttled).toBe(0);
  expect(oasis.asked.length).toBeGreaterThan(1_000);

  const gold = await goldOf(of);
  expect(await goldDifferences(gold, store, ['CAISO'])).toEqual([]);
  const prices = new Map([...closes(gold, '1H', ['DAM']), ...closes(gold, '15M', ['RTPD'])]);
  const log = onLog(store, 'CAISO');
  const totals = { present: 0, listed: 0, corrected: 0 };
  const hours = new Map<string, number>();
  for (let noon = startMs + 2 * HOUR; noon < endMs - 6 * DAY; noon += DAY) {
    const [from, to] = dayBounds('CAISO', noon);
    hours.set(dayOf('CAISO', noon), (to - from) / HOUR);
    for (const name of RUNS) {
      const { connectors } = name === 'DAM' ? first : second;
      const missing = listed(connectors, 'CAISO', dayOf('CAISO', noon), endMs, minutesOf);
      for (const node of NODES) {
        for (let at = from; at < to; at += MINUTES[name] * 60_000) {
          const interval = { run: name, node, startMs: at, said: versions(name, node, at) };
          judge({ ...interval, wanted: priced(node, at) }, log, missing, prices, totals);
        }
      }
    }
  }
  console.log(JSON.stringify({ requests: oasis.asked.length, ...totals }));
  expect(hours.get(month.odd.date)).toBe(month.odd.hours);
  expect(totals.present).toBeGreaterThan(7_000);
  expect(totals.listed).toBeGreaterThan(5);
  expect(totals.corrected).toBeGreaterThan(50);
}

test('a month with every fault and a day of 25 hours ends whole', () => follow(AUTUMN), 300_000);
test('a month with every fault and a day of 23 hours ends whole', () => follow(SPRING), 300_000);
