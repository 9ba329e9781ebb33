// Months of CAISO on a virtual clock, over the day of 25 hours and over the one of 23, by three processes of
// one machine: every run, lists of nodes and a group of all, throttling under 429 and 200, cut zips, bombs,
// resets, drips, an expired certificate, redirects, errors and no data that pass, files given twice, a day
// that comes late, days that are published again with corrections, one of them only announced, holes that
// stay, a process that is gone for five days, and two that come and go. At the end every interval is on the
// log and in gold once or is listed as missing, the last correction is what gold says, the bars are those of
// the oracle, and no two requests were ever closer than five seconds.

import { expect, test } from 'bun:test';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { dayBounds, dayOf } from '../oracle/wall-clock.ts';
import { type Oasis, RATE_MS } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import {
  AUTUMN,
  disturbedOasis,
  GROUP,
  type Month,
  minutesOf,
  NODES,
  ONE,
  planOf,
  priced,
  type Run,
  SPRING,
  TWO,
  versionsIn,
  withNotices,
} from './live-caiso.ts';
import { closes, goldDifferences, goldOf, PARTITIONS } from './live-gold.ts';
import { DAY, HOUR, judge, listed, onLog, type Totals } from './live-month.ts';
import { type LiveProcess, type LiveWorld, liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const DAYS = 31;
/** Longer than the second process looks back: it catches up by itself. From then on it only visits. */
const GONE = { from: 5 * DAY, until: 10 * DAY };
/** The third process visits, on some days of the month. */
const VISITED = { from: 8 * DAY, until: 18 * DAY };
const VISIT_EVERY = DAY / 2;
const VISIT = 30 * 60_000;

const AHEAD = withNotices(planOf('caiso', [['dam', NODES, 3]]));
const QUARTERS = withNotices(planOf('caiso-rt', [['rtpd', TWO, 3]]));
const VISITOR = planOf('caiso-more', [
  ['rtm', ONE, 1],
  ['hasp', ONE, 1],
  ['dam-group', 'all', 1],
]);

interface Judged {
  readonly by: 'ahead' | 'quarters' | 'visitor';
  readonly run: Run;
  readonly nodes: readonly string[];
  /** First and last operating day, after the month's first: their last looks are over by then. */
  readonly days: readonly [first: number, last: number];
}
const JUDGED: readonly Judged[] = [
  { by: 'ahead', run: 'DAM', nodes: NODES, days: [0, 24] },
  { by: 'quarters', run: 'RTPD', nodes: TWO, days: [0, 24] },
  { by: 'visitor', run: 'RTM', nodes: ONE, days: [9, 12] },
  { by: 'visitor', run: 'HASP', nodes: ONE, days: [9, 12] },
  { by: 'visitor', run: 'DAM', nodes: GROUP, days: [9, 12] },
];

async function live(of: LiveWorld, startMs: number): Promise<Record<Judged['by'], LiveProcess>> {
  const { world } = of;
  const run = async (sinceStart: number): Promise<void> => {
    while (world.clock.nowMs() < startMs + sinceStart && (await world.step()));
  };
  const ahead = await liveProcess(of, [AHEAD]);
  let quarters = await liveProcess(of, [QUARTERS]);
  let visitor = quarters;
  await run(GONE.from);
  quarters.vanish();
  for (let at = VISITED.from; at < DAYS * DAY; at += VISIT_EVERY) {
    await run(at);
    const quartersVisits = at >= GONE.until;
    const visitorVisits = at <= VISITED.until;
    if (quartersVisits) quarters = await liveProcess(of, [QUARTERS]);
    if (visitorVisits) visitor = await liveProcess(of, [VISITOR]);
    await run(at + VISIT);
    if (quartersVisits) quarters.vanish();
    if (visitorVisits) visitor.vanish();
  }
  await run(DAYS * DAY);
  ahead.vanish();
  return { ahead, quarters, visitor };
}

function expectPolite({ asked, throttled }: Oasis): void {
  const gaps = asked.slice(1).map((at, n) => at - (asked[n] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(RATE_MS);
  expect(throttled).toBe(0);
  expect(asked.length).toBeGreaterThan(1_500);
}

async function follow(month: Month): Promise<void> {
  const { startMs } = month;
  const world = new World(seedOf(`live month around ${month.odd.date}`), startMs);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO'], PARTITIONS, DAY)) store.topics.set(spec.name, spec);
  const { oasis, disturbance, answer } = disturbedOasis(month, world.draw);
  const of: LiveWorld = {
    world,
    store,
    dir: temporaryDirs('carbon-live')(),
    registry: { markets, sources, findFeed },
    answer,
  };
  const processes = await live(of, startMs);
  expectPolite(oasis);
  expect(disturbance.unmet).toEqual([]);

  const gold = await goldOf(of);
  expect(await goldDifferences(gold, store, ['CAISO'])).toEqual([]);
  const prices = new Map([
    ...closes(gold, '1H', ['DAM']),
    ...closes(gold, '15M', ['RTPD', 'HASP']),
    ...closes(gold, '5M', ['RTM']),
  ]);
  const log = onLog(store, 'CAISO');
  const totals = JUDGED.map((judged) => {
    const { connectors } = processes[judged.by];
    const total = { present: 0, listed: 0, corrected: 0 };
    for (const [from, to] of daysOf(month, judged)) {
      const missing = listed(connectors, 'CAISO', dayOf('CAISO', from), startMs + DAYS * DAY, minutesOf);
      for (const interval of intervalsOf(month, judged, from, to)) {
        judge(interval, log, missing, prices, total);
      }
    }
    return total;
  });
  console.log(JSON.stringify({ requests: oasis.asked.length, met: disturbance.met, totals }));
  expectWhole(totals);
}

/** Bounds of the operating days; the odd one is always among them. */
function daysOf({ startMs, odd }: Month, { days: [first, last] }: Judged) {
  const noons = Array.from({ length: last - first + 1 }, (_, n) => startMs + 2 * HOUR + (first + n) * DAY);
  const found = noons.map((noon) => dayBounds('CAISO', noon));
  const hours = found.filter(([from]) => dayOf('CAISO', from) === odd.date).map(([a, b]) => (b - a) / HOUR);
  expect(hours).toEqual([odd.hours]);
  return found;
}

function intervalsOf(month: Month, { run, nodes }: Judged, from: number, to: number) {
  const step = minutesOf(run) * 60_000;
  const starts = Array.from({ length: (to - from) / step }, (_, n) => from + n * step);
  return nodes.flatMap((node) =>
    starts.map((startMs) => ({
      ...{ run, node, startMs },
      said: versionsIn(month, run, node, startMs),
      wanted: priced(node, startMs),
    })),
  );
}

function expectWhole(totals: readonly Totals[]): void {
  for (const [n, { present, corrected }] of totals.entries()) {
    const { run, nodes } = JUDGED[n] ?? {};
    expect([run, nodes?.length, present > 300, corrected > 20]).toEqual([run, nodes?.length, true, true]);
  }
  expect(totals.reduce((sum, each) => sum + each.present, 0)).toBeGreaterThan(7_000);
  expect(totals.reduce((sum, each) => sum + each.listed, 0)).toBeGreaterThan(10);
}

test('a month with every fault and a day of 25 hours ends whole', () => follow(AUTUMN), 300_000);
test('a month with every fault and a day of 23 hours ends whole', () => follow(SPRING), 300_000);
