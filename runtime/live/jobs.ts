// The backfills of this process's connectors: begun, cancelled, found to be over, all of it on the log before
// it counts. What a job still wants is told to its feeds; how far it is follows from their windows.

import type { Correction } from '../../actors/feeds/feed.ts';
import type { FeedSettings } from '../../actors/live/plan.ts';
import type { Intake } from '../intake.ts';
import type { StateChange } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import type { BackfillWish } from '../views.ts';
import { type BackfillJob, correctionJob, isKnown, type Progress, progressOf, wantedOf } from './backfill.ts';
import type { LiveFeed } from './live-feed.ts';
import { jobChange } from './store.ts';

const FINISHED_JOBS_KEPT = 100;

export interface JobsPorts {
  readonly intake: Pick<Intake, 'log' | 'clock'>;
  readonly feeds: () => readonly LiveFeed[];
  readonly event: (actor: string, cause: string, decision: string) => void;
}

export class Jobs {
  readonly #ports: JobsPorts;
  #jobs: readonly BackfillJob[] = [];
  readonly #finishing = new Set<string>();

  constructor(ports: JobsPorts) {
    this.#ports = ports;
  }

  /** Takes over what the log remembers of a connector; nothing, once another process has it. */
  restore(connector: string, jobs: readonly BackfillJob[]): void {
    const others = this.#jobs.filter((each) => each.connector !== connector);
    this.#jobs = [...others, ...jobs].sort((a, b) => a.createdMs - b.createdMs);
  }

  /** Those that are under way may have been over when the process ended. */
  look(connector: string): void {
    for (const job of this.#jobs) {
      if (job.connector === connector && job.status === 'running') this.#finish(job);
    }
  }

  get all(): readonly BackfillJob[] {
    return this.#jobs;
  }

  /** Under way, of the run that a feed follows. */
  running({ market, source }: FeedSettings): readonly BackfillJob[] {
    return this.#jobs.filter(
      (job) => job.status === 'running' && job.market === market.market && job.run === source.run,
    );
  }

  feedsOf({ market, run }: Pick<BackfillJob, 'market' | 'run'>): readonly LiveFeed[] {
    return this.#ports
      .feeds()
      .filter(({ settings }) => settings.market.market === market && settings.source.run === run);
  }

  progress(job: BackfillJob): Progress {
    const nowMs = this.#ports.intake.clock.nowMs();
    const all = this.feedsOf(job).map((feed) =>
      progressOf(wantedOf(job, feed.settings), feed.settings, feed.state.windows, nowMs),
    );
    const sum = (of: keyof Progress): number => all.reduce((total, each) => total + each[of], 0);
    return { windows: sum('windows'), done: sum('done'), outOfReach: sum('outOfReach') };
  }

  /** `beside` is remembered with the job, both or neither. */
  async begin(
    wish: BackfillWish,
    { connector }: LiveFeed,
    beside: readonly StateChange[],
  ): Promise<BackfillJob> {
    const nowMs = this.#ports.intake.clock.nowMs();
    const id = crypto.randomUUID();
    const times = { createdMs: nowMs, updatedMs: nowMs };
    const job: BackfillJob = { ...wish, id, connector, status: 'running', ...times };
    await this.#keep(job, beside);
    this.#event(job, `started as ${id}`);
    // All of it may be there already.
    this.#finish(job);
    return job;
  }

  /** Null: there is no such job. One that is over stays as it is. */
  async cancel(id: string): Promise<BackfillJob | null> {
    const job = this.#jobs.find((each) => each.id === id);
    if (job === undefined || job.status !== 'running') return job ?? null;
    const cancelled = await this.#keep({ ...job, status: 'cancelled' });
    this.#event(job, `cancelled: ${id}`);
    return cancelled;
  }

  /** A backfill for each run and day that was priced anew, of those that are on the log. */
  async correct(
    connector: string,
    found: readonly Correction[],
    changes: readonly StateChange[],
  ): Promise<void> {
    const { log, clock } = this.#ports.intake;
    const jobs = found
      .filter((each) =>
        this.feedsOf(each).some((feed) => isKnown(feed.settings, feed.state.windows, each.date)),
      )
      .map((each) => correctionJob(each, connector, clock.nowMs()));
    await log.append(writerOf(connector), [], [...changes, ...jobs.map(jobChange)]);
    this.#jobs = [...this.#jobs, ...jobs];
    for (const feed of jobs.flatMap((job) => this.feedsOf(job))) this.#tellWanted(feed);
  }

  /** A feed has had an answer: a job is over with its last window. */
  answered(feed: LiveFeed): void {
    for (const job of this.running(feed.settings)) this.#finish(job);
  }

  async #keep(job: BackfillJob, besides: readonly StateChange[] = []): Promise<BackfillJob> {
    const { log, clock } = this.#ports.intake;
    const kept = { ...job, updatedMs: clock.nowMs() };
    const others = this.#jobs.filter((each) => each.id !== job.id);
    const beside = others.filter((each) => each.connector === job.connector);
    const over = beside.filter((each) => each.status !== 'running').slice(0, -FINISHED_JOBS_KEPT);
    const gone = over.map(({ id }) => ({ key: `backfill:${id}`, value: null }));
    await log.append(writerOf(job.connector), [], [jobChange(kept), ...gone, ...besides]);
    this.#jobs = [...this.#jobs.filter((each) => each.id !== job.id && !over.includes(each)), kept];
    for (const feed of this.feedsOf(job)) this.#tellWanted(feed);
    return kept;
  }

  #tellWanted(feed: LiveFeed): void {
    const wanted = this.running(feed.settings).map((job) => wantedOf(job, feed.settings));
    feed.tell({ kind: 'wanted', wanted, nowMs: this.#ports.intake.clock.nowMs() });
  }

  /** Found out again after the next answer or start. */
  #finish(job: BackfillJob): void {
    const { windows, done } = this.progress(job);
    if (done < windows || this.#finishing.has(job.id)) return;
    this.#finishing.add(job.id);
    this.#keep({ ...job, status: 'done' })
      .then(
        () => this.#event(job, `done: ${job.id}`),
        (error: unknown) =>
          this.#ports.event(`${job.market}:${job.run}`, String(error), 'backfill not noted as done'),
      )
      .finally(() => this.#finishing.delete(job.id));
  }

  #event({ market, run, from, to }: BackfillJob, decision: string): void {
    this.#ports.event(`${market}:${run}`, `backfill ${from} to ${to}`, decision);
  }
}
