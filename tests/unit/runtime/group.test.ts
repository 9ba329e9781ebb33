// A group over the simulated log: what nobody else takes is taken up again, and what stands still says so.

import { afterEach, expect, test } from 'bun:test';
import { systemClock } from '../../../runtime/clock.ts';
import type { Group } from '../../../runtime/group.ts';
import { stuckIn } from '../../../runtime/platform-report.ts';
import { CALM_LOG, type LogFaults, SimulatedLog } from '../../simulation/simulated-log.ts';
import { SimulatedStore } from '../../simulation/simulated-store.ts';
import { Listening } from '../../simulation/world.ts';
import { DEAD_LETTERS, OUTPUT, oneGroup } from '../../support/one-group.ts';
import { until } from '../../support/until.ts';

const TOPIC = 'input';
const of = { topic: TOPIC, partition: 0 };
const left: Group[] = [];
afterEach(async () => {
  for (const group of left.splice(0)) await group.drain();
});

async function joined(deferred: () => Promise<void>, stallMs: number) {
  let faults: LogFaults = CALM_LOG;
  const world = {
    store: new SimulatedStore(1),
    clock: systemClock,
    draw: () => 0.5,
    faults: () => faults,
    waiters: new Set<never>(),
    listening: new Listening(),
  };
  const log = new SimulatedLog(world);
  const spec = { partitions: 1, retentionMs: null, compacted: false };
  await log.bootstrap([TOPIC, OUTPUT, DEAD_LETTERS].map((name) => ({ ...spec, name })));
  const said: string[] = [];
  const group = oneGroup(log, {
    group: 'g',
    topics: [TOPIC],
    work: { kind: 'deferred' },
    deferred: async () => {
      await deferred();
      return { emissions: [], refused: [] };
    },
    said: (cause) => said.push(cause),
    stallMs,
  });
  await group.join();
  left.push(group);
  return {
    group,
    said,
    append: (value: string) => log.append('w', [{ topic: TOPIC, key: 'CAISO:k', value }], []),
    position: async () => (await log.lag('g'))[0]?.lag,
    set: (more: Partial<LogFaults>) => {
      faults = { ...CALM_LOG, ...more };
    },
  };
}

test('a partition that is fenced without going to anybody is taken up again', async () => {
  const { group, said, append, position, set } = await joined(async () => {}, 60_000);
  set({ falseFences: 1 });
  await append('1');
  await until('the fence', () => said.some((each) => each.startsWith('fenced')));
  expect(group.standing(of)).toMatchObject({ phase: 'stopped', waitsFor: 'being taken up again' });
  set({});
  await until('it is read on', async () => (await position()) === 0);
  expect(said).toContain('input/0 was fenced, and is ours');
  expect(group.standing(of)).toMatchObject({ phase: 'polling', waitsFor: 'records to be appended' });
});

test('a partition that stands still is told, stands in health, and is told when it moves', async () => {
  const work = Promise.withResolvers<void>();
  const { group, said, append, position } = await joined(() => work.promise, 100);
  await append('1');
  const starts = 'partitions stand still: input/0 at 0, ';
  await until('it is told', () => said.some((each) => each.startsWith(starts)));
  expect(said.find((each) => each.startsWith(starts))).toContain('waits for what is done with its batch');
  expect(stuckIn(group)).toStartWith('stands still: input/0 at 0, ');
  work.resolve();
  await until('it moves', async () => (await position()) === 0);
  await until('that is told', () => said.some((each) => each.startsWith('partitions moved on: input/0')));
  expect(stuckIn(group)).toBeNull();
});
