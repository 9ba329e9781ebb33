// A member stands still (SIGSTOP) for longer than its session while the others take its partitions over, and
// comes back as a zombie with whatever it had in hand.

import { type Bed, SESSION_MS } from './bed.ts';
import type { Tally } from './tally.ts';

/** Workers of each process. */
const PROCESSES = [1, 1, 2];

export async function paused(bed: Bed, count: number, tally: Tally): Promise<void> {
  const others = bed.others({ pauseMs: 2 * SESSION_MS });
  await bed.feed();
  for (const workers of PROCESSES) await others.join(workers);
  for (let n = 0; n < count; n += 1) {
    await bed.progress('before a pause');
    await others.pause(() => bed.progress('while one stands still'));
    tally.happened('SIGSTOPs');
  }
  await bed.progress('after the last pause');
  await others.end();
}
