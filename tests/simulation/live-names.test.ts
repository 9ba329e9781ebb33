// A connector's memory belongs to its name: it is the same whatever else CONNECTORS names, over starts.
// Nothing is asked for twice, nothing stands on the log twice, and the totals of all names are what the
// topics hold.

import { expect, test } from 'bun:test';
import { storedCursors } from '../../runtime/raw-outputs.ts';
import { rawTopic } from '../../runtime/services.ts';
import { plan, publishedMarket } from './live-plan.ts';
import { kept, liveProcess } from './live-process.ts';
import type { SimulatedStore } from './simulated-store.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-10-20T18:00:00Z');
const DAM = plan('caiso', 'caiso.dam');
const RTPD = plan('caiso-rt', 'caiso.rtpd');

function recordsOn(store: SimulatedStore): string[] {
  const found: string[] = [];
  for (let partition = 0; partition < 2; partition += 1) {
    for (const entry of store.entries({ topic: rawTopic('CAISO'), partition })) {
      if (entry === null) continue;
      const { data_type, run, interval_start } = JSON.parse(new TextDecoder().decode(entry.value));
      if (data_type === 'lmp') found.push(`${run}|${interval_start}`);
    }
  }
  return found;
}

async function totalOf(store: SimulatedStore, names: readonly string[]): Promise<number> {
  const log = { writerState: async (writer: string) => new Map(store.state(`writer ${writer}`)) };
  let sum = 0;
  for (const { rowsRead, rowsUsed, rowsRefused, done } of await storedCursors(log, names)) {
    expect(rowsRead).toBe(rowsUsed + rowsRefused);
    sum += done;
  }
  return sum;
}

test('another set of names beside it changes nothing of what a connector remembers', async () => {
  const { of, world, store, asked: queries } = publishedMarket('live names', START);
  /** What was asked since the last look. */
  const taken = (): string[] =>
    queries.splice(0).map((query) => `${query.get('market_run_id')}|${query.get('startdatetime')}`);
  const run = async (hours: number): Promise<void> => {
    const untilMs = world.clock.nowMs() + hours * HOUR;
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  const alone = await liveProcess(of, [DAM]);
  await run(1);
  const job = { market: 'CAISO', run: 'DAM', from: '2026-10-01', to: '2026-10-02', onlyMissing: true };
  await kept(world, alone.connectors.backfill(job));
  const [caisoAlone] = alone.connectors.all;
  if (caisoAlone === undefined) throw new Error('no connector');
  await run(1);
  expect(alone.connectors.jobs().map(({ status }) => status)).toEqual(['done']);
  await kept(
    world,
    alone.connectors.turn(caisoAlone, false, 'maintenance').then(() => true),
  );
  const windows = caisoAlone.feeds[0]?.state.windows.size;
  expect(windows).toBeGreaterThan(5);
  alone.vanish();
  const askedBefore = taken();
  expect(askedBefore.some((each) => each.startsWith('DAM'))).toBe(true);

  const both = await liveProcess(of, [DAM, RTPD]);
  await run(2);
  const [first] = both.connectors.all;
  if (first === undefined) throw new Error('no connector');
  expect(first.state).toMatchObject({ enabled: false, reason: 'maintenance' });
  expect(first.feeds[0]?.state.windows.size).toBe(windows);
  expect(both.connectors.jobs().map(({ status, connector }) => [status, connector])).toEqual([
    ['done', 'caiso'],
  ]);
  await kept(
    world,
    both.connectors.turn(first, true, null).then(() => true),
  );
  await run(2);
  const asked = taken();
  expect(asked.filter((each) => each.startsWith('DAM'))).toEqual([]);
  expect(asked.filter((each) => each.startsWith('RTPD')).length).toBeGreaterThan(3);
  both.vanish();

  const records = recordsOn(store);
  expect(new Set(records).size).toBe(records.length);
  expect(records.some((each) => each.startsWith('RTPD'))).toBe(true);
  expect(await totalOf(store, ['caiso', 'caiso-rt'])).toBe(records.length);
}, 60_000);
