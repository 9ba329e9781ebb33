// The simulated log, held to the suite of the port, without and with offsets that markers take.

import { systemClock } from '../../runtime/clock.ts';
import { seededDraw } from '../simulation/seeded-host.ts';
import { CALM_LOG, SimulatedLog } from '../simulation/simulated-log.ts';
import { SimulatedStore, VALUE_BYTES_MAX } from '../simulation/simulated-store.ts';
import { Listening } from '../simulation/world.ts';
import { logConformance } from './log.ts';

for (const markers of [0, 1]) {
  logConformance({
    name: `simulated, ${markers} markers`,
    async open() {
      let offsetMs = 0;
      const world = {
        store: new SimulatedStore(markers),
        clock: { ...systemClock, nowMs: () => 1_700_000_000_000 + offsetMs },
        draw: seededDraw(markers),
        faults: () => CALM_LOG,
        waiters: new Set<never>(),
        listening: new Listening(),
      };
      let log = new SimulatedLog(world);
      return {
        log,
        async reopen() {
          await log.close();
          log = new SimulatedLog(world);
          return log;
        },
        async advance(ms) {
          offsetMs += ms;
        },
        dispose: () => log.close(),
      };
    },
    valueBytes: 900_000,
    valueBytesOver: VALUE_BYTES_MAX + 1,
    markers,
    timeoutMs: 20_000,
  });
}
