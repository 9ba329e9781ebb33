// Rolling restarts of all services apart, each its own process: one after the other leaves in order and
// starts again while the market publishes.

import { SERVICES } from '../../runtime/services.ts';
import { shuffled } from '../support/random.ts';
import { Apart } from './apart.ts';
import type { Bed } from './bed.ts';
import type { Tally } from './tally.ts';

export async function rolled(bed: Bed, count: number, tally: Tally): Promise<void> {
  const roles = SERVICES.map(({ name }) => name);
  const apart = await Apart.open(bed, roles);
  await bed.feed();
  await bed.progress('from services apart');
  for (let n = 0; n < count; n += 1) {
    for (const role of shuffled(roles, bed.draw)) {
      await apart.stop(role);
      await apart.start(role);
      await bed.progress(`after ${role} came back`);
      tally.count('processes');
    }
    tally.happened('rolling restarts');
  }
  await apart.end();
}
