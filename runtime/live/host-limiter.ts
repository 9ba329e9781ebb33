// One request per interval and host, over every process of the machine: a grant is a cell of a grid in time
// (actors/live/bucket.ts), claimed by making a file of its number that only one can make. Nothing is locked,
// so a process that dies holds nobody up. A host that throttled us is left alone by all until a time that
// stands in a file beside.

import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { firstCell, grantAt } from '../../actors/live/bucket.ts';
import type { Clock } from '../host.ts';

export interface Limiter {
  /** Resolves when a request to the host may leave, now. Rejects when the signal aborts. */
  turn(host: string, intervalMs: number, signal: AbortSignal): Promise<void>;
  /** Nobody asks the host before. */
  hold(host: string, untilMs: number): void;
}

const KEPT_CELLS = 8;
const HOLD = 'hold';

export function hostLimiter(dir: string, clock: Clock): Limiter {
  const dirOf = (host: string): string => {
    const path = join(dir, host.replace(/[^a-zA-Z0-9.-]/g, '_'));
    mkdirSync(path, { recursive: true, mode: 0o777 });
    return path;
  };
  return {
    async turn(host, intervalMs, signal) {
      const path = dirOf(host);
      let cell = firstCell(clock.nowMs(), intervalMs);
      for (;;) {
        signal.throwIfAborted();
        cell = Math.max(cell, firstCell(Math.max(clock.nowMs(), heldUntil(path)), intervalMs));
        if (!claim(path, cell)) {
          cell += 1;
          continue;
        }
        await pause(clock, grantAt(cell, intervalMs).startMs - clock.nowMs(), signal);
        // Woken too late, or the host was held meanwhile: the cell is lost.
        const nowMs = clock.nowMs();
        if (nowMs < grantAt(cell, intervalMs).endMs && heldUntil(path) <= nowMs) return;
      }
    },
    hold(host, untilMs) {
      const path = dirOf(host);
      if (heldUntil(path) >= untilMs) return;
      const fresh = join(path, `${HOLD}.${process.pid}`);
      writeFileSync(fresh, String(untilMs));
      renameSync(fresh, join(path, HOLD));
    },
  };
}

function heldUntil(path: string): number {
  try {
    const ms = Number(readFileSync(join(path, HOLD), 'utf8'));
    return Number.isFinite(ms) ? ms : 0;
  } catch {
    return 0;
  }
}

/** Whether the cell is ours: the file was not there. Old claims are taken away. */
function claim(path: string, cell: number): boolean {
  try {
    closeSync(openSync(join(path, `cell-${cell}`), 'wx', 0o666));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
  for (const name of readdirSync(path)) {
    const old = Number(/^cell-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (old < cell - KEPT_CELLS) rmSync(join(path, name), { force: true });
  }
  return true;
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
