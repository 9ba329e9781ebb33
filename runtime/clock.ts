// The machine's clock and its timers: the only place that reads them for the runtime's decisions.

import type { Clock, Draw } from './host.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemDraw: Draw = () => Math.random();
