// `bun run sim`: runs of the whole pipeline over a simulated world, each a function of its seed. The seed is
// printed first; one that fails is shrunk, and the command that runs it again is printed with it. A long run
// is kept in a file and goes on from there.

import { commandOf, type Judged, judge, shrink } from './judge.ts';
import type { Wish } from './plan.ts';
import { type Options, optionsOf } from './sim-options.ts';
import { intoReadme, sentences } from './sim-report.ts';
import { KeptRun, Totals } from './totals.ts';

const SHOWN = 10;
const PROGRESS_MS = 10_000;

function commit(): string {
  const found = Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD'], { cwd: import.meta.dir });
  return found.success ? found.stdout.toString().trim() : 'unknown';
}

async function reportFailure(found: Judged, { shrink: runsMax, trace }: Options): Promise<void> {
  const { seed } = found.wish;
  console.log(`FAILED seed ${seed}, commit ${commit()}, step ${found.step}`);
  for (const each of found.broken.slice(0, SHOWN)) console.log(`  ${each}`);
  console.log(`  again: ${commandOf(found.wish)}`);
  if (runsMax === 0 || trace) return;
  const least = await shrink(found, runsMax);
  console.log(`  shrunk to ${least.records} records and faults ${least.faults.join() || 'none'}`);
  for (const each of least.broken.slice(0, SHOWN)) console.log(`  ${each}`);
  console.log(`  again: ${commandOf(least.wish)} --trace`);
}

/** A signal ends a long run after the seed in hand. */
function stopOnSignal(): () => boolean {
  const asked = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => asked.abort());
  return () => asked.signal.aborted;
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  const { seeds, records, faults, keep, json, trace, state, readme } = options;
  const asked = { commit: commit(), seeds, records, faults };
  const kept = state === null ? null : new KeptRun(state, asked, options.seed);
  const first = kept?.first ?? options.seed;
  const totals = kept?.totals ?? new Totals();
  if (!json) console.log(`seed ${first}${seeds > 1 ? ` to ${first + seeds - 1}` : ''}, commit ${commit()}`);
  if (totals.seeds > 0) console.log(`goes on after ${totals.seeds} seeds, as kept in ${state}`);
  const stopped = kept === null ? () => false : stopOnSignal();
  let toldMs = performance.now();
  while (totals.seeds < seeds && !stopped()) {
    const fromMs = performance.now();
    const wish: Wish = { seed: first + totals.seeds, records, faults, keep };
    const found = await judge(wish, trace ? (line) => console.log(line) : undefined);
    totals.add(found, performance.now() - fromMs);
    if (!json && seeds === 1) console.log(`run ${found.hash}, ${found.step} steps`);
    if (found.broken.length > 0 && !json) await reportFailure(found, options);
    if (found.broken.length > 0 && options.first) break;
    if (performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    kept?.save();
    const { failures, seeds_per_minute: rate } = totals.summary;
    if (!json) console.log(`${totals.seeds} of ${seeds} seeds, ${failures} failures, ${rate} seeds a minute`);
  }
  const { summary, failed } = totals;
  if (json) console.log(JSON.stringify({ first_seed: first, commit: commit(), ...summary, failed }));
  else for (const line of sentences(summary)) console.log(line);
  const done = totals.seeds >= seeds;
  if (readme) intoReadme({ first, commit: commit(), wanted: records, asked: seeds, ...summary });
  if (done) kept?.forget();
  else kept?.save();
  process.exit(failed.length > 0 ? 1 : 0);
}

await main();
