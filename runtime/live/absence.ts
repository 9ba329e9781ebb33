// Whether a feed was away for so long that it missed something. It is found out with the first good answer
// after it and put on the log together with that answer, and stays there until what was missed is a backfill,
// so that no stop in between forgets it.

import { lastGoodMs, missedWindows, spanOf } from '../../actors/live/catch-up.ts';
import type { AppendEffect } from '../../actors/live/feed-actor.ts';
import type { FeedSettings, States, WindowState } from '../../actors/live/plan.ts';
import { isGood, type Run } from '../../actors/live/run.ts';
import type { Log, StateChange } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import type { BackfillWish } from '../views.ts';
import { BACKFILL_DAYS_MAX, type BackfillJob } from './backfill.ts';
import type { LiveFeed } from './live-feed.ts';
import { absenceChange, readAbsence, type Stored } from './store.ts';

export class Absence {
  readonly #settings: FeedSettings;
  #goodMs = 0;
  #sinceMs: number | null = null;

  constructor(settings: FeedSettings) {
    this.#settings = settings;
  }

  restore(stored: Stored, key: string, windows: Iterable<WindowState>): void {
    this.#goodMs = lastGoodMs(windows);
    this.#sinceMs = readAbsence(stored, key);
  }

  /** The last good answer before it; null: there was none, or it is made up for. */
  get sinceMs(): number | null {
    return this.#sinceMs;
  }

  /** What is to be remembered with an answer: since when its feed was away, if it was. */
  endedBy({ run, windowId, window }: AppendEffect, states: States, nowMs: number): number | null {
    if (run === null || !isGood(run)) return null;
    const after = new Map(states).set(windowId, window);
    if (this.#sinceMs === null && this.#goodMs > 0) {
      const missed = missedWindows(this.#settings, after, this.#goodMs, nowMs, BACKFILL_DAYS_MAX);
      if (missed.length > 0) this.#sinceMs = this.#goodMs;
    }
    return this.#sinceMs;
  }

  answered(run: Run): void {
    if (isGood(run)) this.#goodMs = run.endedMs;
  }

  over(): void {
    this.#sinceMs = null;
  }
}

export interface CatchUpPorts {
  readonly log: Pick<Log, 'append'>;
  readonly nowMs: () => number;
  readonly running: (settings: FeedSettings) => readonly BackfillJob[];
  /** Keeps a job, and what is beside it, both or neither. */
  readonly begin: (wish: BackfillWish, feed: LiveFeed, beside: readonly StateChange[]) => Promise<unknown>;
  readonly event: (actor: string, cause: string, decision: string) => void;
}

/** Makes a backfill of what feeds missed. */
export class CatchUp {
  readonly #ports: CatchUpPorts;
  readonly #busy = new Set<LiveFeed>();

  constructor(ports: CatchUpPorts) {
    this.#ports = ports;
  }

  /** A try that fails is made again with the next good answer, and at the next start. */
  look(feed: LiveFeed): void {
    const { settings, state, absence } = feed;
    const { sinceMs } = absence;
    if (sinceMs === null || this.#busy.has(feed)) return;
    const { event, nowMs } = this.#ports;
    const missed = missedWindows(settings, state.windows, sinceMs, nowMs(), BACKFILL_DAYS_MAX);
    const { market } = settings.market;
    const { run } = settings.source;
    const actor = `${market}:${run}`;
    if (missed.length > 0) {
      const since = new Date(sinceMs).toISOString();
      event(actor, `no good answer since ${since}`, `${missed.length} windows are backfilled`);
    }
    this.#busy.add(feed);
    this.#keep(feed, { market, run, ...spanOf(missed), onlyMissing: true }, missed.length > 0)
      .then(
        () => absence.over(),
        (error: unknown) => event(actor, String(error), 'the backfill is started after the next answer'),
      )
      .finally(() => this.#busy.delete(feed));
  }

  async #keep(feed: LiveFeed, wish: BackfillWish, isMissed: boolean): Promise<void> {
    const over = absenceChange(feed.key, null);
    const jobs = this.#ports.running(feed.settings);
    const isAsked = jobs.some((job) => job.from <= wish.from && job.to >= wish.to);
    if (isMissed && !isAsked) await this.#ports.begin(wish, feed, [over]);
    else await this.#ports.log.append(writerOf(feed.connector), [], [over]);
  }
}
