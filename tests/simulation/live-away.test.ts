// A feed that could not ask for longer than it follows days back: the process was gone, the operator was
// down, the connector was switched off. It catches up by itself, by a backfill that can be seen, and asks for
// nothing that is there; in the ordinary course of days it starts none.

import { expect, test } from 'bun:test';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { completenessView } from '../../runtime/live/completeness-view.ts';
import { FetchFault } from '../../runtime/live/fetch-fault.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { Oasis } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { plan } from './live-plan.ts';
import { kept, type LiveProcess, liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-10-20T18:00:00Z');
const RTPD = plan('caiso', 'caiso.rtpd');
const AWAY_DAYS = 12;

/** A market that publishes every interval in time, and one that can be down. */
function market() {
  const world = new World(seedOf('live away'), START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO'], 2, DAY)) store.topics.set(spec.name, spec);
  const oasis = new Oasis({
    versions: (_run, _node, startMs) => [{ outMs: startMs + 20 * 60_000, cents: 1 }],
  });
  const state = { down: false, asked: new Map<string, number>() };
  const of = {
    world,
    store,
    dir: temporaryDirs('carbon-away')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => {
      if (state.down) return new FetchFault('no route', 'network');
      const day = url.searchParams.get('startdatetime')?.slice(0, 8) ?? '';
      state.asked.set(day, (state.asked.get(day) ?? 0) + 1);
      return oasis.answer(url, nowMs);
    },
  };
  const run = async (days: number): Promise<void> => {
    const untilMs = world.clock.nowMs() + days * DAY;
    // Time passes for nobody as well, in small steps: a step may come before a message that waits.
    const beat = (): void => {
      if (world.clock.nowMs() < untilMs) world.clock.after(30_000, beat);
    };
    beat();
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  return { world, of, run, state };
}

function summaries({ connectors }: LiveProcess, nowMs: number): string[] {
  const found: string[] = [];
  for (let at = START - 2 * DAY; at < nowMs - DAY; at += DAY) {
    const date = new Date(at - 12 * HOUR).toISOString().slice(0, 10);
    const view = completenessView(connectors, 'CAISO', date, nowMs);
    for (const { summary } of Array.isArray(view?.runs) ? view.runs : []) found.push(`${date} ${summary}`);
  }
  return found;
}

function whole(found: readonly string[]): boolean {
  // The day of 25 hours is among them.
  const expected = (day: string) => (day.startsWith('2026-11-01') ? '100 of 100' : '96 of 96');
  return found.length > AWAY_DAYS && found.every((each) => each.endsWith(` ${expected(each)}`));
}

test('days in a row start no backfill', async () => {
  const { world, of, run } = market();
  const process = await liveProcess(of, [RTPD]);
  await run(14);
  expect(process.connectors.jobs()).toEqual([]);
  expect(whole(summaries(process, world.clock.nowMs()))).toBe(true);
}, 60_000);

test('a process that was gone', async () => {
  const { world, of, run, state } = market();
  const before = await liveProcess(of, [RTPD]);
  await run(2);
  before.vanish();
  await run(AWAY_DAYS);
  state.asked.clear();
  const after = await liveProcess(of, [RTPD]);
  await run(1);
  expect(after.connectors.jobs().map(({ status, onlyMissing }) => [status, onlyMissing])).toEqual([
    ['done', true],
  ]);
  const found = summaries(after, world.clock.nowMs());
  expect([found, whole(found)]).toEqual([found, true]);
  // What was whole before is not asked for again but for its correction.
  expect(state.asked.get('20261019') ?? 0).toBeLessThanOrEqual(1);
}, 60_000);

test('a process that was gone, and again before its backfill was on the log', async () => {
  const { world, of, run } = market();
  const before = await liveProcess(of, [RTPD]);
  await run(2);
  before.vanish();
  await run(AWAY_DAYS);
  const short = await liveProcess(of, [RTPD]);
  const isFound = () => short.events.some(({ cause }) => cause.startsWith('no good answer since'));
  while (!isFound() && (await world.step()));
  short.vanish();
  expect(short.connectors.jobs()).toEqual([]);
  const after = await liveProcess(of, [RTPD]);
  await run(1);
  expect(after.connectors.jobs().map(({ status }) => status)).toEqual(['done']);
  expect(whole(summaries(after, world.clock.nowMs()))).toBe(true);
}, 60_000);

test('an operator that was down', async () => {
  const { world, of, run, state } = market();
  const process = await liveProcess(of, [RTPD]);
  await run(2);
  state.down = true;
  await run(AWAY_DAYS);
  state.down = false;
  await run(1);
  expect(process.connectors.jobs().map(({ status }) => status)).toEqual(['done']);
  expect(whole(summaries(process, world.clock.nowMs()))).toBe(true);
  // A log that can be read: the beginning, the circuit, once an hour, the end.
  const kinds = process.events.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'dependency_down').length).toBeLessThanOrEqual(AWAY_DAYS * 24 + 1);
  expect(kinds.filter((kind) => kind === 'dependency_up')).toHaveLength(1);
}, 60_000);

test('a connector that was switched off', async () => {
  const { world, of, run } = market();
  const process = await liveProcess(of, [RTPD]);
  const [connector] = process.connectors.all;
  if (connector === undefined) throw new Error('no connector');
  const turn = (enabled: boolean) =>
    kept(
      world,
      process.connectors.turn(connector, enabled, 'x').then(() => true),
    );
  await run(2);
  await turn(false);
  await run(AWAY_DAYS);
  await turn(true);
  await run(1);
  expect(process.connectors.jobs().map(({ status }) => status)).toEqual(['done']);
  expect(whole(summaries(process, world.clock.nowMs()))).toBe(true);
}, 60_000);
