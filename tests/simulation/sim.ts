// `bun run sim`: runs of the whole pipeline over a simulated world, each a function of its seed. The seed is
// printed first; one that fails is shrunk, and the command that runs it again is printed with it.

import { parseArgs } from 'node:util';
import { FAULTS, type FaultName, faultNamed } from './faults.ts';
import { commandOf, idsIn, type Judged, judge, shrink } from './judge.ts';
import type { Wish } from './plan.ts';

const USAGE = `usage: bun run sim [--seed N] [--seeds N] [--records N] [--faults a,b] [--trace] [--json]

Runs connectors, normalization, enrichment, aggregation, projection and data quality over a simulated log,
clock, ClickHouse, scheduler and set of members, with faults drawn from the seed, and checks what comes out.
  --seed N      first seed; unset: a fresh one
  --seeds N     how many seeds, one after the other (1)
  --records N   versions of observations in each run (1000)
  --faults a,b  these faults and no others; none for none
  --keep 0-4,7  these records and no others
  --first       stop at the first seed that fails
  --shrink N    runs spent on making a failing seed smaller (60); 0: none
  --trace       print what happens
  --json        print the result as one line of JSON, and nothing else
Faults: ${FAULTS.join(', ')}`;

const EXIT_USAGE = 64;
const SHOWN = 10;

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly records: number;
  readonly faults: readonly FaultName[] | null;
  readonly keep: ReadonlySet<number> | null;
  readonly first: boolean;
  readonly shrink: number;
  readonly trace: boolean;
  readonly json: boolean;
}

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(EXIT_USAGE);
}

function whole(name: string, text: string | undefined, unset: number): number {
  if (text === undefined) return unset;
  const found = Number(text);
  if (!Number.isSafeInteger(found) || found < 0) refuse(`--${name} takes a whole number, not '${text}'`);
  return found;
}

function faultsOf(text: string | undefined): readonly FaultName[] | null {
  if (text === undefined) return null;
  if (text === 'none') return [];
  return text
    .split(',')
    .map((name) => faultNamed(name) ?? refuse(`'${name}' is no fault; faults: ${FAULTS.join(', ')}`));
}

function optionsOf(words: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const named = { seed: text, seeds: text, records: text, faults: text, keep: text, shrink: text };
  const options = { ...named, first: flag, trace: flag, json: flag, help: { ...flag, short: 'h' } };
  try {
    const { values } = parseArgs({ args: [...words], options });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const fresh = crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
    return {
      seed: whole('seed', values.seed, fresh),
      seeds: whole('seeds', values.seeds, 1),
      records: whole('records', values.records, 1_000),
      faults: faultsOf(values.faults),
      keep: values.keep === undefined ? null : idsIn(values.keep),
      first: values.first,
      shrink: whole('shrink', values.shrink, 60),
      trace: values.trace,
      json: values.json,
    };
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}

function commit(): string {
  const found = Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD'], { cwd: import.meta.dir });
  return found.success ? found.stdout.toString().trim() : 'unknown';
}

class Totals {
  seeds = 0;
  failures = 0;
  simulatedMs = 0;
  records = 0;
  readonly injected = new Map<string, number>();

  add({ broken, simulatedMs, records, injected }: Judged): void {
    this.seeds += 1;
    if (broken.length > 0) this.failures += 1;
    this.simulatedMs += simulatedMs;
    this.records += records;
    for (const [fault, count] of injected) this.injected.set(fault, (this.injected.get(fault) ?? 0) + count);
  }

  summary(seconds: number) {
    return {
      seeds: this.seeds,
      failures: this.failures,
      records: this.records,
      simulated_hours: Number((this.simulatedMs / 3_600_000).toFixed(2)),
      seeds_per_minute: Number(((this.seeds * 60) / seconds).toFixed(1)),
      faults: Object.fromEntries([...this.injected].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
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

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  const { seed: first, seeds, records, faults, keep, json, trace } = options;
  if (!json) console.log(`seed ${first}${seeds > 1 ? ` to ${first + seeds - 1}` : ''}, commit ${commit()}`);
  const from = performance.now();
  const totals = new Totals();
  const failed: object[] = [];
  for (let seed = first; seed < first + seeds; seed += 1) {
    const wish: Wish = { seed, records, faults, keep };
    const found = await judge(wish, trace ? (line) => console.log(line) : undefined);
    totals.add(found);
    if (!json && seeds === 1) console.log(`run ${found.hash}, ${found.step} steps`);
    if (found.broken.length === 0) continue;
    failed.push({ seed, step: found.step, broken: found.broken.slice(0, SHOWN) });
    if (!json) await reportFailure(found, options);
    if (options.first) break;
  }
  const summary = totals.summary((performance.now() - from) / 1_000);
  if (json) console.log(JSON.stringify({ first_seed: first, commit: commit(), ...summary, failed }));
  else printSummary(summary);
  process.exit(totals.failures > 0 ? 1 : 0);
}

function printSummary(of: ReturnType<Totals['summary']>): void {
  const faults = Object.entries(of.faults).map(([name, count]) => `${name} ${count}`);
  console.log(
    `${of.seeds} seeds, ${of.failures} failures, ${of.records} records, ${of.simulated_hours} ` +
      `simulated hours, ${of.seeds_per_minute} seeds a minute`,
  );
  console.log(`faults: ${faults.join(', ') || 'none'}`);
}

await main();
