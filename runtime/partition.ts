// One assigned partition at work: the router actor and the effects it asks for. Every answer of the log, the
// sink, the directory or the clock comes back as a message; nothing here decides.

import { partsOfRun, runKeyOf } from '../actors/calendar.ts';
import { handOver } from '../actors/hand-over.ts';
import type { FoldReply } from '../actors/instrument.ts';
import { isActive } from '../actors/quarantine.ts';
import { routerBehaviour, routerFrom } from '../actors/router.ts';
import type { RouterEffect, RouterMessage, RouterState } from '../actors/router-protocol.ts';
import type { Work } from '../actors/router-work.ts';
import type { Slot } from '../actors/slot.ts';
import { backoffMs } from '../actors/supervision.ts';
import type { SlotOwner } from './directory.ts';
import type { Address } from './host.ts';
import type { Member, TopicPartition } from './log/log.ts';
import { readParked } from './parking.ts';
import type { PartitionEnded, PartitionPlan, PartitionPorts } from './partition-plan.ts';
import { PartitionReader } from './partition-reader.ts';
import { reportFold, reportMoved, reportRelease, reportRestored, reportStrayed } from './partition-report.ts';
import type { Marks, Resting } from './resting.ts';
import { type Standing, waitsFor } from './standing.ts';
import type { StartState } from './start-state.ts';
import { Waking } from './waking.ts';

export class Partition implements SlotOwner {
  readonly #ports: PartitionPorts;
  readonly #plan: PartitionPlan;
  readonly #member: Member;
  readonly #restored: StartState;
  readonly #ended: PartitionEnded;
  readonly #reader: PartitionReader;
  readonly #waking: Waking;
  readonly #stop = new AbortController();
  readonly #drained = Promise.withResolvers<void>();
  readonly #address: Address<RouterMessage>;
  #state: RouterState;
  #committing: Promise<unknown> = Promise.resolve();
  /** When its batch was read. */
  #sinceMs: number;
  /** When its router last went on. */
  #turnMs: number;

