// Both hosts, one suite.

import { nactHost } from '../../runtime/actor-system.ts';
import { seededHost } from '../simulation/seeded-host.ts';
import { hostConformance } from './host.ts';

hostConformance({
  name: 'nact',
  open: () => ({
    host: nactHost(),
    settle: async () => {
      for (let turn = 0; turn < 200; turn += 1) await new Promise((done) => setImmediate(done));
    },
  }),
});

for (const seed of [1, 42]) {
  hostConformance({
    name: `seeded ${seed}`,
    open: () => {
      const host = seededHost(seed);
      return { host, settle: async () => void host.settle(100_000) };
    },
  });
}
