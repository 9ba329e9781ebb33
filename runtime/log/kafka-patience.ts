// Patience with brokers: an outage is waited for and said; what no waiting mends is thrown.

import { LogFault } from './log-fault.ts';

const WAIT_MS = 100;
const WAIT_MS_MAX = 5_000;

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
