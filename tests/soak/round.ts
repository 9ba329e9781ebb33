// One round: a new bed, a market that publishes, something that happens to the pipeline so many times, and
// the judge. What goes wrong on the way is a fault of the round like any that the judge finds.

import { Bed } from './bed.ts';
import { judged, type Verdict } from './judge.ts';
import type { Part } from './sections.ts';
import type { Tally } from './tally.ts';

/** Null: it was stopped, and counts for nothing. */
export async function round(
  part: Part,
  seed: number,
  count: number,
  tally: Tally,
  stop: AbortSignal,
): Promise<Verdict | null> {
  const fromMs = performance.now();
  const bed = await Bed.open({ nodes: part.nodes, seed });
  const stopped = new Promise<null>((done) => stop.addEventListener('abort', () => done(null)));
  try {
    const verdict = await Promise.race([played(bed, part, count, tally), stopped]);
    if (verdict === null) tally.forget();
    else tally.judged(seed, part.what, verdict, performance.now() - fromMs);
    return verdict;
  } finally {
    await bed.close();
  }
}

async function played(bed: Bed, part: Part, count: number, tally: Tally): Promise<Verdict> {
  try {
    bed.publish();
    await part.run(bed, count, tally);
    return await judged(bed);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { ticks: 0, faults: [`it did not come to its end: ${said}`] };
  }
}
