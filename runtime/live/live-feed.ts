// Carries out what a live feed's behaviour decides: asks, appends in one transaction, wakes, and tells the
// calendar how far its run has come. A crash respawns it from what the log remembers.

import { marketCalendar } from '../../actors/domain/operating-day.ts';
import { DAY_MS, HOUR_MS } from '../../actors/domain/time.ts';
import {
  type AppendEffect,
  type FeedEffect,
  type FeedMessage,
  type FeedState,
  feedBehaviour,
  feedStart,
} from '../../actors/live/feed-actor.ts';
import type { Choice, FeedSettings } from '../../actors/live/plan.ts';
import { horizon } from '../../actors/live/publication.ts';
import type { Run } from '../../actors/live/run.ts';
import { addRestart, NO_RESTARTS, type RestartPolicy } from '../../actors/supervision.ts';
import type { Address } from '../host.ts';
import type { Feeding, Intake } from '../intake.ts';
import { APPEND_MAX } from '../raw-outputs.ts';
import type { EventKind } from '../views.ts';
import { Absence } from './absence.ts';
import { type BackfillJob, wantedOf } from './backfill.ts';
import { FeedCalendar } from './feed-calendar.ts';
import { FeedVoice } from './feed-voice.ts';
import { FeedWriter } from './feed-writer.ts';
import { type RequestParts, request } from './request.ts';
import type { ConnectorPlan, FeedPlan } from './settings.ts';
import { RUNS_KEPT, readFeed, readRuns, type Stored } from './store.ts';

const AGAIN_MS = 1_000;
/** Four bytes each. */
const CELLS_MAX = 4_000_000;
const WAKE_MS_MAX = HOUR_MS;
/** Of a log that refuses, one line in so many tries. */
const FAILURES_A_LINE = 600;
const CRASHES: RestartPolicy = { intensity: 3, periodMs: 300_000 };

export interface LiveFeedParts {
  readonly intake: Intake;
  /** Whose cursors and records these are on the log. */
  readonly writer: string;
  readonly requests: Omit<RequestParts, 'connector'>;
  readonly connector: ConnectorPlan;
  readonly feed: FeedPlan;
  readonly parent: Address<never>;
  /** Backfills that are under way. */
  readonly jobs: (settings: FeedSettings) => readonly BackfillJob[];
  readonly enabled: () => boolean;
  /** This process follows the connector, and no other. */
  readonly held: () => boolean;
  readonly settled: (run: Run) => void;
}

export class LiveFeed implements Feeding {
  readonly settings: FeedSettings;
  readonly absence: Absence;
  readonly runs: Run[] = [];
  readonly #parts: LiveFeedParts;
  /** `<connector>/<feed>`. */
  readonly key: string;
  readonly #stop = new AbortController();
  readonly #calendar: FeedCalendar;
  readonly #writer: FeedWriter;
  readonly #voice = new FeedVoice();
  #address: Address<FeedMessage> | null = null;
  #state: FeedState;
  #crashes = NO_RESTARTS;
  #cancelWake: () => void = () => {};
  #broken: string | null = null;
  #appendFailures = 0;

