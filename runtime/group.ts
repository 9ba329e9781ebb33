// A consumer group hosted by this process: it joins, restores each partition it is assigned, runs a router
// for it, and lets go in order. A router that crashed is restored from the log and started again within its
// budget.

import { addRestart, backoffMs, budgetLeft, NO_RESTARTS, type RestartWindow } from '../actors/supervision.ts';
import type { GroupSettings } from './group-settings.ts';
import type { Address } from './host.ts';
import type { Member, PartitionLag, TopicPartition } from './log/log.ts';
import { Gaps, inWords, REMEDY } from './overtaken.ts';
import { Partition } from './partition.ts';
import type { PartitionPorts } from './partition-plan.ts';
import { Retries } from './retries.ts';
import { StallWatch } from './stall-watch.ts';
import { type Hold, routerless, type Standing } from './standing.ts';
import { takenOver } from './start-state.ts';
import type { EventKind } from './views.ts';

const keyOf = (of: TopicPartition): string => `${of.topic}/${of.partition}`;
const HOLD_MS = 100;
/** Whoever lost a partition hears of it meanwhile. */
const TAKE_UP_MS = 1_000;

export class Group {
  readonly #settings: GroupSettings;
  readonly #ports: PartitionPorts;
  readonly #parent: Address<never>;
  readonly #partitions = new Map<string, Partition>();
  /** Partitions that the last assignment gave us. */
  #assigned: ReadonlySet<string> = new Set();
  /** Partitions that the newest assignment gives us, which may wait for its turn. */
  #owned: ReadonlyMap<string, TopicPartition> = new Map();
  /** Partitions that a layout adds and that are not whole yet. */
  readonly #held = new Map<string, Hold>();
  readonly #watch: StallWatch;
  /** The partition whose state is being read. */
  #restoring: { readonly key: string; readonly sinceMs: number } | null = null;
  readonly gaps = new Gaps();
  /** When it was last given something to restore. */
  #sinceMs: number;
  #member: Member | null = null;
  #window: RestartWindow = NO_RESTARTS;
  #crashes = 0;
  #restored = false;
  #closing = false;
  /** What it has it keeps; what others leave is not for it any more. */
  #takesNoMore = false;
  /** Assignments and restarts, one after the other; never rejects. */
  #changes: Promise<void> = Promise.resolve();

