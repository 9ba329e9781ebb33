// A member of a consumer group: its place in the group, a slot for each partition it owns, and the state that
// stands beside them. A partition that stays over a rebalance keeps its slot; one that came back after others
// may have owned it is a new one.

import type { StateChange, TopicPartition } from '../../actors/batch.ts';
import { changelogPart, changelogTopic, ownerOf, readChangelog } from './kafka-changelog.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import type { Layouts } from './kafka-layouts.ts';
import { Membership } from './kafka-membership.ts';
import type { Outputs } from './kafka-outputs.ts';
import { placeOf } from './kafka-places.ts';
import { Slot } from './kafka-slot.ts';
import type { SlotPorts } from './kafka-slot-ports.ts';
import type { Part, TransactionOptions } from './kafka-transaction.ts';
import type { Commit, CommitOutcome, Member } from './log.ts';
import { LogFault } from './log-fault.ts';

export interface KafkaMemberOptions {
  readonly group: string;
  readonly worker: string;
  readonly topics: readonly string[];
  readonly startedMs: number;
  readonly url: string | null;
  readonly sessionMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceMs: number;
  readonly fetchBytesMax: number;
  readonly fetchBytesMin: number;
  readonly fetchWaitMsMax: number;
  readonly transactions: TransactionOptions;
  readonly outputs: Outputs;
  readonly layouts: Layouts;
  /** Sees to it that a topic has as many partitions. */
  readonly widen: (topic: string, partitions: number) => Promise<void>;
  readonly committed: (ends: ReadonlyMap<string, number>) => void;
  readonly note: (cause: string) => void;
}

type Listener = (partitions: readonly TopicPartition[], generation: number) => void;

const LOOK_MS = 500;

export class KafkaMember implements Member {
  readonly #cluster: KafkaCluster;
  readonly #options: KafkaMemberOptions;
  readonly #membership: Membership;
  readonly #slots = new Map<string, Slot>();
  /** Partitions that this member has ever owned. */
  readonly #owned = new Set<string>();
  #generation = -1;
  #listener: Listener | null = null;
  #left: Promise<void> | null = null;

