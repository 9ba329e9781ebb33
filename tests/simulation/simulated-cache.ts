// The cache of the query API as members see it: one store for all of them, small, behind a way that takes
// time in both directions. It forgets everything at times, and is away as often as the faults say; what was
// sent is carried out when it arrives, whatever became of its sender.

import { memoryCache } from '../../sinks/memory-cache.ts';
import type { Cache } from '../../sinks/sink.ts';
import type { World } from './world.ts';

export interface CacheFaults {
  readonly latencyMsMax: number;
  /** Share of calls that find it away, 0–1. */
  readonly away: () => number;
  readonly happened: () => void;
}

/** `draw`: of its own, so that a look changes nothing of a run. */
export function simulatedCache(
  world: World,
  draw: () => number,
  entriesMax: number,
  { latencyMsMax, away, happened }: CacheFaults,
): Cache {
  const store = memoryCache(entriesMax, () => world.clock.nowMs());
  const way = (): Promise<void> =>
    new Promise((done) => void world.clock.after(Math.floor(draw() * (latencyMsMax + 1)), done));
  const call = async <T>(missing: T, work: () => Promise<T>): Promise<T> => {
    await way();
    const share = away();
    const gone = share > 0 && draw() < share;
    if (gone) happened();
    const answer = gone ? missing : await work();
    await way();
    return answer;
  };
  return {
    ...store,
    get: (key) => call(null, () => store.get(key)),
    set: (key, value, ttlSeconds, mark) => call(undefined, () => store.set(key, value, ttlSeconds, mark)),
    mark: (kind) => call(null, () => store.mark(kind)),
    invalidate: (kind, touches) => call(null, () => store.invalidate(kind, touches)),
  };
}
