// What a second worker brings: the same recording replayed by one and by two workers in turn, from the first
// byte to the last row in ClickHouse. The ratio is what counts; two cores also carry the engine.

import { recording } from '../support/recordings.ts';
import { startReplay, summaryOf } from '../support/replay.ts';

const ROUNDS = 2;

export async function parallelism(name = '20110716'): Promise<void> {
  const rates = new Map<number, number[]>([1, 2].map((workers) => [workers, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [workers, found] of rates) found.push(await rateOf(name, workers));
  }
  const best = (workers: number): number => Math.max(...(rates.get(workers) ?? []));
  for (const workers of rates.keys())
    console.log(`  ${best(workers).toFixed(0)} ticks/s  ${workers} workers`);
  console.log(`  ${(best(2) / best(1)).toFixed(2)}  ratio of the better of ${ROUNDS} rounds each`);
}

async function rateOf(name: string, workers: number): Promise<number> {
  const child = startReplay({ PARALLELISM: String(workers) }, recording(name), '--json');
  const code = await child.exited;
  const stderr = await child.stderr();
  if (code !== 0) throw new Error(`the replay ended with ${code}: ${stderr.slice(-2_000)}`);
  const { ticks, seconds } = summaryOf({ code, stdout: await child.stdout(), stderr });
  return ticks / seconds;
}