  constructor(settings: GroupSettings, ports: Omit<PartitionPorts, 'retries'>, parent: Address<never>) {
    this.#settings = settings;
    const { clock, record } = ports;
    this.#sinceMs = clock.nowMs();
    const about = { service: settings.service, actor: parent.path, kinds: ['note', 'resume'] } as const;
    this.#ports = { ...ports, retries: new Retries({ clock, record, ...about, quietMs: null }) };
    this.#parent = parent;
    this.#watch = new StallWatch({
      clock,
      lag: () => this.lag(),
      standing: (of) => this.standing(of),
      stalled: (cause) => this.#record('note', cause, 'nothing is lost; told again when they move'),
      moved: (cause) => this.#record('resume', cause, 'going on'),
      afterMs: settings.stallMs,
    });
  }

  /**
   * Joins; resolves when the first assignment is restored and its routers run. Rejects with what the log says
   * when that cannot be.
   */
  async join(): Promise<void> {
    const member = await this.#ports.log.join(this.#settings.group, this.#settings.topics);
    this.#member = member;
    const first = Promise.withResolvers<void>();
    const { clock } = this.#ports;
    member.assigned((partitions, generation) => {
      this.#owned = new Map(partitions.map((of) => [keyOf(of), of]));
      this.#sinceMs = clock.nowMs();
      this.#change(async () => {
        await this.#take(partitions, generation).catch((error: unknown) => {
          first.reject(error);
          throw error;
        });
        first.resolve();
      });
    });
    this.#watch.start();
    await first.promise;
  }

  get ready(): boolean {
    return this.#restored && !this.#closing;
  }

  /** Such as `enrichment-service`. */
  get service(): string {
    return this.#settings.service;
  }

  /** Null: every partition of it that is not held back is restored. */
  get restoring(): {
    readonly sinceMs: number;
    readonly restored: number;
    readonly partitions: number;
  } | null {
    const all = this.#restored && [...this.#owned.keys()].every((key) => this.#isThere(key));
    if (all || this.#closing) return null;
    const partitions = this.#owned.size - this.#held.size;
    return { sinceMs: this.#sinceMs, restored: this.#partitions.size, partitions };
  }

  #isThere(key: string): boolean {
    return this.#partitions.has(key) || this.#held.has(key);
  }

  /** Restarts of routers that are left in their period. */
  get budgetLeft(): number {
    return budgetLeft(this.#window, this.#ports.clock.nowMs(), this.#settings.restarts);
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values();
  }

  /** What the newest assignment gives us, whether it has a router by now or not. */
  get owned(): readonly TopicPartition[] {
    return [...this.#owned.values()];
  }

  /** What stands still, by `topic/partition`. */
  get stalled(): ReadonlyMap<string, string> {
    return this.#watch.stalled;
  }

  /** Where a partition stands that the newest assignment gives us; null: it is not ours. */
  standing(of: TopicPartition): Standing | null {
    const key = keyOf(of);
    const partition = this.#partitions.get(key);
    if (!this.#owned.has(key)) return null;
    if (partition !== undefined) return partition.standing(this.#member?.doing?.(of) ?? null);
    return routerless(key, this.#held.get(key) ?? null, this.#restoring, this.#ports.clock.nowMs());
  }

  lag(): Promise<readonly PartitionLag[]> {
    return this.#ports.log.lag(this.#settings.group);
  }

  /** Before a drain of several members: none restores what another one is about to leave. */
  takeNoMore(): void {
    this.#takesNoMore = true;
  }

  /** Every router finishes its batch and stops; then the member leaves. */
  async drain(): Promise<void> {
    this.#closing = true;
    this.#watch.stop();
    this.#record('drain', 'asked to stop', 'routers finish what they have in hand');
    await this.#changes;
    const all = [...this.#partitions.values()];
    await Promise.all(all.map((each) => each.drain()));
    await Promise.all(all.map((each) => each.dispose()));
    this.#partitions.clear();
    await this.#member?.leave();
    this.#record('stop', 'drained', `${all.length} routers stopped, all they did is committed`);
  }

  /** What cannot be restored leaves the process with its cause: a router never starts on half a state. */
  #change(work: () => Promise<void>): void {
    this.#changes = this.#changes.then(work).catch((error: unknown) => {
      if (this.#restored) this.#exhausted(messageOf(error), 'its state cannot be restored');
    });
  }

  async #take(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    this.#assigned = new Set(partitions.map(keyOf));
    for (const [key, partition] of [...this.#partitions]) {
      // A router that was fenced starts anew when the partition is ours again.
      if (this.#assigned.has(key) && partition.state.phase !== 'stopped') continue;
      this.#partitions.delete(key);
      await partition.dispose();
    }
    for (const key of this.#held.keys()) if (!this.#assigned.has(key)) this.#held.delete(key);
    const fresh = partitions.filter((of) => !this.#partitions.has(keyOf(of)));
    for (const of of fresh) await this.#open(of);
    const first = !this.#restored;
    this.#restored = true;
    const cause = `generation ${generation} of ${this.#settings.group}`;
    this.#record('rebalance', cause, `${partitions.length} partitions, ${fresh.length} new`);
    if (first) this.#record('start', cause, `${fresh.length} routers run on restored state`);
  }

  async #open(of: TopicPartition): Promise<void> {
    const member = this.#member;
    const key = keyOf(of);
    if (member === null || this.#closing || this.#takesNoMore) return;
    if (!this.#assigned.has(key) || this.#partitions.has(key)) return;
    const plan = this.#settings.plan(of);
    this.#restoring = { key, sinceMs: this.#ports.clock.nowMs() };
    const restored = await takenOver(this.#ports, member, of, plan, {
      // It went to somebody else while it was read: the assignment that says so is next.
      owned: () => this.#owned.has(key),
      wanted: () => !this.#closing && !this.#takesNoMore && this.#assigned.has(key),
      note: (cause, decision) => this.#record('note', cause, decision),
    }).finally(() => {
      this.#restoring = null;
    });
    if (restored === null) return;
    if ('awaits' in restored) return this.#hold(of, restored.awaits);
    if (this.gaps.add(restored.gap)) this.#record('data_loss', inWords(restored.gap), REMEDY);
    if (this.#held.delete(key)) {
      this.#record('resume', `${key} is whole`, `${restored.resting.size} instruments came with it`);
    }
    const partition = new Partition(this.#ports, plan, member, restored, of, this.#parent, {
      crashed: (error) => this.#crashed(partition, error),
      fenced: () => this.#fenced(partition),
    });
    this.#partitions.set(key, partition);
    partition.start();
  }

  /** Nothing of it is read before every older partition has handed over. */
  #hold(of: TopicPartition, awaits: readonly number[]): void {
    const key = keyOf(of);
    const { clock } = this.#ports;
    const before = this.#held.get(key);
    before?.cancel();
    const cause = `what partitions ${awaits.join()} hand over`;
    if (before === undefined) {
      this.#record('pause', `${key} waits for ${cause}`, 'none of its records is read before');
    }
    const cancel = clock.after(HOLD_MS, () => this.#change(() => this.#open(of)));
    this.#held.set(key, { cause, sinceMs: before?.sinceMs ?? clock.nowMs(), cancel });
  }

  /** Mostly it has gone to another member, and an assignment says so; where none does, it is still ours. */
  #fenced(partition: Partition): void {
    const { of } = partition;
    const again = async (): Promise<void> => {
      if (this.#closing || this.#partitions.get(keyOf(of)) !== partition) return;
      this.#partitions.delete(keyOf(of));
      await partition.dispose();
      const cause = `${keyOf(of)} was fenced, and is ours`;
      this.#record('resume', cause, 'taken up again from what is stored');
      await this.#open(of);
    };
    this.#ports.clock.after(TAKE_UP_MS, () => this.#change(again));
  }

  #crashed(partition: Partition, error: unknown): void {
    const cause = messageOf(error);
    const { restarts, service } = this.#settings;
    const { clock, record } = this.#ports;
    const nowMs = clock.nowMs();
    this.#crashes += 1;
    const what = `${keyOf(partition.of)}#${this.#crashes}`;
    const verdict = addRestart(this.#window, what, nowMs, restarts);
    this.#window = verdict.window;
    this.#partitions.delete(keyOf(partition.of));
    this.#sinceMs = nowMs;
    const gone = partition.dispose();
    if (verdict.exceeded) {
      this.#exhausted(cause, 'the budget of router restarts is used up');
      return;
    }
    const decision = 'restored from the log and started again';
    const budget_left = verdict.budgetLeft;
    record({ kind: 'restart', service, actor: partition.path, cause, decision, budget_left });
    this.#change(async () => {
      await gone;
      const { backoff } = this.#settings.plan(partition.of);
      const delayMs = backoffMs(backoff, verdict.window.entries.length - 1, this.#ports.draw());
      await new Promise<void>((done) => clock.after(delayMs, done));
      await this.#open(partition.of);
    });
  }

  #exhausted(cause: string, why: string): void {
    this.#record('escalation', cause, `${why}: the process leaves`);
    this.#settings.exhausted(cause);
  }

  #record(kind: EventKind, cause: string, decision: string): void {
    const { service } = this.#settings;
    const actor = this.#parent.path;
    this.#ports.record({ kind, service, actor, cause, decision, budget_left: this.budgetLeft });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
