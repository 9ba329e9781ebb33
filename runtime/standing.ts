// Where a partition stands and what it waits for, in the words of an operator: for events, health and looks.

import type { RouterState } from '../actors/router-protocol.ts';

export interface Standing {
  /** Of its router, or `restoring`, `holding`, `waiting` while it has none. */
  readonly phase: RouterState['phase'] | 'restoring' | 'holding' | 'waiting';
  readonly waitsFor: string;
  /** When that began, as far as it is known; milliseconds. */
  readonly sinceMs: number;
}

/** A partition that a layout adds and that is not whole yet. */
export interface Hold {
  readonly cause: string;
  readonly sinceMs: number;
  /** Of the look that comes next. */
  readonly cancel: () => void;
}

/** `reading`: what its read waits for. */
export function waitsFor({ phase, work, held, attempt, draining }: RouterState, reading: string): string {
  switch (phase) {
    case 'polling':
      return reading;
    case 'folding': {
      if (work === null) return 'a batch';
      if (work.barrier !== null) return 'the state that it hands over';
      const [first] = work.waiting;
      if (first === undefined) return 'what is done with its batch outside';
      return `the answers of ${work.waiting.size} instruments, ${first} among them`;
    }
    case 'committing':
      return 'its commit';
    case 'backing-off':
      return `its next try: ${attempt} have failed`;
    case 'paused':
      return held ? 'an operator, who paused it' : 'its start';
    case 'stopped':
      return draining ? 'nothing: it has drained' : 'being taken up again';
  }
}

export function standingText({ phase, waitsFor: what, sinceMs }: Standing): string {
  return `${phase} since ${new Date(sinceMs).toISOString()}, waits for ${what}`;
}

/** Of a partition that has no router: it is held, or restored, or waits for another one that is. */
export function routerless(
  key: string,
  held: { readonly cause: string; readonly sinceMs: number } | null,
  restoring: { readonly key: string; readonly sinceMs: number } | null,
  nowMs: number,
): Standing {
  if (held !== null) return { phase: 'holding', waitsFor: held.cause, sinceMs: held.sinceMs };
  if (restoring === null) return { phase: 'waiting', waitsFor: 'its turn', sinceMs: nowMs };
  const { sinceMs } = restoring;
  if (restoring.key === key) return { phase: 'restoring', waitsFor: 'its stored state', sinceMs };
  return { phase: 'waiting', waitsFor: `${restoring.key}, which is restored`, sinceMs };
}
