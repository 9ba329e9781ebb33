// The connectors that CONNECTORS names: each an actor with its feeds below it. Switched off and on with a
// reason that is remembered, asked to look now, told of backfills; all of it live, on the log and an event.

import type { MarketSpec } from '../../actors/domain/market.ts';
import type { Correction } from '../../actors/feeds/feed.ts';
import { isGood, type Run } from '../../actors/live/run.ts';
import { type Address, branch } from '../host.ts';
import type { Feeding, Intake } from '../intake.ts';
import type { StateChange } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import type { BackfillWish } from '../views.ts';
import { CatchUp } from './absence.ts';
import type { BackfillJob, Progress } from './backfill.ts';
import { Corrections } from './corrections.ts';
import { Hold, type Self } from './hold.ts';
import { Jobs } from './jobs.ts';
import { LiveFeed } from './live-feed.ts';
import type { RequestParts } from './request.ts';
import type { ConnectorPlan, NoticePlan } from './settings.ts';
import { readJobs, readSwitch, type Switch, switchChange } from './store.ts';

export interface ConnectorsParts {
  readonly intake: Intake;
  readonly requests: Omit<RequestParts, 'connector' | 'requested'>;
  readonly plans: readonly ConnectorPlan[];
  /** This process, for others that share its log. */
  readonly self: Self;
  readonly requested: (market: string, endpoint: string, seconds: number) => void;
  /** A window or a list of corrections was asked for, and its answer is on the log. */
  readonly ran: (market: string, run: Run) => void;
}

export interface Connector {
  readonly plan: ConnectorPlan;
  readonly feeds: readonly LiveFeed[];
  readonly corrections: readonly Corrections[];
  /** Which process follows it. */
  readonly hold: Hold;
  state: Switch;
}

export class Connectors {
  readonly #parts: ConnectorsParts;
  readonly #connectors = new Map<string, Connector>();
  readonly #jobs: Jobs;
  #started = false;
  readonly #catchUp: CatchUp;

  constructor(parts: ConnectorsParts) {
    this.#parts = parts;
    const { host, parent, log, clock } = parts.intake;
    const event = (actor: string, cause: string, decision: string): void =>
      this.#event(actor, cause, decision);
    this.#jobs = new Jobs({ intake: parts.intake, feeds: () => this.#feeds(), event });
    this.#catchUp = new CatchUp({
      log,
      nowMs: () => clock.nowMs(),
      running: (settings) => this.#jobs.running(settings),
      begin: (wish, feed, beside) => this.#jobs.begin(wish, feed, beside),
      event,
    });
    for (const plan of parts.plans) {
      const above: Address<never> = host.spawn({ ...branch, name: plan.name, parent });
      const feeds = plan.feeds.map((feed) => this.#feed(plan, feed, above));
      const corrections = (plan.notices ?? []).map((each) => this.#corrections(plan, each));
      const state = { enabled: plan.enabled, reason: null, sinceMs: clock.nowMs() };
      const connector: Connector = { plan, feeds, corrections, state, hold: this.#hold(plan) };
      this.#connectors.set(plan.name, connector);
    }
  }

  /** Every connector begins that no other process has; others stand by. Throws LogFault: call it again. */
  async start(): Promise<void> {
    for (const { hold } of this.all) await hold.start();
    this.#started = true;
  }

  /** After the drain: whoever stands by may take over. */
  async release(): Promise<void> {
    await Promise.all(this.all.map(({ hold }) => hold.release()));
  }

  #hold({ name }: ConnectorPlan): Hold {
    const { intake, self } = this.#parts;
    const { log, clock } = intake;
    return new Hold({
      log,
      clock,
      self,
      writer: writerOf(name),
      taken: () => this.#taken(name),
      lost: () => this.#lost(name),
      event: (cause, decision) => this.#event(name, cause, decision),
    });
  }

  /** Reads what the log remembers, and the feeds begin. */
  async #taken(name: string): Promise<void> {
    const connector = this.#connectors.get(name);
    if (connector === undefined) return;
    const { plan, feeds, corrections } = connector;
    const stored = await this.#parts.intake.log.writerState(writerOf(name));
    connector.state = readSwitch(stored, name) ?? { ...connector.state, enabled: plan.enabled };
    this.#jobs.restore(name, readJobs(stored));
    for (const feed of feeds) await feed.start();
    for (const each of corrections) await each.start();
    this.#jobs.look(name);
    for (const feed of feeds) this.#catchUp.look(feed);
  }

  /** What is in hand is given up: another process has asked for it by now. */
  #lost(name: string): void {
    const connector = this.#connectors.get(name);
    for (const each of [...(connector?.feeds ?? []), ...(connector?.corrections ?? [])]) each.suspend();
    this.#jobs.restore(name, []);
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
    return this.#jobs.all;
  }

  progress(job: BackfillJob): Progress {
    return this.#jobs.progress(job);
  }

  /** Null: no feed of a connector here follows such a run. */
  async backfill(wish: BackfillWish): Promise<BackfillJob | null> {
    const [feed] = this.feedsOf(wish);
    return feed === undefined ? null : await this.#jobs.begin(wish, feed, []);
  }

  /** Null: there is no such job. One that is over stays as it is. */
  cancel(id: string): Promise<BackfillJob | null> {
    return this.#jobs.cancel(id);
  }

  feedsOf(of: Pick<BackfillJob, 'market' | 'run'>): readonly LiveFeed[] {
    return this.#jobs.feedsOf(of);
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
      held: () => this.find(plan.name)?.hold.held === true,
      enabled: () => this.find(plan.name)?.state.enabled ?? plan.enabled,
    };
  }

  #corrections(plan: ConnectorPlan, of: NoticePlan): Corrections {
    const apply = (found: readonly Correction[], changes: readonly StateChange[]) =>
      this.#jobs.correct(plan.name, found, changes);
    const ran = (run: Run): void => this.#parts.ran(plan.market.market, run);
    return new Corrections({ ...this.#common(plan), plan: of, ran, apply });
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
      jobs: (settings) => this.#jobs.running(settings),
      settled: (run) => {
        this.#parts.ran(market, run);
        this.#jobs.answered(made);
        if (isGood(run)) this.#catchUp.look(made);
      },
    });
    return made;
  }

  #event(actor: string, cause: string, decision: string): void {
    const about = { service: 'connectors', actor: `connectors/${actor}`, cause, decision, budget_left: null };
    this.#parts.intake.record({ kind: 'note', ...about });
  }
}
