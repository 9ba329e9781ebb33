// Work that is done again and again by the clock: one round at a time, the next a period after the last has
// ended, and none once it is stopped. What a round does about failures is its own.

import type { Clock } from './host.ts';

/**
 * The first round is `firstMs` away, or a period. The returned function stops: a round under way ends, and is
 * the last.
 */
export function repeating(
  clock: Clock,
  periodMs: number,
  round: () => unknown,
  firstMs = periodMs,
): () => void {
  let stopped = false;
  let cancel = (): void => {};
  const next = (): void => {
    if (!stopped) cancel = clock.after(periodMs, go);
  };
  const go = (): void => {
    const ended = round();
    // At once where there is nothing to wait for.
    if (ended instanceof Promise) void ended.then(next);
    else next();
  };
  cancel = clock.after(firstMs, go);
  return () => {
    stopped = true;
    cancel();
  };
}
