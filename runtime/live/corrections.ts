// What an operator says it has corrected: each operating day's notice is asked for once a day as long as it
// is of interest, and a run and day that it names anew is handed over to be asked for again. What was handed
// over is remembered in the same transaction, so no notice is acted on twice, or forgotten.

import type { OperatingDay } from '../../actors/domain/operating-day.ts';
import { marketCalendar } from '../../actors/domain/operating-day.ts';
import type { Correction } from '../../actors/feeds/feed.ts';
import { asking, type Breaker, CLOSED, failed, opensMs, succeeded } from '../../actors/live/breaker.ts';
import { type Fetched, runOf } from '../../actors/live/pending.ts';
import type { Choice } from '../../actors/live/plan.ts';
import type { Run } from '../../actors/live/run.ts';
import { backoffMs, spread } from '../../actors/supervision.ts';
import type { Feeding, Intake } from '../intake.ts';
import type { StateChange } from '../log/log.ts';
import { writerOf } from '../raw-outputs.ts';
import { type RequestParts, request } from './request.ts';
import type { ConnectorPlan, NoticePlan } from './settings.ts';
import { type Notice, noticeChange, RUNS_KEPT, readNotices, readRuns, runChange } from './store.ts';

/** A new day is noticed by then. */
const LOOK_MS = 600_000;

export interface CorrectionsParts {
  readonly intake: Pick<Intake, 'clock' | 'draw' | 'record'> & {
    readonly log: Pick<Intake['log'], 'append' | 'writerState'>;
  };
  readonly requests: Omit<RequestParts, 'connector'>;
  readonly connector: ConnectorPlan;
  readonly plan: NoticePlan;
  readonly enabled: () => boolean;
  /** A list was asked for, and its answer is on the log. */
  readonly ran: (run: Run) => void;
  /** Acts on what is new, and keeps the changes, both or neither. */
  readonly apply: (found: readonly Correction[], changes: readonly StateChange[]) => Promise<void>;
}

const NEW: Notice = { askedMs: 0, attempts: 0, notBeforeMs: 0, applied: [] };

export class Corrections implements Feeding {
  /** Its history, as a feed has one; the oldest first. */
  readonly runs: Run[] = [];
  readonly #parts: CorrectionsParts;
  readonly #stop = new AbortController();
  #notices = new Map<string, Notice>();
  #phase: 'idle' | 'asking' = 'idle';
  #begun = false;
  #breaker: Breaker = CLOSED;
  #said: string | null = null;
  #cancel: () => void = () => {};

  constructor(parts: CorrectionsParts) {
    this.#parts = parts;
  }

  get path(): string {
    return `connectors/${this.#key}`;
  }