  constructor(
    ports: PartitionPorts,
    plan: PartitionPlan,
    member: Member,
    restored: StartState,
    readonly of: TopicPartition,
    parent: Address<never>,
    ended: PartitionEnded,
  ) {
    this.#ports = ports;
    this.#plan = plan;
    this.#member = member;
    this.#restored = restored;
    this.#state = routerFrom(restored.router);
    this.#ended = ended;
    this.#reader = new PartitionReader(ports, plan, member, of, restored.missed, this.#stop.signal);
    this.#waking = new Waking(ports, plan, of, restored.resting, this.#stop.signal);
    this.#sinceMs = ports.clock.nowMs();
    this.#turnMs = this.#sinceMs;
    const behaviour = routerBehaviour(plan.settings);
    this.#address = ports.host.spawn<RouterState, RouterMessage, RouterEffect>({
      name: `${of.topic}-${of.partition}`,
      parent,
      initial: this.#state,
      behaviour: (state, message) => {
        const step = behaviour(state, message);
        if (step.state.phase !== state.phase || step.state.seq !== state.seq)
          this.#turnMs = ports.clock.nowMs();
        this.#state = step.state;
        return step;
      },
      perform: (effect) => this.#perform(effect),
      crashed: ended.crashed,
    });
    if (this.slotKey !== null) ports.directory.own(this.slotKey, this);
    if (plan.slot?.timed !== true) return;
    for (const [run, toMs] of restored.router.calendar)
      ports.directory.index.told({ ...partsOfRun(run), toMs });
  }

  /** Belongs to this life of the router alone; null when its work has no slots. */
  get slotKey(): string | null {
    const { work } = this.#plan.settings;
    return work.kind === 'sharded' ? work.slotKey : null;
  }

  get path(): string {
    return this.#address.path;
  }

  /** The router's state as of its last message. */
  get state(): RouterState {
    return this.#state;
  }

  /** The log has answered, whatever failed before: there is nothing to read now. */
  get isAtEnd(): boolean {
    return this.#state.phase === 'polling' && this.#reader.isAtEnd;
  }

  /** `doing`: what the log does for it now; null: nothing. */
  standing(doing: string | null): Standing {
    const { phase } = this.#state;
    const what = waitsFor(this.#state, this.#reader.waitsFor);
    return { phase, waitsFor: doing === null ? what : `${what} (${doing})`, sinceMs: this.#turnMs };
  }

  start(): void {
    const slotKey = this.slotKey;
    for (const [id, entry] of this.#restored.router.quarantines) {
      if (!entry.active || slotKey === null) continue;
      this.#ports.directory.resident(id, slotKey);
      this.#ports.directory.quarantine(id, slotKey);
      reportRestored(this.#ports, this.#plan.settings.service, id, entry);
    }
    this.#address.tell({ kind: 'start' });
  }

  tell(message: RouterMessage): void {
    this.#address.tell(message);
  }

  /** Finishes the batch in flight and stops; resolves when it has. */
  drain(): Promise<void> {
    this.tell({ kind: 'drain' });
    return this.#drained.promise;
  }

  /**
   * Stops at once. A commit that is under way may still succeed: what is stored is to be read again only
   * when the returned promise has resolved.
   */
  async dispose(): Promise<void> {
    this.#stop.abort();
    this.#ports.retries.gone(this.path);
    this.#ports.host.stop(this.#address);
    if (this.slotKey !== null) this.#ports.directory.disown(this.slotKey);
    this.#drained.resolve();
    await this.#committing;
  }

  /** Instruments of it that need no actor yet. */
  get resting(): Resting {
    return this.#restored.resting;
  }

  get marks(): Marks {
    return this.#restored.marks;
  }

  /** How far event time of the instrument's run has come here; null: not at all, or it is in quarantine. */
  calendarMs(id: string): number | null {
    if (isActive(this.#state.quarantines, id)) return null;
    return this.#state.calendar.get(runKeyOf(id)) ?? null;
  }

  folded(reply: FoldReply): void {
    this.tell({ kind: 'folded', reply });
  }

  respawned(instrument: string): void {
    this.tell({ kind: 'respawned', instrument });
  }

  #perform(effect: RouterEffect): void {
    switch (effect.kind) {
      case 'poll':
        return this.#answer(this.#poll(effect));
      case 'fold':
        return this.#answer(this.#waking.fold(effect.instrument, effect.message, this.#state));
      case 'defer':
        return this.#answer(this.#defer(effect));
      case 'hand-over':
        return this.#answer(this.#handOver(effect));
      case 'commit':
        return this.#answer(this.#commit(effect));
      case 'settle':
        return this.#settle(effect.slots);
      case 'back-off':
        return this.#backOff(effect);
      case 'read-parked':
        return this.#answer(this.#readParked(effect));
      case 'moved':
        return this.#moved(effect);
      case 'report':
        return this.#report(effect.reply);
      case 'progress':
        return this.#progress(effect.work);
      case 'paused':
        return this.#record('pause', effect.cause, 'the partition waits; nothing is dropped');
      case 'resumed':
        return this.#record('resume', effect.cause, 'the partition goes on');
      case 'released':
        return this.#released(effect.instrument);
      case 'stopped':
        return this.#stopped(effect.cause);
    }
  }

  /** The answer of a port is a message; its failure is one too. Null: none is to come. */
  #answer(answer: Promise<RouterMessage | null> | null): void {
    const { seq } = this.#state;
    answer?.then(
      (message) => {
        if (message !== null) this.tell(message);
      },
      (error: unknown) => {
        const cause = error instanceof Error ? error.message : String(error);
        this.tell({ kind: 'failed', seq, cause });
      },
    );
  }

  async #poll(effect: Extract<RouterEffect, { kind: 'poll' }>): Promise<RouterMessage | null> {
    const passed = (): void => this.#ports.retries.passed(this.path);
    const polled = await this.#reader.poll(effect, this.#state, passed);
    if (polled !== null) this.#sinceMs = polled.nowMs;
    return polled;
  }

  async #defer(effect: Extract<RouterEffect, { kind: 'defer' }>): Promise<RouterMessage> {
    const { work } = this.#plan;
    if (work === null) throw new Error(`${this.path} has no deferred work`);
    return { kind: 'deferred', seq: effect.seq, result: await work(effect.batch, effect.nowMs) };
  }

  async #handOver({ seq, barrier }: Extract<RouterEffect, { kind: 'hand-over' }>): Promise<RouterMessage> {
    const { calendar, layout } = this.#state;
    const stored: (readonly [string, Uint8Array])[] = [];
    for await (const entry of this.#member.stored(this.of)) stored.push(entry);
    const found = handOver(stored, barrier, this.of.partition, layout, calendar);
    return { kind: 'handed', seq, handOver: found };
  }

  #moved({ barrier, instruments }: Extract<RouterEffect, { kind: 'moved' }>): void {
    const { slotKey } = this;
    if (slotKey !== null) this.#ports.directory.forget(slotKey, instruments);
    reportMoved(this.#ports, this.#plan.settings.service, this.path, barrier, instruments.size);
  }

  #progress(work: Work): void {
    if (work.strayed > 0) reportStrayed(this.#ports, this.path, work);
    if (this.#plan.slot?.timed === true) for (const news of work.news) this.#ports.directory.index.told(news);
    this.#plan.progress(work, (this.#ports.clock.nowMs() - this.#sinceMs) / 1_000);
  }

  async #commit(effect: Extract<RouterEffect, { kind: 'commit' }>): Promise<RouterMessage> {
    const answer = this.#member.commit(this.of, effect.commit);
    this.#committing = answer.catch(() => {});
    const outcome = await answer;
    return { kind: 'committed', seq: effect.seq, outcome };
  }

  #settle(slots: ReadonlyMap<string, Slot>): void {
    if (this.slotKey !== null) this.#ports.directory.settle(this.slotKey, slots);
  }

  #backOff(effect: Extract<RouterEffect, { kind: 'back-off' }>): void {
    const delayMs = backoffMs(this.#plan.backoff, effect.attempt, this.#ports.draw());
    this.#ports.retries.failed(this.path, effect.cause, `tried again in ${delayMs} ms, and so on`);
    this.#ports.clock.after(delayMs, () => this.tell({ kind: 'retry', seq: effect.seq }));
  }

  async #readParked(effect: Extract<RouterEffect, { kind: 'read-parked' }>): Promise<RouterMessage> {
    this.#reader.next();
    const { seq, instrument, fromOffset, home } = effect;
    const topic = this.#plan.settings.parkingTopic;
    const of = { topic, partition: home ?? this.of.partition };
    const batch = await readParked(this.#ports.log, of, instrument, fromOffset, this.#plan.recordsMax);
    return { kind: 'parked', seq, instrument, batch, nowMs: this.#ports.clock.nowMs() };
  }

  #report(reply: FoldReply): void {
    reportFold(this.#ports, this.#plan.settings.service, reply);
    if (reply.defects.length > 0) this.#plan.defect(reply);
  }

  #released(id: string): void {
    const slotKey = this.slotKey;
    if (slotKey !== null) this.#ports.directory.release(id, slotKey);
    reportRelease(this.#ports, this.#plan.settings.service, id);
  }

  #stopped(cause: string): void {
    // Routers of a service that is asked to stop are counted by its group.
    const { draining } = this.#state;
    if (!draining) this.#record('stop', cause, 'the router stopped');
    this.#stop.abort();
    this.#drained.resolve();
    if (!draining) this.#ended.fenced();
  }

  #record(kind: 'pause' | 'resume' | 'stop', cause: string, decision: string): void {
    const { service } = this.#plan.settings;
    this.#ports.record({ kind, service, actor: this.path, cause, decision, budget_left: null });
  }
}
