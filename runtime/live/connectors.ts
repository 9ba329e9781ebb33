// The connectors that CONNECTORS names: each an actor with its feeds below it. Switched off and on with a
// reason that is remembered, asked to look now, told of backfills; all of it live, on the log and an event.

import type { MarketSpec } from '../../actors/domain/market.ts';
import type { Correction } from '../../actors/feeds/feed.ts';
import type { FeedSettings } from '../../actors/live/plan.ts';
import { isGood, type Run } from '../../actors/live/run.ts';
import { type Address, branch } from '../host.ts';
import type { Feeding, Intake } from '../intake.ts';
import type { StateChange } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import type { BackfillWish } from '../views.ts';
import { CatchUp } from './absence.ts';
import { type BackfillJob, correctionJob, isKnown, type Progress, progressOf, wantedOf } from './backfill.ts';
import { Corrections } from './corrections.ts';
import { LiveFeed } from './live-feed.ts';
import type { RequestParts } from './request.ts';
import type { ConnectorPlan, NoticePlan } from './settings.ts';
import { jobChange, lifeChange, readJobs, readSwitch, type Switch, switchChange } from './store.ts';

export interface ConnectorsParts {
  readonly intake: Intake;
  readonly requests: Omit<RequestParts, 'connector' | 'requested'>;
  readonly plans: readonly ConnectorPlan[];
  readonly requested: (market: string, endpoint: string, seconds: number) => void;
  /** A window or a list of corrections was asked for, and its answer is on the log. */
  readonly ran: (market: string, run: Run) => void;
}

export interface Connector {
  readonly plan: ConnectorPlan;
  readonly feeds: readonly LiveFeed[];
  readonly corrections: readonly Corrections[];
  state: Switch;
}

const FINISHED_JOBS_KEPT = 100;

export class Connectors {
  readonly #parts: ConnectorsParts;
  readonly #connectors = new Map<string, Connector>();
  #jobs: readonly BackfillJob[] = [];
  #started = false;
  readonly #finishing = new Set<string>();
  readonly #catchUp: CatchUp;