  get state(): { readonly phase: string } {
    return { phase: this.#phase };
  }

  get breaker(): Breaker {
    return this.#breaker;
  }

  /** Reads what the log remembers and begins; after the feeds, which say what is known of a day. */
  async start(): Promise<void> {
    const { intake, connector } = this.#parts;
    const stored = await intake.log.writerState(writerOf(connector.name));
    this.#notices = readNotices(stored, this.#key);
    this.runs.splice(0, this.runs.length, ...readRuns(stored, this.#key));
    this.#begun = true;
    this.wake();
  }

  /** A request under way is given up: nothing of it is on the log. */
  drain(): void {
    this.#cancel();
    this.#stop.abort(new Error('the process drains'));
  }

  get #key(): string {
    return `${this.#parts.connector.name}/${this.#parts.plan.name}`;
  }

  /** Another process follows its connector: it looks for nothing until it is started again. */
  suspend(): void {
    this.#cancel();
    this.#begun = false;
  }

  /** Its connector was switched on. */
  wake(): void {
    if (this.#begun && this.#phase === 'idle') this.#look();
  }

  /** Pauses and an open circuit are passed over once. */
  fetchNow(): void {
    if (this.#phase === 'idle') this.#breaker = CLOSED;
    for (const [date, each] of this.#notices) this.#notices.set(date, { ...each, notBeforeMs: 0 });
    this.wake();
  }

  /** Switched off, it looks for nothing until it is woken. */
  #look(): void {
    this.#cancel();
    if (this.#stop.signal.aborted || !this.#begun || !this.#parts.enabled()) return;
    const { clock } = this.#parts.intake;
    const nowMs = clock.nowMs();
    const opens = opensMs(this.#breaker);
    if (opens > nowMs) {
      this.#cancel = clock.after(opens - nowMs, () => this.#look());
      return;
    }
    const days = this.#days(nowMs);
    const due = days.filter((day) => this.#dueMs(day) <= nowMs).at(0);
    if (due !== undefined) {
      void this.#ask(due);
      return;
    }
    const nextMs = Math.min(...days.map((day) => this.#dueMs(day)), nowMs + LOOK_MS);
    this.#cancel = clock.after(Math.max(1_000, nextMs - nowMs), () => this.#look());
  }

  /** From yesterday back, the latest first. */
  #days(nowMs: number): readonly OperatingDay[] {
    const { plan, connector } = this.#parts;
    const calendar = marketCalendar(connector.market.zone);
    const days: OperatingDay[] = [];
    let day = calendar.dayOf(nowMs);
    while (days.length < plan.daysBack) {
      day = calendar.dayOf(day.startMs - 1);
      days.push(day);
    }
    return days;
  }

  #dueMs({ date, endMs }: OperatingDay): number {
    const { firstMs, everyMs } = this.#parts.plan.notices;
    const { askedMs, notBeforeMs } = this.#notices.get(date) ?? NEW;
    return Math.max(endMs + firstMs, askedMs + everyMs, notBeforeMs);
  }

  async #ask(day: OperatingDay): Promise<void> {
    this.#phase = 'asking';
    try {
      await this.#settle(day);
    } catch (error) {
      this.#later(day, error instanceof Error ? error.message : String(error));
    } finally {
      this.#phase = 'idle';
      this.#look();
    }
  }

  async #settle(day: OperatingDay): Promise<void> {
    const { requests, connector, plan, apply, intake } = this.#parts;
    const { notices } = plan;
    const window = { ...day, id: day.date, nodes: 'all' } as const;
    const askable = { ...notices, request: () => notices.request(day) };
    const choice = { window, span: day, why: 'correction' } as const;
    const startedMs = intake.clock.nowMs();
    this.#breaker = asking(this.#breaker);
    const parts = { ...requests, connector };
    const fetched = await request(parts, askable, choice, this.#stop.signal);
    const { outcome, corrections } = fetched;
    const run = this.#ran(choice, fetched, startedMs);
    const ran = runChange(this.#key, run);
    const isAnswer = outcome.kind === 'response' || outcome.kind === 'no_data';
    if (!isAnswer && outcome.kind !== 'past_retention') {
      const waitMs = 'retryAfterMs' in outcome ? (outcome.retryAfterMs ?? 0) : 0;
      await intake.log.append(writerOf(connector.name), [], [ran]);
      this.#parts.ran(run);
      return this.#later(day, `${outcome.kind}: ${outcome.detail}`, waitMs);
    }
    const before = this.#notices.get(day.date) ?? NEW;
    // A list of another day would be acted on at every look.
    const found = corrections.filter(({ date }) => date === day.date);
    const fresh = found.filter((each) => !before.applied.includes(nameOf(each)));
    const applied = [...before.applied, ...fresh.map(nameOf)];
    const notice = { askedMs: intake.clock.nowMs(), attempts: 0, notBeforeMs: 0, applied };
    await apply(fresh, [noticeChange(this.#key, day.date, day.endMs, notice), ran]);
    this.#parts.ran(run);
    this.#notices.set(day.date, notice);
    this.#said = null;
    for (const { run, date, issued } of fresh) {
      this.#event(
        `${run} of ${date} was priced anew (${issued})`,
        'what is on the log of it is asked for again',
      );
    }
  }

  /** The circuit and the history after an answer; the entry that is to be remembered of it. */
  #ran(choice: Choice, fetched: Fetched, startedMs: number): Run {
    const { intake, connector, plan } = this.#parts;
    const nowMs = intake.clock.nowMs();
    const draw = intake.draw();
    const { kind } = fetched.outcome;
    this.#breaker =
      kind === 'failed' || kind === 'invalid'
        ? failed(this.#breaker, nowMs, connector.breaker, spread(connector.retry.jitter, draw))
        : kind === 'throttled'
          ? { ...this.#breaker, probing: false }
          : succeeded();
    const counts = { done: 0, appended: 0, corrected: 0, unchanged: 0, unasked: 0 };
    const seq = (this.runs.at(-1)?.seq ?? -1) + 1;
    const run = runOf(plan.name, seq, { choice, fetched, startedMs, draw, ...counts }, 0, nowMs);
    this.runs.push(run);
    if (this.runs.length > RUNS_KEPT) this.runs.splice(0, this.runs.length - RUNS_KEPT);
    return run;
  }

  #later(day: OperatingDay, cause: string, waitMs = 0): void {
    if (this.#stop.signal.aborted) return;
    const { intake, connector } = this.#parts;
    // A request that threw was no probe.
    this.#breaker = { ...this.#breaker, probing: false };
    const before = this.#notices.get(day.date) ?? NEW;
    const pauseMs = Math.max(waitMs, backoffMs(connector.retry, before.attempts, intake.draw()));
    const notBeforeMs = intake.clock.nowMs() + pauseMs;
    this.#notices.set(day.date, { ...before, attempts: before.attempts + 1, notBeforeMs });
    if (this.#said !== cause) this.#event(cause, `the notice of ${day.date} is asked for again later`);
    this.#said = cause;
  }

  #event(cause: string, decision: string): void {
    const about = { service: 'connectors', actor: this.path, cause, decision, budget_left: null };
    this.#parts.intake.record({ kind: 'note', ...about });
  }
}

function nameOf({ run, issued }: Correction): string {
  return `${run} ${issued}`;
}
