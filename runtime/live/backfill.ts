// A backfill: a run of a market over days, asked for besides what is followed. It is a record on the log and
// nothing else: how far it is follows from the windows, so it goes on after any restart and is never counted
// twice.

import type { FeedSettings, States, Wanted } from '../../actors/live/plan.ts';
import { isDone, stateOf } from '../../actors/live/plan.ts';
import { daysBetween } from '../../actors/live/publication.ts';

export const BACKFILL_DAYS_MAX = 1_500;

export interface BackfillJob {
  readonly id: string;
  /** Whose memory it stands in: a connector that follows this run. */
  readonly connector: string;
  readonly market: string;
  readonly run: string;
  /** Operating days, both included. */
  readonly from: string;
  readonly to: string;
  readonly onlyMissing: boolean;
  readonly status: 'running' | 'done' | 'cancelled';
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** The windows of a job for one feed. */
export function wantedOf(job: BackfillJob, { source, calendar, nodes }: FeedSettings): Wanted {
  const days = daysBetween(calendar, job.from, job.to, BACKFILL_DAYS_MAX);
  return {
    job: job.id,
    windows: days.flatMap((day) => source.windows(day, nodes)),
    onlyMissing: job.onlyMissing,
    sinceMs: job.createdMs,
  };
}

export interface Progress {
  readonly windows: number;
  readonly done: number;
}

export function progressOf(wanted: Wanted, settings: FeedSettings, states: States, nowMs: number): Progress {
  const done = wanted.windows.filter((window) =>
    isDone(settings, stateOf(settings, states, window), window, wanted, nowMs),
  );
  return { windows: wanted.windows.length, done: done.length };
}