  constructor(parts: ConnectorsParts) {
    this.#parts = parts;
    const { host, parent, log, clock } = parts.intake;
    this.#catchUp = new CatchUp({
      log,
      nowMs: () => clock.nowMs(),
      running: (settings) => this.#running(settings),
      begin: (wish, feed, beside) => this.#begin(wish, feed, beside),
      event: (actor, cause, decision) => this.#event(actor, cause, decision),
    });
    for (const plan of parts.plans) {
      const above: Address<never> = host.spawn({ ...branch, name: plan.name, parent });
      const feeds = plan.feeds.map((feed) => this.#feed(plan, feed, above));
      const corrections = (plan.notices ?? []).map((each) => this.#corrections(plan, each));
      const state = { enabled: plan.enabled, reason: null, sinceMs: parts.intake.clock.nowMs() };
      this.#connectors.set(plan.name, { plan, feeds, corrections, state });
    }
  }

  /** Reads what the log remembers of each, and every feed begins. */
  async start(): Promise<void> {
    const { log, clock } = this.#parts.intake;
    const jobs: BackfillJob[] = [];
    for (const connector of this.#connectors.values()) {
      const writer = writerOf(connector.plan.name);
      // Who asks and then writes is the writer: what an earlier process had under way is over.
      await log.writerState(writer);
      await log.append(writer, [], [lifeChange(clock.nowMs())]);
      const stored = await log.writerState(writer);
      jobs.push(...readJobs(stored));
      connector.state = readSwitch(stored, connector.plan.name) ?? connector.state;
    }
    this.#jobs = jobs.sort((a, b) => a.createdMs - b.createdMs);
    for (const feed of this.#feeds()) await feed.start();
    for (const each of this.all.flatMap(({ corrections }) => corrections)) await each.start();
    for (const job of jobs) if (job.status === 'running') this.#finish(job);
    for (const feed of this.#feeds()) this.#catchUp.look(feed);
    this.#started = true;
  }

  get started(): boolean {
    return this.#started;
  }

  get all(): readonly Connector[] {
    return [...this.#connectors.values()];
  }

  get markets(): readonly MarketSpec[] {
    return this.all.map(({ plan }) => plan.market);
  }

  find(name: string): Connector | null {
    return this.#connectors.get(name) ?? null;
  }

  /** For the tree of actors, and the drain. */
  feedings(): readonly Feeding[] {
    return [...this.#feeds(), ...this.all.flatMap(({ corrections }) => corrections)];
  }

  /** Remembered before it acts. What is in flight finishes. */
  async turn(connector: Connector, enabled: boolean, reason: string | null): Promise<void> {
    const { log, clock } = this.#parts.intake;
    const nowMs = clock.nowMs();
    const state = { enabled, reason, sinceMs: nowMs };
    await log.append(writerOf(connector.plan.name), [], [switchChange(connector.plan.name, state)]);
    connector.state = state;
    for (const feed of connector.feeds) {
      if (enabled) feed.revive();
      feed.tell({ kind: 'enabled', enabled, nowMs });
    }
    if (enabled) for (const each of connector.corrections) each.wake();
    this.#event(connector.plan.name, reason ?? 'asked for', enabled ? 'enabled' : 'disabled');
  }

  /** False: it is disabled. */
  fetchNow({ plan, feeds, corrections, state }: Connector): boolean {
    if (!state.enabled) return false;
    const nowMs = this.#parts.intake.clock.nowMs();
    for (const feed of feeds) feed.tell({ kind: 'fetch-now', nowMs });
    for (const each of corrections) each.fetchNow();
    this.#event(plan.name, 'asked for', 'every feed looks now');
    return true;
  }

  jobs(): readonly BackfillJob[] {
    return this.#jobs;
  }

  progress(job: BackfillJob): Progress {
    const nowMs = this.#parts.intake.clock.nowMs();
    const all = this.feedsOf(job).map((feed) =>
      progressOf(wantedOf(job, feed.settings), feed.settings, feed.state.windows, nowMs),
    );
    const sum = (of: keyof Progress): number => all.reduce((total, each) => total + each[of], 0);
    return { windows: sum('windows'), done: sum('done'), outOfReach: sum('outOfReach') };
  }

  /** Null: no feed of a connector here follows such a run. */
  async backfill(wish: BackfillWish): Promise<BackfillJob | null> {
    const [feed] = this.feedsOf(wish);
    return feed === undefined ? null : await this.#begin(wish, feed, []);
  }

  /** `beside` is remembered with the job, both or neither. */
  async #begin(
    wish: BackfillWish,
    { connector }: LiveFeed,
    beside: readonly StateChange[],
  ): Promise<BackfillJob> {
    const nowMs = this.#parts.intake.clock.nowMs();
    const id = crypto.randomUUID();
    const times = { createdMs: nowMs, updatedMs: nowMs };
    const job: BackfillJob = { ...wish, id, connector, status: 'running', ...times };
    await this.#keep(job, beside);
    this.#event(`${wish.market}:${wish.run}`, `backfill ${wish.from} to ${wish.to}`, `started as ${id}`);
    // All of it may be there already.
    this.#finish(job);
    return job;
  }

  /** Null: there is no such job. One that is over stays as it is. */
  async cancel(id: string): Promise<BackfillJob | null> {
    const job = this.#jobs.find((each) => each.id === id);
    if (job === undefined || job.status !== 'running') return job ?? null;
    const cancelled = await this.#keep({ ...job, status: 'cancelled' });
    this.#event(`${job.market}:${job.run}`, `backfill ${job.from} to ${job.to}`, `cancelled: ${id}`);
    return cancelled;
  }

  /** What everything that asks for a connector is made of. */
  #common(plan: ConnectorPlan) {
    const { intake, requests, requested } = this.#parts;
    return {
      intake,
      requests: {
        ...requests,
        requested: (endpoint: string, seconds: number) => requested(plan.market.market, endpoint, seconds),
      },
      connector: plan,
      enabled: () => this.find(plan.name)?.state.enabled ?? plan.enabled,
    };
  }

  #corrections(plan: ConnectorPlan, of: NoticePlan): Corrections {
    const apply = (found: readonly Correction[], changes: readonly StateChange[]) =>
      this.#correct(plan.name, found, changes);
    const ran = (run: Run): void => this.#parts.ran(plan.market.market, run);
    return new Corrections({ ...this.#common(plan), plan: of, ran, apply });
  }

  /** A backfill for each run and day that was priced anew, of those that are on the log. */
  async #correct(
    connector: string,
    found: readonly Correction[],
    changes: readonly StateChange[],
  ): Promise<void> {
    const { log, clock } = this.#parts.intake;
    const jobs = found
      .filter((each) =>
        this.feedsOf(each).some((feed) => isKnown(feed.settings, feed.state.windows, each.date)),
      )
      .map((each) => correctionJob(each, connector, clock.nowMs()));
    await log.append(writerOf(connector), [], [...changes, ...jobs.map(jobChange)]);
    this.#jobs = [...this.#jobs, ...jobs];
    for (const feed of jobs.flatMap((job) => this.feedsOf(job))) this.#tellWanted(feed);
  }

  async #keep(job: BackfillJob, besides: readonly StateChange[] = []): Promise<BackfillJob> {
    const { log, clock } = this.#parts.intake;
    const kept = { ...job, updatedMs: clock.nowMs() };
    const others = this.#jobs.filter((each) => each.id !== job.id);
    const beside = others.filter((each) => each.connector === job.connector);
    const over = beside.filter((each) => each.status !== 'running').slice(0, -FINISHED_JOBS_KEPT);
    const gone = over.map(({ id }) => ({ key: `backfill:${id}`, value: null }));
    await log.append(writerOf(job.connector), [], [jobChange(kept), ...gone, ...besides]);
    this.#jobs = [...others.filter((each) => !over.includes(each)), kept];
    for (const feed of this.feedsOf(job)) this.#tellWanted(feed);
    return kept;
  }

  #tellWanted(feed: LiveFeed): void {
    const wanted = this.#running(feed.settings).map((job) => wantedOf(job, feed.settings));
    feed.tell({ kind: 'wanted', wanted, nowMs: this.#parts.intake.clock.nowMs() });
  }

  #running({ market, source }: FeedSettings): readonly BackfillJob[] {
    return this.#jobs.filter(
      (job) => job.status === 'running' && job.market === market.market && job.run === source.run,
    );
  }

  feedsOf({ market, run }: Pick<BackfillJob, 'market' | 'run'>): readonly LiveFeed[] {
    return this.#feeds().filter(
      ({ settings }) => settings.market.market === market && settings.source.run === run,
    );
  }

  #feeds(): readonly LiveFeed[] {
    return this.all.flatMap(({ feeds }) => feeds);
  }

  #feed(plan: ConnectorPlan, feed: ConnectorPlan['feeds'][number], parent: Address<never>): LiveFeed {
    const market = plan.market.market;
    const made: LiveFeed = new LiveFeed({
      ...this.#common(plan),
      writer: writerOf(plan.name),
      feed,
      parent,
      jobs: (settings) => this.#running(settings),
      settled: (run) => {
        this.#parts.ran(market, run);
        for (const job of this.#running(made.settings)) this.#finish(job);
        if (isGood(run)) this.#catchUp.look(made);
      },
    });
    return made;
  }

  /** A job is over with its last window; found out again after the next answer or start. */
  #finish(job: BackfillJob): void {
    const { windows, done } = this.progress(job);
    if (done < windows || this.#finishing.has(job.id)) return;
    this.#finishing.add(job.id);
    const actor = `${job.market}:${job.run}`;
    this.#keep({ ...job, status: 'done' })
      .then(
        () => this.#event(actor, `backfill ${job.from} to ${job.to}`, `done: ${job.id}`),
        (error: unknown) => this.#event(actor, String(error), 'backfill not noted as done'),
      )
      .finally(() => this.#finishing.delete(job.id));
  }

  #event(actor: string, cause: string, decision: string): void {
    const about = { service: 'connectors', actor: `connectors/${actor}`, cause, decision, budget_left: null };
    this.#parts.intake.record({ kind: 'note', ...about });
  }
}
