// Patience with brokers: an outage is waited for and said; what no waiting mends is thrown.

import type { KafkaCluster } from './kafka-cluster.ts';
import { errorType } from './kafka-fault.ts';
import { LogFault } from './log-fault.ts';

const WAIT_MS = 100;
const WAIT_MS_MAX = 5_000;
const PASSING_MS = 5;
const PASSING_MS_MAX = 100;
const PASSES_MS_MAX = 20_000;
/** A coordinator is ending what went before: it is the right one. */
export const BUSY: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS']);

/** Tried again until it succeeds. Throws what no waiting mends, and after `boundMs` anything. */
export async function patiently<T>(
  work: () => Promise<T>,
  boundMs: number,
  note: (cause: string) => void,
): Promise<T> {
  const deadline = performance.now() + boundMs;
  for (let waitMs = WAIT_MS; ; waitMs = Math.min(WAIT_MS_MAX, waitMs * 2)) {
    try {
      return await work();
    } catch (error) {
      const helps = error instanceof LogFault && error.retryable;
      if (!helps || performance.now() + waitMs > deadline) throw error;
      note(error.message);
      await Bun.sleep(waitMs);
    }
  }
}

/** Tried again while the brokers refuse it for a reason that passes soon; anything else is thrown. */
export async function whilePassing<T>(
  passing: ReadonlySet<string>,
  cluster: KafkaCluster,
  ask: () => Promise<T>,
): Promise<T> {
  let deadline = Number.POSITIVE_INFINITY;
  for (let waitMs = PASSING_MS; ; waitMs = Math.min(PASSING_MS_MAX, waitMs * 1.5)) {
    try {
      return await ask();
    } catch (error) {
      const type = errorType(error);
      if (!passing.has(type) || performance.now() > deadline) throw error;
      // From the first refusal on: the question itself may take its time.
      deadline = Math.min(deadline, performance.now() + PASSES_MS_MAX);
      if (!BUSY.has(type)) cluster.stale();
      await Bun.sleep(waitMs);
    }
  }
}
