// The simulator tested by what it must find: planted defects, some of them each time, all with
// `SIM_MUTANTS=all`. Each is found within 500 seeds of 500 records, and the seed that found it holds every
// law in the product as it is.

import { afterAll, expect, test } from 'bun:test';
import { randomOf, seedOf, shuffled } from '../support/random.ts';
import { judge } from './judge.ts';
import { MUTANTS, mutationBench } from './mutants.ts';

const [SEEDS, RECORDS, AT_A_TIME] = [500, 500, 6];
const MINUTES = 60_000;

const chosen =
  process.env.SIM_MUTANTS === 'all'
    ? MUTANTS
    : shuffled(MUTANTS, randomOf(seedOf('mutants'))).slice(0, AT_A_TIME);
const bench = mutationBench();
afterAll(() => bench.dispose());

test('there are at least fifteen, each with a name of its own', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(15);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

for (const mutant of chosen) {
  test(
    `found: ${mutant.name}`,
    async () => {
      const { seed, seeds, broken } = await bench.find(mutant, 1, SEEDS, RECORDS);
      console.log(`${mutant.name}: seed ${seed}, ${seeds} tried: ${broken[0]?.slice(0, 120)}`);
      expect(broken.length).toBeGreaterThan(0);
      const sound = await judge({ seed: seed ?? 0, records: RECORDS, faults: null, keep: null });
      expect(sound.broken).toEqual([]);
    },
    10 * MINUTES,
  );
}
