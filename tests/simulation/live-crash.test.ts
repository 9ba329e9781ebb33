// A defect of ours in a feed: it is respawned from what the log remembers, and after too many it stays down,
// says so, holds nobody else up, and has another try when its connector is enabled again.

import { expect, test } from 'bun:test';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { causeOf, healthOf } from '../../runtime/live/views.ts';
import { rawTopic, topicSpecs } from '../../runtime/services.ts';
import { Oasis } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { plan } from './live-plan.ts';
import { kept, liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-10-20T18:00:00Z');

test('a feed with a defect stays down alone, and has another try', async () => {
  const world = new World(seedOf('live crash'), START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO'], 2, DAY)) store.topics.set(spec.name, spec);
  const oasis = new Oasis({ versions: () => [{ outMs: 0, cents: 1 }] });
  const state = { defect: true };
  const of = {
    world,
    store,
    dir: temporaryDirs('carbon-crash')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => {
      if (state.defect && url.searchParams.get('market_run_id') === 'DAM') throw new TypeError('ours');
      return oasis.answer(url, nowMs);
    },
  };
  const run = async (ms: number): Promise<void> => {
    const untilMs = world.clock.nowMs() + ms;
    const beat = (): void => {
      if (world.clock.nowMs() < untilMs) world.clock.after(1_000, beat);
    };
    beat();
    while (world.clock.nowMs() < untilMs && (await world.step()));
  };
  const process = await liveProcess(of, [plan('caiso', 'caiso.dam'), plan('caiso-rt', 'caiso.hasp')]);
  await run(600_000);
  const [dam, hasp] = process.connectors.all;
  if (dam === undefined || hasp === undefined) throw new Error('no connector');
  expect(process.events.map(({ kind }) => kind).filter((kind) => kind !== 'note')).toEqual([
    'restart',
    'restart',
    'restart',
    'escalation',
  ]);
  const nowMs = world.clock.nowMs();
  expect([healthOf(dam, nowMs).status, healthOf(hasp, nowMs).status]).toEqual(['unhealthy', 'healthy']);
  expect(causeOf(dam, nowMs)).toContain('ours');

  state.defect = false;
  await kept(
    world,
    process.connectors.turn(dam, true, 'repaired').then(() => true),
  );
  await run(600_000);
  expect(healthOf(dam, world.clock.nowMs()).status).toBe('healthy');
  const found: string[] = [];
  for (const partition of [0, 1]) {
    for (const entry of store.entries({ topic: rawTopic('CAISO'), partition })) {
      if (entry === null) continue;
      const record = JSON.parse(new TextDecoder().decode(entry.value));
      if (record.run === 'DAM' && record.data_type === 'lmp') found.push(String(record.interval_start));
    }
  }
  expect(found.length).toBeGreaterThanOrEqual(4 * 24);
  expect(new Set(found).size).toBe(found.length);
}, 60_000);
