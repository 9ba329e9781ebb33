// How much simulation one run of the tests carries out: `SIM_SEEDS` fresh seeds (200) of 1,000 records, by as
// many processes as there are cores, up to four: five or six minutes on two cores, beside other tests.

import { availableParallelism } from 'node:os';
import { root, simulator } from './mutants.ts';

export const RECORDS = 300;
export const FRESH_RECORDS = 1_000;
const [SEEDS_AT_ONCE, PROCESSES_MAX] = [10, 4];

export interface Fresh {
  readonly seeds: number;
  /** What the simulator said of seeds that failed: seed, commit and step first. */
  readonly failures: readonly string[];
}

/** Fresh each time; printed first, so that any can be run again. */
export async function freshSeeds(): Promise<Fresh> {
  const count = Number(process.env.SIM_SEEDS ?? 200);
  const first = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  console.log(`simulation: seeds ${first} to ${first + count - 1} of ${FRESH_RECORDS} records`);
  const failures: string[] = [];
  let [next, seeds] = [0, 0];
  const work = async (): Promise<void> => {
    while (next < count) {
      const [from, some] = [first + next, Math.min(SEEDS_AT_ONCE, count - next)];
      next += some;
      const words = ['--seed', from, '--seeds', some, '--records', FRESH_RECORDS, '--shrink', 20];
      const { code, lines, complaint } = await simulator(root, ...words);
      const told = /^(\d+) seeds, (\d+) failures/.exec(lines.at(-2) ?? '');
      seeds += Number(told?.[1] ?? 0);
      if (code !== 0) failures.push(...lines.slice(lines.findIndex((line) => line.startsWith('FAILED'))));
      if (told === null) failures.push(`seeds from ${from} on: ${complaint.slice(0, 1_000)}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PROCESSES_MAX, availableParallelism()) }, work));
  return { seeds, failures };
}
