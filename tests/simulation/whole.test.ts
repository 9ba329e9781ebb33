// The whole pipeline over a simulated world: fixed seeds, fresh ones each time, and the promise that a seed
// is a run. A failing seed is named by its test; `bun run sim --seed N` shrinks it.

import { heapStats } from 'bun:jsc';
import { expect, test } from 'bun:test';
import { freshSeeds, RECORDS } from './budget.ts';
import { idsIn, judge, ranges } from './judge.ts';
import { root, simulator } from './mutants.ts';
import type { Wish } from './plan.ts';
import { Simulation } from './simulation.ts';

const MINUTE = 60_000;

/** Each found something while the simulator or the product was being built; seed and records. */
const FIXED = [
  [5, 1_000],
  [12, 300],
  [15, 200],
  [34, 300],
  [41, 300],
  [86, 300],
  [20_262_628, 40],
  [20_263_077, 40],
  [20_264_586, 40],
  [20_265_387, 40],
  [20_267_546, 40],
] as const;

function wishOf(seed: number, records = RECORDS): Wish {
  return { seed, records, faults: null, keep: null };
}

for (const [seed, records] of FIXED) {
  test(
    `seed ${seed} of ${records} records: every law holds`,
    async () => expect((await judge(wishOf(seed, records))).broken).toEqual([]),
    MINUTE,
  );
}

test(
  'fresh seeds: every law holds',
  async () => {
    const { seeds, failures } = await freshSeeds();
    for (const line of failures) console.error(line);
    expect({ seeds, failures }).toEqual({ seeds: Number(process.env.SIM_SEEDS ?? 200), failures: [] });
  },
  30 * MINUTE,
);

test(
  'the same seed is the same run, another one is not',
  async () => {
    const hashOf = async (seed: number) => (await judge(wishOf(seed, 200))).hash;
    expect(await hashOf(7)).toBe(await hashOf(7));
    expect(await hashOf(7)).not.toBe(await hashOf(8));
  },
  MINUTE,
);

test(
  'nothing of a run is kept when it is over',
  async () => {
    const signals = (): number => {
      Bun.gc(true);
      return heapStats().objectTypeCounts.AbortSignal ?? 0;
    };
    await judge(wishOf(1, 40));
    const before = signals();
    for (let seed = 2; seed < 8; seed += 1) await judge(wishOf(seed, 40));
    expect(signals() - before).toBeLessThan(100);
  },
  MINUTE,
);

test(
  'in any process, as `bun run sim` prints it after its seed',
  async () => {
    const words = ['--seed', 42, '--records', 200];
    const [one, other] = [await simulator(root, ...words), await simulator(root, ...words)];
    expect(one.code).toBe(0);
    expect(one.lines[0]).toStartWith('seed 42, commit ');
    expect(one.lines[1]).toBe(other.lines[1] ?? '');
    expect(one.lines[1]).toContain((await judge(wishOf(42, 200))).hash);
  },
  MINUTE,
);

test('what is no option, no number and no fault is refused', async () => {
  for (const words of [
    ['--sed', 1],
    ['--seed', 'x'],
    ['--faults', 'rain'],
  ]) {
    const { code, lines, complaint } = await simulator(root, ...words);
    expect({ code, lines }).toEqual({ code: 64, lines: [] });
    expect(complaint).toContain(String(words[0] === '--sed' ? '--sed' : words[1]));
  }
});

test('faults are those that are asked for', async () => {
  const { plan } = new Simulation({ ...wishOf(3, 50), faults: ['crash', 'late'] });
  expect([...plan.faults.keys()]).toEqual(['crash', 'late']);
  const calm = await judge({ ...wishOf(3, 50), faults: [] });
  expect([calm.broken, [...calm.injected]]).toEqual([[], []]);
});

test('records of a run are named by ranges, and read again from them', () => {
  const ids = [9, 0, 1, 2, 4, 1_000_000];
  expect(ranges(ids)).toBe('0-2,4,9,1000000');
  expect([...idsIn(ranges(ids))]).toEqual([...ids].sort((a, b) => a - b));
});