  constructor(parts: LiveFeedParts) {
    const { connector, feed } = parts;
    this.#parts = parts;
    this.key = `${connector.name}/${feed.name}`;
    const { retry, market } = connector;
    const { intake, writer } = parts;
    this.#writer = new FeedWriter(intake, writer, this.key, market.market, this.#stop.signal);
    this.settings = { ...feed, market, calendar: marketCalendar(market.zone), retry };
    this.absence = new Absence(this.settings);
    // What was not told is told with what comes next, or at the next start.
    this.#calendar = new FeedCalendar(intake, writer, this.settings, (cause) =>
      this.#event('note', cause, 'the calendar is told later', null),
    );
    this.#state = this.#initial(new Map());
  }

  get path(): string {
    return `connectors/${this.key}`;
  }

  get name(): string {
    return this.#parts.feed.name;
  }

  get connector(): string {
    return this.#parts.connector.name;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Why it no longer runs; null while it does. */
  get broken(): string | null {
    return this.#broken;
  }

  /** Reads what the log remembers and begins. */
  async start(): Promise<void> {
    if (this.#address !== null || !this.#parts.held()) return;
    const { log, clock } = this.#parts.intake;
    const stored = await log.writerState(this.#parts.writer);
    this.#calendar.restore(stored);
    this.runs.splice(0, this.runs.length, ...readRuns(stored, this.key));
    const initial = this.#initial(stored);
    this.absence.restore(stored, this.key, initial.windows.values());
    this.#writer.restore(stored);
    this.#spawn(initial);
    const { source, calendar, nodes, daysBack } = this.settings;
    this.#calendar.look(initial.windows, horizon(source, calendar, nodes, daysBack, clock.nowMs()));
  }

  /** Another process follows its connector: what is in hand is given up, until it is started again. */
  suspend(): void {
    this.#cancelWake();
    if (this.#address !== null) this.#parts.intake.host.stop(this.#address);
    this.#address = null;
    this.#state = this.#initial(new Map());
  }

  /** One that stays down has another try, with a whole budget. */
  revive(): void {
    if (this.#broken === null) return;
    this.#broken = null;
    this.#crashes = NO_RESTARTS;
    this.#restartLater();
  }

  tell(message: FeedMessage): void {
    this.#address?.tell(message);
  }

  /**
   * Finishes an append under way; a request under way is given up, and so is an answer that waits for room,
   * because nothing of it is on the log.
   */
  drain(): Promise<void> {
    this.#cancelWake();
    this.tell({ kind: 'drain' });
    this.#stop.abort(new Error('the process drains'));
    this.#calendar.stop();
    return this.#writer.idle();
  }

  #initial(stored: Stored): FeedState {
    return feedStart({
      ...readFeed(stored, this.key),
      enabled: this.#parts.enabled(),
      wanted: this.#parts.jobs(this.settings).map((job) => wantedOf(job, this.settings)),
    });
  }

  #spawn(initial: FeedState): void {
    const { intake, parent, feed, connector } = this.#parts;
    const { breaker } = connector;
    const behaviour = feedBehaviour({
      name: feed.name,
      settings: this.settings,
      breaker,
      chunkMax: APPEND_MAX,
      memory: { cellsMax: CELLS_MAX, historyMs: connector.historyDays * DAY_MS },
    });
    this.#state = initial;
    this.#address = intake.host.spawn<FeedState, FeedMessage, FeedEffect>({
      name: feed.name,
      parent,
      initial,
      behaviour: (state, message) => {
        const step = behaviour(state, message);
        this.#state = step.state;
        return step;
      },
      perform: (effect) => this.#perform(effect),
      crashed: (error) => this.#crashed(error),
    });
    this.#tick();
  }

  #crashed(error: unknown): void {
    const cause = error instanceof Error ? error.message : String(error);
    const nowMs = this.#parts.intake.clock.nowMs();
    const verdict = addRestart(this.#crashes, `${nowMs} ${cause}`, nowMs, CRASHES);
    this.#crashes = verdict.window;
    if (this.#address !== null) this.#parts.intake.host.stop(this.#address);
    this.#address = null;
    if (verdict.exceeded) {
      this.#broken = cause;
      this.#event('escalation', cause, 'the feed stays down until its connector is enabled again', 0);
      return;
    }
    this.#event('restart', cause, 'respawned from what the log remembers', verdict.budgetLeft);
    this.#restartLater();
  }

  /** The log may be away meanwhile. */
  #restartLater(): void {
    this.#parts.intake.clock.after(AGAIN_MS, () => {
      if (!this.#stop.signal.aborted) this.start().catch(() => this.#restartLater());
    });
  }

  #perform(effect: FeedEffect): void {
    switch (effect.kind) {
      case 'fetch':
        return this.#fetch(effect.choice);
      case 'append':
        return this.#append(effect);
      case 'wake':
        return this.#wake(effect.atMs);
      case 'append-again-later':
        return this.#appendAgain(effect.cause);
      case 'settled':
        return this.#settledRun(effect.run, effect.choice);
      case 'idle':
        return;
    }
  }

  #appendAgain(cause: string): void {
    const often = this.#appendFailures % FAILURES_A_LINE === 0;
    if (often) this.#event('note', cause, `put on the log again each ${AGAIN_MS} ms`, null);
    this.#appendFailures += 1;
    this.#parts.intake.clock.after(AGAIN_MS, () => this.tell({ kind: 'append-again' }));
  }

  /** What it asked for is told to nobody else, should it crash meanwhile. */
  #fetch(choice: Choice): void {
    const { requests, connector, intake } = this.#parts;
    const parts = { ...requests, connector };
    const asker = this.#address;
    request(parts, this.settings.source, choice, this.#stop.signal).then(
      (fetched) =>
        asker?.tell({ kind: 'fetched', fetched, nowMs: intake.clock.nowMs(), draw: intake.draw() }),
      (error: unknown) => {
        if (!this.#stop.signal.aborted && asker === this.#address) this.#crashed(error);
      },
    );
  }

  #append(effect: AppendEffect): void {
    const { clock } = this.#parts.intake;
    const asker = this.#address;
    const absentMs = this.absence.endedBy(effect, this.#state.windows, clock.nowMs());
    this.#writer.append(effect, absentMs).then(
      () => {
        this.#appendFailures = 0;
        asker?.tell({ kind: 'appended', nowMs: clock.nowMs() });
      },
      (error: unknown) => {
        if (this.#stop.signal.aborted) return;
        const cause = error instanceof Error ? error.message : String(error);
        asker?.tell({ kind: 'append-failed', cause, nowMs: clock.nowMs() });
      },
    );
  }

  #wake(atMs: number): void {
    const { clock } = this.#parts.intake;
    this.#cancelWake();
    const delayMs = Math.min(WAKE_MS_MAX, Math.max(0, atMs - clock.nowMs()));
    this.#cancelWake = clock.after(delayMs, () => this.#tick());
  }

  #tick(): void {
    this.tell({ kind: 'tick', nowMs: this.#parts.intake.clock.nowMs() });
  }

  #settledRun(run: Run, choice: Choice): void {
    this.runs.push(run);
    if (this.runs.length > RUNS_KEPT) this.runs.splice(0, this.runs.length - RUNS_KEPT);
    for (const told of this.#voice.hear(run, this.#state.breaker, this.#parts.intake.clock.nowMs())) {
      this.#event(told.kind, told.cause, told.decision, null);
    }
    this.#calendar.look(this.#state.windows, [choice.window]);
    this.absence.answered(run);
    this.#parts.settled(run);
  }

  #event(
    kind: Extract<EventKind, 'note' | 'restart' | 'escalation' | 'dependency_down' | 'dependency_up'>,
    cause: string,
    decision: string,
    budget: number | null,
  ): void {
    const about = { service: 'connectors', actor: this.path, budget_left: budget };
    this.#parts.intake.record({ kind, cause, decision, ...about });
  }
}
