// A month of MISO on a virtual clock, by two processes of one machine: reports, the five-minute API, the
// weekly archive and the keyed exchange by page; throttling, outages, cut bodies, bombs, a file of the day
// before, a day that comes late, one that never comes, corrections of every run, preliminary prices and then
// final ones, and three and a half days in which nobody asks. At the end every interval is on the log and in
// gold once or is listed as missing, the last correction is what gold says, and the bars are the oracle's.

import { expect, test } from 'bun:test';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { miso } from '../../actors/feeds/miso.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { dayBounds, dayOf } from '../oracle/wall-clock.ts';
import { MisoMarket } from '../support/operators/miso-market.ts';
import type { Answer, Version } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { closes, goldDifferences, goldOf, PARTITIONS } from './live-gold.ts';
import {
  DAY,
  Disturbance,
  drawn,
  FAULTS,
  type Fault,
  HOUR,
  type Interval,
  judge,
  listed,
  type OnLog,
  onLog,
  PLAN,
} from './live-month.ts';
import { type LiveProcess, type LiveWorld, liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const START = Date.parse('2026-10-20T18:00:00Z');
const DAYS = 31;
const END = START + DAYS * DAY;
/** Nobody asks: three and a half days. */
const GONE = { fromMs: START + 11 * DAY, untilMs: START + 14.5 * DAY };
/** Five minutes are followed from a few days before until a few days after it: there are many of them. */
const FIVE_SPAN = { fromMs: START + 8 * DAY, untilMs: START + 18 * DAY };
const MINUTE = 60_000;
const RATE_MS = 2_000;

const HUBS = ['INDIANA.HUB', 'MICHIGAN.HUB', 'MINN.HUB'];
const NODES = {
  DA_EXANTE: HUBS,
  DA_EXPOST: HUBS,
  RT_PRELIM: HUBS,
  RT_FINAL: HUBS,
  RT5_EXPOST: ['INDIANA.HUB', 'MICHIGAN.HUB'],
  RT5_FINAL: ['INDIANA.HUB'],
} as const;
type Run = keyof typeof NODES;
const RUNS: readonly Run[] = ['DA_EXANTE', 'DA_EXPOST', 'RT_PRELIM', 'RT_FINAL', 'RT5_EXPOST', 'RT5_FINAL'];
const isFive = (run: string): boolean => run.startsWith('RT5');
const minutesOf = (run: string): number => (isFive(run) ? 5 : 60);

const LATE_DAYS: Readonly<Record<Run, string>> = {
  DA_EXANTE: '2026-10-28',
  DA_EXPOST: '2026-11-06',
  RT_PRELIM: '2026-10-25',
  RT_FINAL: '2026-10-26',
  RT5_EXPOST: '2026-11-06',
  RT5_FINAL: '2026-10-23',
};
/** No report of it was ever published. */
const NEVER = { run: 'DA_EXANTE', date: '2026-11-03' };
const isCorrectedDay = (run: string, date: string): boolean => drawn('corrected', run, date) % 4 === 0;

/** When all of a day is out, and how late it is when it is late. */
function outOf(
  run: Run,
  startMs: number,
  fromMs: number,
  toMs: number,
): readonly [outMs: number, late: number] {
  switch (run) {
    case 'DA_EXANTE':
    case 'DA_EXPOST':
      return [fromMs - 11 * HOUR, 30 * HOUR];
    case 'RT_PRELIM':
      return [toMs + 1.5 * HOUR, 2 * DAY];
    case 'RT_FINAL':
      return [toMs + 4 * DAY - HOUR, 2 * DAY];
    case 'RT5_EXPOST':
      // What is late came after midnight, and stands in the day before.
      return [startMs + 6 * MINUTE, toMs + 2 * HOUR - startMs];
    case 'RT5_FINAL':
      return [mondayAfter(startMs) + 6.5 * DAY, 2 * DAY];
  }
}

/** When the version of a day that was out first is corrected. */
const CORRECTED: Readonly<Record<Run, (toMs: number, startMs: number) => number>> = {
  DA_EXANTE: (toMs) => toMs + 3 * DAY,
  DA_EXPOST: (toMs) => toMs + 3 * DAY,
  RT_PRELIM: (toMs) => toMs + 1.9 * DAY,
  RT_FINAL: (toMs) => toMs + 10 * DAY,
  RT5_EXPOST: (toMs) => toMs + 3 * HOUR,
  RT5_FINAL: (_toMs, startMs) => mondayAfter(startMs) + 12 * DAY,
};

/** The midnight with which the next week begins. */
function mondayAfter(startMs: number): number {
  let at = dayBounds('MISO', startMs)[1];
  while (new Date(at - 5 * HOUR).getUTCDay() !== 1) at += DAY;
  return at;
}

const said = new Map<string, Version[]>();

function versions(run: string, node: string, startMs: number): Version[] {
  const key = `${run}|${node}|${startMs}`;
  const known = said.get(key) ?? draw(run, node, startMs);
  said.set(key, known);
  return known;
}

function draw(run: string, node: string, startMs: number): Version[] {
  const of = RUNS.find((each) => each === run);
  const date = dayOf('MISO', startMs);
  if (of === undefined || drawn('hole', run, node, startMs) % 500 === 0) return [];
  if (of === NEVER.run && date === NEVER.date) return [];
  const [fromMs, toMs] = dayBounds('MISO', startMs);
  const [regularMs, late] = outOf(of, startMs, fromMs, toMs);
  const outMs = LATE_DAYS[of] === date ? regularMs + late : regularMs;
  const first = { outMs, cents: (drawn(run, node, startMs) % 20_000) - 5_000 };
  if (!isCorrectedDay(run, date) || drawn('fix', run, node, startMs) % 3 !== 0) return [first];
  return [first, { outMs: CORRECTED[of](toMs, startMs), cents: first.cents + 123 }];
}

/** Of the days that can be told: those whose last look for corrections is over. */
const LAST_LOOK: Readonly<Record<Exclude<Run, 'RT5_EXPOST'>, number>> = {
  DA_EXANTE: 6,
  DA_EXPOST: 6,
  RT_PRELIM: 5,
  RT_FINAL: 16,
  RT5_FINAL: 22,
};

const ORIGINS = {
  reports: 'https://docs.example',
  public: 'https://public.example',
  exchange: 'https://apim.example',
};

function plan(
  name: string,
  feeds: readonly (readonly [source: string, daysBack: number, nodes: Run])[],
): ConnectorPlan {
  return {
    ...PLAN,
    name,
    market: miso,
    requestIntervalMs: RATE_MS,
    bases: {
      reports: `${ORIGINS.reports}/marketreports`,
      public: `${ORIGINS.public}/api`,
      exchange: `${ORIGINS.exchange}/pricing/v1`,
    },
    origins: new Set(Object.values(ORIGINS)),
    feeds: feeds.map(([called, daysBack, run]) => {
      const source = sources.find((each) => each.name === called);
      if (source === undefined) throw new Error(called);
      return { name: called.slice('miso.'.length), source, nodes: NODES[run], daysBack };
    }),
  };
}

const HOURLY = plan('miso', [
  ['miso.da-exante', 7, 'DA_EXANTE'],
  ['miso.da-expost', 7, 'DA_EXPOST'],
  ['miso.rt-prelim', 4, 'RT_PRELIM'],
  ['miso.exchange-rt-final', 10, 'RT_FINAL'],
  ['miso.rt5-final', 21, 'RT5_FINAL'],
]);
const FIVE = plan('miso-5', [['miso.rt5-expost', 1, 'RT5_EXPOST']]);

/** A cache that still has the file of another day: its name is right, its content is not. */
function staleCache(draw: () => number): (url: URL, whole: Answer) => Answer {
  const kept = new Map<string, Answer>();
  return (url, whole) => {
    const kind = url.pathname.replace(/\d{8}|\d{4}-\d\d-\d\d/, '');
    const old = kept.get(kind);
    if (whole.status === 200 && url.pathname.includes('marketreports')) kept.set(kind, whole);
    return old !== undefined && draw() < 1 / 30 ? old : whole;
  };
}

const MISO_FAULTS: Readonly<Record<string, Fault>> = {
  ...FAULTS,
  retryAfter: () => ({ status: 429, headers: { 'retry-after': '30' }, body: new Uint8Array() }),
  throttled: () => ({ status: 429, headers: {}, body: new Uint8Array() }),
  error: () => ({ status: 500, headers: {}, body: new Uint8Array() }),
};

/** Until when the operator has it to give. */
function keptUntil(run: Run, startMs: number): number {
  const [, toMs] = dayBounds('MISO', startMs);
  if (run === 'RT5_EXPOST') return toMs + DAY;
  return run === 'RT_PRELIM' ? toMs + 4 * DAY : Number.POSITIVE_INFINITY;
}

/** Whether somebody asked while a version could be had; null: it was at the edge of the downtime. */
function couldBeHad(run: Run, startMs: number, { outMs }: Version): boolean | null {
  const kept = keptUntil(run, startMs);
  if (outMs < GONE.fromMs - 3 * HOUR || kept > GONE.untilMs + 3 * HOUR) return true;
  return outMs > GONE.fromMs && kept <= GONE.untilMs ? false : null;
}

/** Two processes: gone for a while, back, and the second one gone before the end. */
async function follow(of: LiveWorld): Promise<Readonly<Record<'hourly' | 'five', LiveProcess>>> {
  const { world } = of;
  const run = async (untilMs: number): Promise<void> => {
    while (world.clock.nowMs() < untilMs) {
      // Time goes on though nothing is due.
      if (!(await world.step())) world.clock.after(untilMs - world.clock.nowMs(), () => {});
    }
  };
  let hourly = await liveProcess(of, [HOURLY]);
  await run(FIVE_SPAN.fromMs);
  let five = await liveProcess(of, [FIVE]);
  await run(GONE.fromMs);
  hourly.vanish();
  five.vanish();
  await run(GONE.untilMs);
  hourly = await liveProcess(of, [HOURLY]);
  five = await liveProcess(of, [FIVE]);
  await run(FIVE_SPAN.untilMs);
  five.vanish();
  await run(END);
  hourly.vanish();
  return { hourly, five };
}

test('a month of MISO with every fault ends whole', async () => {
  const world = new World(seedOf('live month of MISO'), START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO'], PARTITIONS, DAY)) store.topics.set(spec.name, spec);
  const market = new MisoMarket({ nodes: NODES, versions });
  const stale = staleCache(world.draw);
  const disturbance = new Disturbance(world.draw, MISO_FAULTS);
  const of: LiveWorld = {
    world,
    store,
    dir: temporaryDirs('carbon-miso')(),
    registry: { markets, sources, findFeed },
    answer: (url, nowMs, headers) =>
      disturbance.of(stale(url, market.answer(url, nowMs, headers)), url, nowMs),
  };
  const processes = await follow(of);
  for (const [host, asked] of market.asked) {
    const gaps = asked.slice(1).map((at, n) => at - (asked[n] ?? 0));
    expect([host, Math.min(...gaps) >= RATE_MS]).toEqual([host, true]);
  }
  expect(market.unkeyed).toBe(0);
  expect(disturbance.unmet).toEqual([]);

  const gold = await goldOf(of);
  expect(await goldDifferences(gold, store, ['MISO'])).toEqual([]);
  const prices = new Map([
    ...closes(
      gold,
      '1H',
      RUNS.filter((each) => !isFive(each)),
    ),
    ...closes(gold, '5M', RUNS.filter(isFive)),
  ]);
  const log = onLog(store, 'MISO');
  const totals = Object.fromEntries(RUNS.map((name) => [name, { present: 0, listed: 0, corrected: 0 }]));
  for (const name of RUNS) {
    const { connectors } = processes[name === 'RT5_EXPOST' ? 'five' : 'hourly'];
    const [fromMs, untilMs] = judged(name);
    for (let noon = fromMs; noon < untilMs; noon += DAY) {
      const missing = listed(connectors, 'MISO', dayOf('MISO', noon), END, minutesOf);
      for (const interval of intervalsOf(name, noon, log)) {
        judge(interval, log, missing, prices, totals[name] ?? { present: 0, listed: 0, corrected: 0 });
      }
    }
  }
  const requests = [...market.asked.values()].reduce((sum, each) => sum + each.length, 0);
  console.log(JSON.stringify({ requests, totals }));
  for (const [name, { present, corrected }] of Object.entries(totals)) {
    expect([name, present > 500, corrected > 10]).toEqual([name, true, true]);
  }
  expect(totals.RT5_EXPOST?.listed).toBeGreaterThan(2 * 288);
  expect(totals.DA_EXANTE?.listed).toBeGreaterThanOrEqual(3 * 24);
}, 300_000);

/** Days of which everything should be told: followed, and their last look for corrections is over. */
function judged(run: Run): readonly [fromMs: number, untilMs: number] {
  if (run === 'RT5_EXPOST') return [FIVE_SPAN.fromMs, FIVE_SPAN.untilMs - 2 * DAY];
  return [START + DAY - HOUR, END - LAST_LOOK[run] * DAY];
}

function intervalsOf(run: Run, noon: number, log: ReadonlyMap<string, OnLog>): Interval[] {
  const [from, to] = dayBounds('MISO', noon);
  const starts = Array.from(
    { length: (to - from) / MINUTE / minutesOf(run) },
    (_, n) => from + n * minutesOf(run) * MINUTE,
  );
  return NODES[run].flatMap((node) =>
    starts.map((startMs) => {
      const found = log.get(`${run}|${node}|${startMs}`)?.versions ?? [];
      const said = versions(run, node, startMs).filter(
        (each) => couldBeHad(run, startMs, each) ?? found.some(({ cents }) => cents === each.cents),
      );
      return { run, node, startMs, said, wanted: true };
    }),
  );
}
