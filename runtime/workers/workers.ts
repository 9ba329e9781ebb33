// The workers of this process, kept alive: each is a thread with a member of every hosted group. One that
// ends without being told to, or does not answer for long, leaves its groups to the others, and is started
// again with backoff within its budget; beyond that the process leaves. Each step is an event.
//
//   starting ─▶ running ─▶ (ended, silent) ─▶ waiting ─▶ starting …        running ─▶ draining ─▶ ended

import { Worker } from 'node:worker_threads';
import {
  addRestart,
  type BackoffPolicy,
  backoffMs,
  NO_RESTARTS,
  type RestartPolicy,
  type RestartWindow,
} from '../../actors/supervision.ts';
import type { Clock, Draw } from '../host.ts';
import type { Log } from '../log/log.ts';
import type { LogCall } from '../log/log-calls.ts';
import { LogService } from '../log/log-service.ts';
import type { PartitionLedgers } from '../partition-ledgers.ts';
import type { GroupName } from '../services.ts';
import type { Actors } from '../telemetry.ts';
import type { RecordEvent } from '../views.ts';
import type { Place } from '../whole.ts';
import type { FromWorker, GroupReport, News, Order, Question, Report, ToWorker } from './messages.ts';
import { Wire } from './wire.ts';
import { workerPlace } from './worker-place.ts';

export interface WorkersPorts {
  readonly clock: Clock;
  readonly draw: Draw;
  readonly record: RecordEvent;
  /** Served to workers that have none of their own. */
  readonly log: Log;
  readonly heard: (news: News) => void;
  readonly exhausted: (cause: string) => void;
}

export interface WorkersSettings {
  /** `w2` … */
  readonly names: readonly string[];
  readonly order: (worker: string) => Order;
  readonly restarts: RestartPolicy;
  readonly backoff: BackoffPolicy;
}

const LOOK_MS = 1_000;
const SILENT_MS_MAX = 30_000;
const PROGRAM = new URL('./worker.ts', import.meta.url);

interface Life {
  readonly thread: Worker;
  readonly wire: Wire<ToWorker, FromWorker>;
  readonly service: LogService;
  readonly started: Promise<void>;
}

interface Seat {
  readonly name: string;
  life: Life | null;
  state: 'starting' | 'running' | 'waiting' | 'draining' | 'ended';
  restarts: number;
  window: RestartWindow;
  report: Report | null;
  heardMs: number;
}

export class Workers {
  readonly #ports: WorkersPorts;
  readonly #settings: WorkersSettings;
  readonly #seats: readonly Seat[];
  #leaving = false;
  #stopLooking = (): void => {};

