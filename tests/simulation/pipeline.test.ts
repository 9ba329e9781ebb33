// Many seeds, each a run of the real routers, actors, supervision and restore over a simulated world with
// faults. A failing seed is named by its test: add it to SEEDS and run it alone with `-t "seed n:"`.

import { expect, test } from 'bun:test';
import { broken } from './laws.ts';
import { simulate } from './simulated-run.ts';

const SEEDS = [28, 35, 336, 1128, ...Array.from({ length: 24 }, (_, n) => n + 1)];
const FRESH = Array.from({ length: 6 }, () => Math.floor(Math.random() * 2 ** 31));

for (const seed of [...SEEDS, ...FRESH]) {
  test(`seed ${seed}: order, exactly once, one disposition, state as folded`, async () => {
    expect(broken(await simulate(seed))).toEqual([]);
  }, 60_000);
}

test('the same seed is the same run', async () => {
  const told = async () => {
    const { told: events, world } = await simulate(7);
    return { events, steps: world.steps, nowMs: world.clock.nowMs() };
  };
  expect(await told()).toEqual(await told());
}, 60_000);
