// A backfill: a run of a market over days, asked for besides what is followed. It is a record on the log and
// nothing else: how far it is follows from the windows, so it goes on after any restart and is never counted
// twice.

import { DAY_MS } from '../../actors/domain/time.ts';
import type { Correction } from '../../actors/feeds/feed.ts';
import type { FeedSettings, States, Wanted } from '../../actors/live/plan.ts';
import { isAnswered, isDone, stateOf } from '../../actors/live/plan.ts';
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

/** Why nothing of it can come; null when some may. */
export function outOfReach(
  { from, to, run }: Pick<BackfillJob, 'from' | 'to' | 'run'>,
  feeds: readonly FeedSettings[],
  nowMs: number,
): string | null {
  const reasons = feeds.map(({ calendar, source }) => {
    const first = calendar.day(from);
    const last = calendar.day(to);
    if (first === null || last === null) return `there is no operating day ${first === null ? from : to}`;
    if (first.startMs > nowMs + DAY_MS) return `${from} has not come yet`;
    const oldestMs = source.oldestMs(nowMs);
    if (oldestMs === null || last.endMs > oldestMs) return null;
    return `the operator keeps ${run} from ${calendar.dayOf(oldestMs).date} on: ${to} is gone`;
  });
  return reasons.every((each) => each !== null) ? (reasons[0] ?? null) : null;
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

/** What a notice of a correction asks for: the whole day again. */
export function correctionJob(of: Correction, connector: string, nowMs: number): BackfillJob {
  const { market, run, date, issued } = of;
  return {
    id: `correction-${run}-${date}-${issued.replace(/[^0-9]/g, '')}`,
    connector,
    market,
    run,
    from: date,
    to: date,
    onlyMissing: false,
    status: 'running',
    createdMs: nowMs,
    updatedMs: nowMs,
  };
}

/** Whether anything of an operating day was ever asked for. */
export function isKnown({ source, calendar, nodes }: FeedSettings, states: States, date: string): boolean {
  const day = calendar.day(date);
  return day !== null && source.windows(day, nodes).some(({ id }) => states.has(id));
}

export interface Progress {
  readonly windows: number;
  readonly done: number;
  /** Of those done: what the operator no longer serves, or not yet, so that nothing was asked. */
  readonly outOfReach: number;
}

export function progressOf(wanted: Wanted, settings: FeedSettings, states: States, nowMs: number): Progress {
  const done = wanted.windows.filter((window) =>
    isDone(settings, stateOf(settings, states, window), window, wanted, nowMs),
  );
  const outOfReach = done.filter((window) => {
    const state = stateOf(settings, states, window);
    return !isAnswered(state, wanted) && settings.source.request(window, window, nowMs) === null;
  });
  return { windows: wanted.windows.length, done: done.length, outOfReach: outOfReach.length };
}
