// One request per interval and host, over every process of the machine: a grant is a cell of a grid in time
// (actors/live/bucket.ts), claimed by making a file of its number that only one can make. Nothing is locked,
// so a process that dies holds up no more than the cells that it had claimed. A host that throttled us is
// left alone by all until a time that stands in a file beside.
//
// The time is the machine's own, which nobody sets, so a wall clock that jumps brings no two requests closer.

import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstCell, grantAt } from '../../actors/live/bucket.ts';
import { machineClock, machineStart } from '../clock.ts';
import type { Clock } from '../host.ts';

export interface Limiter {
  /**
   * Resolves when a request to the host may leave, now. Rejects when the signal aborts, and with LimiterFault
   * when the claims cannot be kept.
   */
  turn(host: string, intervalMs: number, signal: AbortSignal): Promise<void>;
  /** Nobody asks the host for so long, at most an hour. Throws LimiterFault. */
  hold(host: string, waitMs: number): void;
}

/** The pace cannot be agreed on, so nothing is asked. */
export class LimiterFault extends Error {
  override readonly name = 'LimiterFault';
}

const KEPT_CELLS = 8;
const HOLD = 'hold';
const HOLD_MS_MAX = 3_600_000;
/** Any user of the machine may claim. */
const OPEN = 0o777;

/** Shared by every process of this machine, whatever its data directory, since the machine started. */
export function machineLimiter(): Limiter {
  return hostLimiter(join(tmpdir(), `carbon-ingestion-turns-${machineStart().slice(0, 8)}`), machineClock);
}

export function hostLimiter(dir: string, clock: Clock): Limiter {
  const dirOf = (host: string): string => {
    makeOpen(dir);
    const path = join(dir, host.replace(/[^a-zA-Z0-9.-]/g, '_'));
    makeOpen(path);
    return path;
  };
  return {
    async turn(host, intervalMs, signal) {
      const path = keeping(dir, () => dirOf(host));
      let cell = firstCell(clock.nowMs(), intervalMs);
      for (;;) {
        signal.throwIfAborted();
        const nowMs = clock.nowMs();
        cell = Math.max(cell, firstCell(Math.max(nowMs, heldUntil(path, nowMs)), intervalMs));
        if (!keeping(path, () => claim(path, cell, firstCell(nowMs, intervalMs)))) {
          cell += 1;
          continue;
        }
        await pause(clock, grantAt(cell, intervalMs).startMs - nowMs, signal).catch((error: unknown) => {
          // Whoever stops gives its place back.
          rmSync(join(path, `cell-${cell}`), { force: true });
          throw error;
        });
        // Woken too late, or the host was held meanwhile: the cell is lost.
        const thenMs = clock.nowMs();
        if (thenMs < grantAt(cell, intervalMs).endMs && heldUntil(path, thenMs) <= thenMs) return;
      }
    },
    hold(host, waitMs) {
      const nowMs = clock.nowMs();
      keeping(dir, () => {
        const path = dirOf(host);
        const untilMs = nowMs + Math.min(waitMs, HOLD_MS_MAX);
        if (heldUntil(path, nowMs) >= untilMs) return;
        const fresh = join(path, `${HOLD}.${process.pid}`);
        writeFileSync(fresh, String(untilMs));
        renameSync(fresh, join(path, HOLD));
      });
    },
  };
}

function keeping<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new LimiterFault(
      `nothing is asked: the turns of this machine's processes cannot be kept in ${path} (${code}); make ` +
        'it writable for this user, or point TMPDIR elsewhere for all of them',
    );
  }
}

/** A directory that every user may write to, whatever the umask. */
function makeOpen(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: OPEN }) !== undefined) chmodSync(path, OPEN);
}

/** 0: it is not held. What is further away than a hold can be was written by another clock. */
function heldUntil(path: string, nowMs: number): number {
  try {
    const ms = Number(readFileSync(join(path, HOLD), 'utf8'));
    return ms <= nowMs + HOLD_MS_MAX ? ms : 0;
  } catch {
    return 0;
  }
}

/** Whether the cell is ours: the file was not there. Claims of long before `current` are taken away. */
function claim(path: string, cell: number, current: number): boolean {
  try {
    closeSync(openSync(join(path, `cell-${cell}`), 'wx', 0o666));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
  for (const name of readdirSync(path)) {
    const old = Number(/^cell-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (old < current - KEPT_CELLS) rmSync(join(path, name), { force: true });
  }
  return true;
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
