// The quick part of the soak, with another seed each time: a round of every section of about a tenth of what
// `bun run test:soak` does, each judged as there.

import { describe, expect, test } from 'bun:test';
import { round } from '../soak/round.ts';
import { type Part, SECTIONS } from '../soak/sections.ts';
import { Tally } from '../soak/tally.ts';
import { kafkaMissing } from '../support/kafka.ts';
import { seedOf } from '../support/random.ts';
import { REDIS } from '../support/redis.ts';

const MINUTES = 60_000;
/** So much of the whole. */
const SHARE = 0.1;
const missing = kafkaMissing() ?? (REDIS === null ? 'redis-server not installed' : null);

async function passes(part: Part): Promise<void> {
  const seed = seedOf(`soak: ${part.what}`);
  const tally = new Tally();
  const count = Math.ceil(part.goal * SHARE);
  const verdict = await round(part, seed, count, tally, new AbortController().signal);
  expect(verdict?.faults).toEqual([]);
  expect(verdict?.ticks).toBeGreaterThan(500);
  expect(tally.reached[part.what]).toBeGreaterThanOrEqual(count);
}

for (const [section, parts] of Object.entries(SECTIONS)) {
  describe(section, () => {
    for (const part of parts) {
      const name = `${part.what}: as if nothing had happened`;
      if (missing !== null) test.skip(`${name} (${missing})`, () => {});
      else test(name, () => passes(part), 12 * MINUTES);
    }
  });
}