  /** `groupCluster`: for joins and heartbeats alone. Both are closed with the member. */
  constructor(cluster: KafkaCluster, groupCluster: KafkaCluster, options: KafkaMemberOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#membership = new Membership(groupCluster, {
      ...options,
      assigned: (partitions, generation, lost) => this.#assigned(partitions, generation, lost),
    });
  }

  get group(): string {
    return this.#options.group;
  }

  assigned(listener: Listener): void {
    this.#listener = listener;
    if (this.#generation >= 0) this.#tell();
  }

  async poll(of: TopicPartition, recordsMax: number) {
    return (await this.#slots.get(placeOf(of))?.poll(recordsMax)) ?? null;
  }

  seek(of: TopicPartition, offset: number): void {
    this.#slots.get(placeOf(of))?.seek(offset);
  }

  async committed(of: TopicPartition): Promise<number> {
    return this.#slot(of).committed();
  }

  async commit(of: TopicPartition, { outputs, state, nextOffset }: Commit): Promise<CommitOutcome> {
    const slot = this.#slots.get(placeOf(of));
    if (slot === undefined) return 'fenced';
    const made = async (): Promise<Part[]> => [
      ...(await this.#options.outputs.parts(this.#cluster, outputs)),
      ...(await this.#changes(of, state)),
    ];
    return slot.commit(made, nextOffset);
  }

  async *state(of: TopicPartition): AsyncIterable<readonly [string, Uint8Array]> {
    const slot = this.#slot(of);
    // All of them first: a transaction that a crash left open in a neighbour would hold up the read. What a
    // neighbour has under way now is its own affair.
    const taken = async (each: Slot): Promise<void> => {
      try {
        await each.taken();
      } catch (error) {
        // One that went to somebody else meanwhile is his to take.
        if (each === slot || !each.closed) throw error;
      }
    };
    await Promise.all([...this.#slots.values()].map(taken));
    await slot.ready();
    slot.adopted = true;
    yield* this.stored(of);
  }

  async *stored(of: TopicPartition): AsyncIterable<readonly [string, Uint8Array]> {
    const at = this.#changelog(of);
    await this.#options.widen(at.topic, at.partition + 1);
    yield* await readChangelog(this.#cluster, at, ownerOf(of), this.#options.fetchBytesMax);
  }

  doing(of: TopicPartition): string | null {
    const slot = this.#slots.get(placeOf(of));
    return slot === undefined ? 'no slot in the group' : slot.doing;
  }

  get peers(): readonly string[] {
    return this.#membership.peers;
  }

  /** The topics may have more partitions than the group was split over. */
  recount(): void {
    this.#cluster.stale();
    this.#membership.recount();
  }

  /** What this member committed itself, which the coordinator may tell a moment later. */
  *offsets(): Iterable<readonly [place: string, offset: number]> {
    for (const [place, { offset }] of this.#slots) if (offset !== null) yield [place, offset];
  }

  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    for (const slot of this.#slots.values()) slot.closed = true;
    this.#slots.clear();
    await this.#membership.leave();
    this.#cluster.close();
  }

  #seat(of: TopicPartition): void {
    const place = placeOf(of);
    this.#slots.set(place, new Slot(of, this.#slotPorts(), !this.#owned.has(place)));
    this.#owned.add(place);
  }

  #slot(of: TopicPartition): Slot {
    const slot = this.#slots.get(placeOf(of));
    // Who asks may not have heard of it yet, or the partition is back in a moment.
    if (slot === undefined)
      throw new LogFault(`${this.group} does not own ${placeOf(of)}`, 'not_owner', true);
    return slot;
  }

  #changelog({ partition }: TopicPartition): TopicPartition {
    return { topic: changelogTopic(this.group), partition };
  }

  /** By the partition that they belong to. */
  async #changes({ topic, partition }: TopicPartition, state: readonly StateChange[]): Promise<Part[]> {
    const byPartition = Map.groupBy(state, (each) => each.partition ?? partition);
    const parts: Part[] = [];
    for (const [of, changes] of byPartition) {
      const at = this.#changelog({ topic, partition: of });
      await this.#options.widen(at.topic, of + 1);
      parts.push(changelogPart(at, ownerOf({ topic, partition: of }), changes));
    }
    return parts;
  }

  #assigned(partitions: readonly TopicPartition[], generation: number, lost: boolean): void {
    if (this.#left !== null) return;
    this.#generation = generation;
    const wanted = new Set(partitions.map(placeOf));
    for (const [place, slot] of this.#slots) {
      if (!lost && wanted.has(place)) continue;
      slot.closed = true;
      this.#slots.delete(place);
    }
    if (lost && partitions.length > 0) this.#tell();
    for (const of of partitions) if (!this.#slots.has(placeOf(of))) this.#seat(of);
    this.#tell();
  }

  #tell(): void {
    this.#listener?.(
      [...this.#slots.values()].map((slot) => slot.of),
      this.#generation,
    );
  }

  #slotPorts(): SlotPorts {
    const { group, transactions, layouts, fetchBytesMax, committed, note } = this.#options;
    const { fetchBytesMin: bytesMin, fetchWaitMsMax: waitMsMax } = this.#options;
    return {
      cluster: this.#cluster,
      group,
      layouts,
      transactions,
      fetch: { bytesMax: fetchBytesMax, bytesMin, waitMsMax },
      committed,
      note,
      counted: (slot) => this.#counted(slot),
      skipTo: (of, offset, token) => this.#skipTo(of, offset, token),
      overtaken: (slot) => this.#reseat(slot),
    };
  }

  /** Asks until the coordinator knows our seat, or the slot was taken from us. */
  async #counted(slot: Slot): Promise<boolean> {
    while (!slot.closed) {
      const { changed } = this.#membership;
      if (await this.#membership.known(this.#cluster)) return true;
      await Promise.race([changed, Bun.sleep(LOOK_MS)]);
    }
    return false;
  }

  async #skipTo({ topic, partition }: TopicPartition, offset: number, metadata: string): Promise<boolean> {
    const { seat } = this.#membership;
    if (seat === null) return false;
    const { group: groupId } = this.#options;
    try {
      const { broker } = await this.#cluster.coordinator('group', groupId);
      await broker.offsetCommit({
        groupId,
        groupGenerationId: seat.generation,
        memberId: seat.memberId,
        topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }],
      });
      return true;
    } catch {
      // The next commit moves the offset as well; until there is one, the slot asks again.
      return false;
    }
  }

  /** Its owner starts again from what is committed. */
  #reseat(slot: Slot): void {
    const place = placeOf(slot.of);
    if (this.#slots.get(place) !== slot) return;
    this.#options.note(`another member went on with ${place}: it is restored`);
    this.#slots.delete(place);
    this.#tell();
    this.#seat(slot.of);
    this.#tell();
  }
}
