// The quick part of the soak, with another seed each time: about a tenth of what `bun run test:soak` does,
// judged as there. What does not need servers of its own happens on one bed, one thing after the other.
// A file a bed, `tests/integration/soak-*.test.ts`, so that two of them run at a time.

import { describe, expect, test } from 'bun:test';
import { kafkaMissing } from '../support/kafka.ts';
import { seedOf } from '../support/random.ts';
import { REDIS } from '../support/redis.ts';
import { round } from './round.ts';
import type { Part } from './sections.ts';
import { Tally } from './tally.ts';

const MINUTES = 60_000;
const SHARE = 0.1;
/** Of things that the soak does ten times and more. */
const GOAL_MIN = 10;
const missing =
  kafkaMissing() ?? (REDIS === null ? 'redis-server not installed: Redis is killed here' : null);

const quick = (parts: readonly Part[]): readonly Part[] =>
  parts
    .filter(({ goal }) => goal >= GOAL_MIN)
    .map((each) => ({ ...each, goal: Math.ceil(each.goal * SHARE) }));

/** One part after the other on the same bed. */
function merged(parts: readonly Part[]): Part {
  return {
    what: parts.map(({ what, goal }) => `${goal} ${what}`).join(', '),
    goal: 1,
    round: 1,
    nodes: parts[0]?.nodes ?? 1,
    run: async (bed, _, tally) => {
      for (const { run, what, goal } of parts) {
        const fromMs = performance.now();
        await run(bed, goal, tally);
        console.log(`${what}: ${Math.round((performance.now() - fromMs) / 1_000)} s`);
      }
    },
  };
}

async function passes(part: Part, parts: readonly Part[]): Promise<void> {
  const seed = seedOf('soak');
  const tally = new Tally();
  const verdict = await round(part, seed, 1, tally, new AbortController().signal);
  console.log(`${verdict?.ticks} ticks, ${JSON.stringify({ ...tally.reached, ...tally.told })}`);
  expect(verdict?.faults).toEqual([]);
  expect(verdict?.ticks).toBeGreaterThan(500);
  for (const { what, goal } of parts) expect(tally.reached[what]).toBeGreaterThanOrEqual(goal);
}

/** The tenth of these parts, on one bed. */
export function quickSoak(parts: readonly Part[]): void {
  const few = quick(parts);
  const part = merged(few);
  describe('as if nothing had happened, after', () => {
    if (missing !== null) test.skip(`${part.what} (${missing})`, () => {});
    else test(part.what, () => passes(part, few), 20 * MINUTES);
  });
}
