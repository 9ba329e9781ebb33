// A consumer group hosted by this process: it joins, restores each partition it is assigned, runs a router
// for it, and lets go in order. A router that crashed is restored from the log and started again within its
// budget.

import { addRestart, NO_RESTARTS, type RestartPolicy, type RestartWindow } from '../actors/supervision.ts';
import type { Address } from './host.ts';
import type { Member, PartitionLag, TopicPartition } from './log/log.ts';
import { Partition, type PartitionPlan, type PartitionPorts } from './partition.ts';
import { restorePartition } from './restore.ts';

export interface GroupSettings {
  readonly service: string;
  readonly group: string;
  readonly topics: readonly string[];
  readonly plan: (of: TopicPartition) => PartitionPlan;
  readonly restarts: RestartPolicy;
  /** The budget of router restarts is used up: the process must leave. */
  readonly exhausted: (cause: string) => void;
}

const keyOf = (of: TopicPartition): string => `${of.topic}/${of.partition}`;
const REVIVED_PER_TURN = 200;

export class Group {
  readonly #settings: GroupSettings;
  readonly #ports: PartitionPorts;
  readonly #parent: Address<never>;
  readonly #partitions = new Map<string, Partition>();
  #member: Member | null = null;
  #window: RestartWindow = NO_RESTARTS;
  #restored = false;
  #closing = false;
  #changes: Promise<void> = Promise.resolve();

  constructor(settings: GroupSettings, ports: PartitionPorts, parent: Address<never>) {
    this.#settings = settings;
    this.#ports = ports;
    this.#parent = parent;
  }

  /** Joins; resolves when the first assignment is restored and its routers run. */
  async join(): Promise<void> {
    const member = await this.#ports.log.join(this.#settings.group, this.#settings.topics);
    this.#member = member;
    const first = Promise.withResolvers<void>();
    member.assigned((partitions, generation) => {
      this.#changes = this.#changes.then(() => this.#assigned(partitions, generation));
      this.#changes.then(first.resolve, first.reject);
    });
    await first.promise;
  }

  get ready(): boolean {
    return this.#restored && !this.#closing;
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values();
  }

  lag(): Promise<readonly PartitionLag[]> {
    return this.#ports.log.lag(this.#settings.group);
  }

  /** Every router finishes its batch and stops; then the member leaves. */
  async drain(): Promise<void> {
    this.#closing = true;
    await this.#changes;
    await Promise.all([...this.#partitions.values()].map((each) => each.drain()));
    for (const each of this.#partitions.values()) each.dispose();
    this.#partitions.clear();
    await this.#member?.leave();
  }

  async #assigned(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    const wanted = new Set(partitions.map(keyOf));
    for (const [key, partition] of this.#partitions) {
      if (wanted.has(key)) continue;
      partition.dispose();
      this.#partitions.delete(key);
    }
    const fresh = partitions.filter((of) => !this.#partitions.has(keyOf(of)));
    for (const of of fresh) await this.#open(of);
    this.#restored = true;
    this.#record(
      'rebalance',
      `generation ${generation}`,
      `${partitions.length} partitions, ${fresh.length} new`,
    );
  }

  async #open(of: TopicPartition): Promise<void> {
    const member = this.#member;
    if (member === null || this.#closing) return;
    const restored = await restorePartition(member, of);
    const partition = new Partition(
      this.#ports,
      this.#settings.plan(of),
      member,
      restored,
      of,
      this.#parent,
      (crashed, error) => this.#crashed(crashed, error),
    );
    this.#partitions.set(keyOf(of), partition);
    partition.start();
    await partition.revive(REVIVED_PER_TURN);
  }

  #crashed(partition: Partition, error: unknown): void {
    const cause = error instanceof Error ? `${error.message}` : String(error);
    const { restarts } = this.#settings;
    const nowMs = this.#ports.clock.nowMs();
    const verdict = addRestart(this.#window, `${keyOf(partition.of)}@${nowMs}`, nowMs, restarts);
    this.#window = verdict.window;
    partition.dispose();
    this.#partitions.delete(keyOf(partition.of));
    if (verdict.exceeded) {
      this.#record('escalation', cause, 'the budget of router restarts is used up: the process leaves');
      this.#settings.exhausted(cause);
      return;
    }
    const decision = 'restored from the log and started again';
    const actor = partition.path;
    const { service } = this.#settings;
    this.#ports.record({ kind: 'restart', service, actor, cause, decision, budget_left: verdict.budgetLeft });
    this.#changes = this.#changes.then(() => this.#open(partition.of));
  }

  #record(kind: 'rebalance' | 'escalation', cause: string, decision: string): void {
    const { service, group } = this.#settings;
    this.#ports.record({
      kind,
      service,
      actor: `services/${service}/${group}`,
      cause,
      decision,
      budget_left: null,
    });
  }
}
