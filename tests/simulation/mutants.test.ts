// The simulator tested by what it must find: planted defects, some of them each time, all with
// `SIM_MUTANTS=all`. Each is found within 500 seeds of 500 records, and the seed that found it holds every
// law in the product as it is.

import { afterAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomOf, seedOf, shuffled } from '../support/random.ts';
import { judge } from './judge.ts';
import { MUTANTS, MutationBench, root, simulator } from './mutants.ts';

const [SEEDS, RECORDS, AT_A_TIME] = [500, 500, 6];
const MINUTES = 60_000;

const chosen =
  process.env.SIM_MUTANTS === 'all'
    ? MUTANTS
    : shuffled(MUTANTS, randomOf(seedOf('mutants'))).slice(0, AT_A_TIME);
const bench = new MutationBench();
afterAll(() => bench.dispose());

test('there are at least fifteen, each with a name of its own', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(15);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test('each fits the product once', () => {
  for (const { name, file, find } of MUTANTS) {
    const fits = readFileSync(join(root, file), 'utf8').split(find).length - 1;
    expect({ name, fits }).toEqual({ name, fits: 1 });
  }
});

for (const mutant of chosen) {
  test(
    `found: ${mutant.name}`,
    async () => {
      const { seed, seeds, broken } = await bench.find(mutant, 1, SEEDS, RECORDS);
      console.log(`${mutant.name}: seed ${seed}, ${seeds} tried: ${broken[0]?.slice(0, 120)}`);
      expect(broken.length).toBeGreaterThan(0);
      const faults = mutant.faults ?? null;
      const sound = await judge({ seed: seed ?? 0, records: RECORDS, faults, keep: null });
      expect(sound.broken).toEqual([]);
    },
    10 * MINUTES,
  );
}

test(
  'a seed that fails is named first with its commit and step, shrunk, and run again by what is printed',
  async () => {
    const mutant = MUTANTS.find(({ name }) => name.startsWith('a bar that ends'));
    if (mutant === undefined) throw new Error('no such defect');
    const { code, lines } = await bench.run(mutant, '--seed', 1, '--records', 120, '--shrink', 40);
    expect(code).toBe(1);
    expect(lines[0]).toStartWith('seed 1, commit ');
    expect(lines.find((line) => line.startsWith('FAILED'))).toMatch(/^FAILED seed 1, commit \S+, step \d+$/);
    const [, left = ''] = /shrunk to (\d+) records/.exec(lines.join('\n')) ?? [];
    expect(Number(left)).toBeLessThan(10);
    const again = lines.filter((line) => line.includes('again: bun run sim')).at(-1) ?? '';
    const words = again.slice(again.indexOf('--seed')).split(' ');
    const repeated = await bench.run(mutant, ...words);
    expect(repeated.code).toBe(1);
    expect(repeated.lines.some((line) => line.startsWith('FAILED seed 1'))).toBe(true);
    expect((await simulator(root, ...words)).code).toBe(0);
  },
  5 * MINUTES,
);
