// The machine's clock and its timers: the only place that reads them for the runtime's decisions.

import { readFileSync } from 'node:fs';
import type { Clock, Draw } from './host.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

const UPTIME = '/proc/uptime';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * Time since the machine started: the same in every process of it, and never set. To 10 ms; where the system
 * does not tell it, the wall clock.
 */
export const machineClock: Clock = {
  nowMs: uptimeMs() === null ? Date.now : sinceStart,
  after: systemClock.after,
};

function sinceStart(): number {
  const ms = uptimeMs();
  if (ms === null) throw new Error(`${UPTIME} can no longer be read`);
  return ms;
}

function uptimeMs(): number | null {
  const [seconds] = (textOf(UPTIME) ?? '').split(' ');
  return seconds === undefined || seconds === '' ? null : Math.round(Number(seconds) * 1_000);
}

/** Of this start of the machine: what `machineClock` counts from. Empty where it is the wall clock. */
export function machineStart(): string {
  return uptimeMs() === null ? '' : (textOf(BOOT_ID) ?? '').trim();
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

export const systemDraw: Draw = () => Math.random();
