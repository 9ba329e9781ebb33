// A backfill that is killed half way goes on where it was; a connector that is switched off finishes what is
// in flight and asks for nothing more; each of these wishes is an event with who, what and why.

import { expect, test } from 'bun:test';
import { pricedOn } from './live-gold.ts';
import { plan, publishedMarket } from './live-plan.ts';
import { kept, liveProcess } from './live-process.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-10-20T18:00:00Z');
const DAM = plan('caiso', 'caiso.dam');
const JOB = { market: 'CAISO', run: 'DAM', from: '2026-09-01', to: '2026-09-20', onlyMissing: true };
const DAYS = 20;

/** A market whose prices are all out, and ways to go on in its time. */
function market(name: string) {
  const { of, world, store, asked } = publishedMarket(name, START);
  const until = async (is: () => boolean): Promise<void> => {
    for (let n = 0; !is(); n += 1) {
      if (n > 200_000) throw new Error('it never came to it');
      await world.step();
    }
  };
  /** Or until nothing is left to come. */
  const hours = async (count: number): Promise<void> => {
    const untilMs = world.clock.nowMs() + count * HOUR;
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  const intervals = (): string[] =>
    pricedOn(store, 'CAISO').map((each) => `${each.location}|${each.startMs}`);
  return { of, world, asked, until, hours, intervals };
}

const firstDay = (query: URLSearchParams): string => query.get('startdatetime')?.slice(0, 8) ?? '';

test('a backfill that is killed half way goes on, and asks for no finished day again', async () => {
  const { of, world, asked, until, hours, intervals } = market('a backfill killed half way');
  const first = await liveProcess(of, [DAM]);
  await hours(1);
  asked.splice(0);
  await kept(world, first.connectors.backfill(JOB));
  const progress = (of: typeof first) => of.connectors.jobs().map((job) => of.connectors.progress(job))[0];
  await until(() => (progress(first)?.done ?? 0) >= DAYS / 2);
  first.vanish();
  const half = asked.splice(0).map(firstDay);
  expect(half.length).toBeLessThan(DAYS);

  const second = await liveProcess(of, [DAM]);
  expect(second.connectors.jobs().map(({ status }) => status)).toEqual(['running']);
  await until(() => second.connectors.jobs().every(({ status }) => status === 'done'));
  expect(progress(second)).toMatchObject({ windows: DAYS, done: DAYS });
  const days = asked.map(firstDay);
  // The answer that was on its way when the process was killed is the only one asked for again.
  const again = days.filter((day) => half.includes(day));
  expect(again.length).toBeLessThanOrEqual(1);
  const ofJob = [...half, ...days].filter((day) => day >= '20260901' && day <= '20260920');
  expect(new Set(ofJob).size).toBe(DAYS);
  expect(ofJob.length).toBe(DAYS + again.length);
  const all = intervals();
  expect(new Set(all).size).toBe(all.length);
  second.vanish();
});

test('switched off, it finishes what is in flight and asks no more; every wish is told', async () => {
  const { of, world, asked, until, hours, intervals } = market('switched off in flight');
  const { connectors, events, vanish } = await liveProcess(of, [DAM]);
  const [caiso] = connectors.all;
  const [feed] = caiso?.feeds ?? [];
  if (caiso === undefined || feed === undefined) throw new Error('no connector');
  await until(() => asked.length === 3 && feed.state.phase === 'asking');
  const before = intervals().length;
  await kept(
    world,
    connectors.turn(caiso, false, 'bad upstream data').then(() => true),
  );
  await hours(2);
  expect(asked.length).toBe(3);
  expect(feed.state.phase).toBe('idle');
  expect(intervals().length).toBeGreaterThan(before);
  expect(connectors.fetchNow(caiso)).toBe(false);

  await kept(
    world,
    connectors.turn(caiso, true, 'repaired').then(() => true),
  );
  await hours(1);
  expect(asked.length).toBeGreaterThan(3);
  expect(connectors.fetchNow(caiso)).toBe(true);
  const job = await kept(world, connectors.backfill(JOB));
  if (job === null || !('id' in job)) throw new Error('no job');
  await kept(world, connectors.cancel(job.id));
  const told = events.map(({ actor, cause, decision }) => `${actor}: ${cause}: ${decision}`);
  for (const expected of [
    'connectors/caiso: bad upstream data: disabled',
    'connectors/caiso: repaired: enabled',
    'connectors/caiso: asked for: every feed looks now',
    `: backfill 2026-09-01 to 2026-09-20: started as ${job.id}`,
    `: backfill 2026-09-01 to 2026-09-20: cancelled: ${job.id}`,
  ]) {
    expect(told).toContainEqual(expect.stringContaining(expected));
  }
  vanish();
});
