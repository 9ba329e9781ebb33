// One seed carried out and judged, and the shrinking of one that fails: first the faults that it can do
// without, then the records, halving what is left out as long as the run still fails.

import { brokenLaws } from './checks.ts';
import type { FaultName } from './faults.ts';
import type { Wish } from './plan.ts';
import { Simulation } from './simulation.ts';

export interface Judged {
  readonly wish: Wish;
  /** Laws that do not hold, in words; empty when all do. */
  readonly broken: readonly string[];
  /** Step at which the first one was seen; of the end when it shows only there. */
  readonly step: number;
  readonly simulatedMs: number;
  readonly records: number;
  readonly injected: ReadonlyMap<FaultName, number>;
  readonly faults: readonly FaultName[];
  /** Hash over everything that happened, in order. */
  readonly hash: string;
}

export async function judge(wish: Wish, trace: (line: string) => void = () => {}): Promise<Judged> {
  const hash = new Bun.CryptoHasher('sha256');
  const run = new Simulation(wish, (line) => {
    hash.update(`${line}\n`);
    trace(line);
  });
  let broken: readonly string[];
  try {
    await run.run();
    broken = await brokenLaws(run);
  } catch (error) {
    broken = [
      `the run ended by an error: ${error instanceof Error ? (error.stack ?? error.message) : error}`,
    ];
  }
  run.world.listening.end();
  return {
    wish,
    broken,
    step: run.broken[0]?.step ?? run.world.steps,
    simulatedMs: run.simulatedMs,
    records: run.plan.sources.published.length + run.plan.sources.poison.length,
    injected: run.injected,
    faults: [...run.plan.faults.keys()],
    hash: hash.digest('hex'),
  };
}

/** At most `runsMax` runs are spent on it. */
export async function shrink(failed: Judged, runsMax: number): Promise<Judged> {
  let least = failed;
  let runs = 0;
  const fails = async (wish: Wish): Promise<boolean> => {
    runs += 1;
    const found = await judge(wish);
    if (found.broken.length === 0) return false;
    least = found;
    return true;
  };
  for (const fault of failed.faults) {
    if (runs >= runsMax / 2) break;
    await fails({ ...least.wish, faults: least.faults.filter((each) => each !== fault) });
  }
  for (let parts = 2; runs < runsMax; ) {
    const ids = idsOf(least.wish);
    if (ids.length < 2) break;
    const size = Math.ceil(ids.length / parts);
    let less = false;
    for (let at = 0; at < ids.length && runs < runsMax && !less; at += size) {
      const keep = new Set([...ids.slice(0, at), ...ids.slice(at + size)]);
      less = await fails({ ...least.wish, keep });
    }
    if (less) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(ids.length, parts * 2);
  }
  return least;
}

function idsOf(wish: Wish): number[] {
  const { published, poison } = new Simulation(wish).plan.sources;
  return [...published, ...poison].map(({ id }) => id);
}

/** Such as `0-4,7`. */
export function ranges(ids: Iterable<number>): string {
  const out: [number, number][] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const last = out[out.length - 1];
    if (last !== undefined && last[1] === id - 1) last[1] = id;
    else out.push([id, id]);
  }
  return out.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

export function idsIn(text: string): Set<number> {
  const ids = new Set<number>();
  for (const part of text.split(',').filter((each) => each !== '')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let id = from; id <= to; id += 1) ids.add(id);
  }
  return ids;
}

/** The command that carries out a wish again. */
export function commandOf({ seed, records, faults, keep }: Wish): string {
  const words = [`bun run sim --seed ${seed} --records ${records}`];
  if (faults !== null) words.push(`--faults ${faults.join() || 'none'}`);
  if (keep !== null) words.push(`--keep ${ranges(keep)}`);
  return words.join(' ');
}