  constructor(ports: WorkersPorts, settings: WorkersSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.#seats = settings.names.map((name) => ({
      name,
      life: null,
      state: 'waiting',
      restarts: 0,
      window: NO_RESTARTS,
      report: null,
      heardMs: 0,
    }));
  }

  /** Resolves when each has joined its groups and restored its partitions; one that fails is tried again. */
  async start(): Promise<void> {
    for (const seat of this.#seats) this.#begin(seat);
    this.#look();
    while (!this.#leaving && this.#seats.some(({ state }) => state !== 'running')) {
      await new Promise<void>((done) => this.#ports.clock.after(LOOK_MS / 20, done));
    }
  }

  /** Those that can be asked; one that is being started again is there, and does not answer. */
  places(): readonly Place[] {
    return this.#seats.map((seat) => ({
      name: seat.name,
      actors: workerPlace(<T>(question: Question) => this.#ask<T>(seat, question)),
    }));
  }

  /** As of now. Rejects when one cannot say. */
  async ledgers(): Promise<readonly PartitionLedgers[]> {
    const reports = await Promise.all(this.#seats.map((seat) => this.#ask<Report>(seat, { call: 'report' })));
    return reports.flatMap((each) => each.ledgers);
  }

  /** How these groups are in the workers that run, as each said last. */
  reports(groups: readonly GroupName[]): readonly GroupReport[] {
    const running = this.#seats.filter(({ state }) => state === 'running');
    const all = running.flatMap(({ report }) => report?.groups ?? []);
    return all.filter(({ group }) => groups.includes(group));
  }

  /** Why these groups are not ready everywhere; a worker that is started again is no reason. */
  unready(groups: readonly GroupName[]): string | null {
    const first = this.#seats.find(({ state, restarts }) => state === 'starting' && restarts === 0);
    if (first !== undefined) return `worker ${first.name} starts`;
    const waiting = this.reports(groups).find(({ ready }) => !ready);
    return waiting === undefined ? null : `${waiting.group}: state is being restored in a worker`;
  }

  actors(): readonly Actors[] {
    return this.#seats.flatMap(({ state, report }) => (state === 'running' ? (report?.actors ?? []) : []));
  }

  info(): readonly Readonly<Record<string, unknown>>[] {
    return this.#seats.map(({ name, state, restarts, report }) => ({
      worker: name,
      state,
      restarts,
      heap_bytes: report?.heapBytes ?? null,
    }));
  }

  /** Ends a worker at once, as a crash would; it is started again. */
  end(name: string, cause: string): void {
    const seat = this.#seats.find((each) => each.name === name);
    if (seat?.life === undefined || seat.life === null) return;
    this.#event('note', seat, cause, 'it is ended');
    void seat.life.thread.terminate();
  }

  /** The process leaves: none takes over what another gives up, none that ends is started again. */
  async leave(): Promise<void> {
    this.#leaving = true;
    this.#stopLooking();
    await this.#each({ call: 'leaving' });
  }

  /** Every worker's member of the group finishes what it has in hand and leaves. */
  async drain(group: GroupName): Promise<void> {
    await this.#each({ call: 'drain', group });
  }

  /** One that is gone has nothing left to do. */
  async #each(call: ToWorker): Promise<void> {
    await Promise.all(this.#seats.map((seat) => this.#ask(seat, call).catch(() => undefined)));
  }

  async close(): Promise<void> {
    this.#leaving = true;
    this.#stopLooking();
    await Promise.all(
      this.#seats.map(async (seat) => {
        await this.#ask(seat, { call: 'close' }).catch(() => undefined);
        await seat.life?.thread.terminate();
        seat.state = 'ended';
      }),
    );
  }

  #ask<T>({ name, life }: Seat, call: ToWorker): Promise<T> {
    return life === null ? Promise.reject(new Error(`${name} does not run now`)) : life.wire.ask<T>(call);
  }

  #begin(seat: Seat): void {
    const { log, heard, clock } = this.#ports;
    const thread = new Worker(PROGRAM);
    const service = new LogService(log, (assigned) => wire.tell(assigned), seat.name);
    const wire = new Wire<ToWorker, FromWorker>(
      (message) => thread.postMessage(message),
      (call, signal) => (isNews(call) ? heard(call) : service.answer(call, signal)),
    );
    thread.on('message', (message) => wire.receive(message));
    const started = wire.ask<void>({ call: 'start', order: this.#settings.order(seat.name) });
    const life = { thread, wire, service, started };
    seat.life = life;
    seat.state = 'starting';
    seat.heardMs = clock.nowMs();
    let cause = 'it ended';
    const failed = (error: unknown): void => {
      cause = error instanceof Error ? error.message : String(error);
    };
    thread.on('error', failed);
    thread.on('exit', () => void this.#ended(seat, life, cause));
    started.then(
      () => this.#running(seat, life),
      (error: unknown) => {
        failed(error);
        void thread.terminate();
      },
    );
  }

  async #running(seat: Seat, life: Life): Promise<void> {
    seat.report = await life.wire.ask<Report>({ call: 'report' }).catch(() => null);
    if (seat.life !== life) return;
    seat.state = 'running';
    seat.heardMs = this.#ports.clock.nowMs();
    this.#event('start', seat, 'its groups are joined', 'a worker runs');
  }

  /** Its members leave first, so that the others have its partitions while it is away. */
  async #ended(seat: Seat, life: Life, cause: string): Promise<void> {
    if (seat.life !== life) return;
    seat.life = null;
    seat.report = null;
    life.wire.end(new Error(`${seat.name}: ${cause}`));
    await life.service.close();
    if (this.#leaving) {
      seat.state = 'ended';
      return;
    }
    seat.state = 'waiting';
    seat.restarts += 1;
    const { clock, draw, exhausted } = this.#ports;
    const { restarts, backoff } = this.#settings;
    const verdict = addRestart(seat.window, `${seat.name}#${seat.restarts}`, clock.nowMs(), restarts);
    seat.window = verdict.window;
    if (verdict.exceeded) {
      this.#event('escalation', seat, cause, 'its restarts are used up: the process leaves', 0);
      exhausted(`${seat.name}: ${cause}`);
      return;
    }
    const delayMs = backoffMs(backoff, verdict.window.entries.length - 1, draw());
    const decision = `started again in ${delayMs} ms; the others have its partitions meanwhile`;
    this.#event('restart', seat, cause, decision, verdict.budgetLeft);
    clock.after(delayMs, () => {
      if (!this.#leaving) this.#begin(seat);
    });
  }

  /** Every second each is asked how it is; who is silent for long is ended, and so started again. */
  #look(): void {
    const { clock } = this.#ports;
    for (const seat of this.#seats) {
      const { life } = seat;
      if (life === null || seat.state !== 'running') continue;
      life.wire.ask<Report>({ call: 'report' }).then(
        (report) => {
          seat.report = report;
          seat.heardMs = clock.nowMs();
        },
        () => {},
      );
      if (clock.nowMs() - seat.heardMs <= SILENT_MS_MAX) continue;
      seat.heardMs = clock.nowMs();
      this.end(seat.name, `no answer for ${SILENT_MS_MAX} ms`);
    }
    this.#stopLooking = clock.after(LOOK_MS, () => this.#look());
  }

  #event(
    kind: 'start' | 'restart' | 'escalation' | 'note',
    { name }: Seat,
    cause: string,
    decision: string,
    budget: number | null = null,
  ): void {
    const actor = `workers/${name}`;
    this.#ports.record({ kind, service: 'supervisor', actor, cause, decision, budget_left: budget });
  }
}

const NEWS: ReadonlySet<string> = new Set(['event', 'done', 'wrote', 'failed', 'exhausted']);

function isNews(call: LogCall | News): call is News {
  return NEWS.has(call.call);
}
