// The words of `bun run sim`: what may be asked of it, and what is refused with exit code 64.

import { parseArgs } from 'node:util';
import { FAULTS, type FaultName, faultNamed } from './faults.ts';
import { idsIn } from './judge.ts';

const USAGE = `usage: bun run sim [--seed N] [--seeds N] [--records N] [--faults a,b] [--trace] [--json]

Runs connectors, normalization, enrichment, aggregation, projection and data quality over a simulated log,
clock, ClickHouse, cache, scheduler and set of members, with faults drawn from the seed, and checks what
comes out and what was shown meanwhile.
  --seed N      first seed; unset: a fresh one
  --seeds N     how many seeds, one after the other (1)
  --records N   versions of observations in each run (1000)
  --faults a,b  these faults and no others; none for none
  --keep 0-4,7  these records and no others
  --first       stop at the first seed that fails
  --shrink N    runs spent on making a failing seed smaller (60); 0: none
  --trace       print what happens
  --json        print the result as one line of JSON, and nothing else
  --state FILE  where a long run is kept: stopped (Ctrl-C) or killed, the same command goes on where it was;
                from 1000 seeds on .sim/<seeds>x<records>.json unless said
  --readme      write the result into README.md when the run is done or stopped
Faults: ${FAULTS.join(', ')}`;

const EXIT_USAGE = 64;
/** From here on a run is kept. */
const LONG = 1_000;

export interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly records: number;
  readonly faults: readonly FaultName[] | null;
  readonly keep: ReadonlySet<number> | null;
  readonly first: boolean;
  readonly shrink: number;
  readonly trace: boolean;
  readonly json: boolean;
  readonly readme: boolean;
  /** Null: the run is not kept. */
  readonly state: string | null;
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

export function optionsOf(words: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const named = {
    seed: text,
    seeds: text,
    records: text,
    faults: text,
    keep: text,
    shrink: text,
    state: text,
  };
  const options = {
    ...named,
    first: flag,
    trace: flag,
    json: flag,
    readme: flag,
    help: { ...flag, short: 'h' },
  };
  try {
    const { values } = parseArgs({ args: [...words], options });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const { first, trace, json, readme } = values;
    const seeds = whole('seeds', values.seeds, 1);
    const records = whole('records', values.records, 1_000);
    return {
      seed: whole('seed', values.seed, crypto.getRandomValues(new Uint32Array(1))[0] ?? 1),
      seeds,
      records,
      faults: faultsOf(values.faults),
      keep: values.keep === undefined ? null : idsIn(values.keep),
      first,
      shrink: whole('shrink', values.shrink, 60),
      trace,
      json,
      readme,
      state: values.state ?? (seeds >= LONG && !json ? `.sim/${seeds}x${records}.json` : null),
    };
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}
