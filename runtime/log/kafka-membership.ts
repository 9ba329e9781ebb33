// A place in a consumer group: joins, splits the partitions when it leads, sends heartbeats, and tells what
// it owns. It runs on connections of its own, because a join is answered only when all have joined.
//
//   joining ─▶ assigned ─▶ (heartbeats) ─▶ a rebalance: joining again, partitions are kept meanwhile
//      ▲                        └─▶ forgotten by the coordinator: everything is lost, joining as somebody new
//      └── any failure, after a pause

import { assignPartitions } from './assigner.ts';
import { assignmentBytes, memberBytes, readAssignment, readMember } from './kafka-assignment.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { asKafkaFault, errorType } from './kafka-fault.ts';
import type { TopicPartition } from './log.ts';

export interface MembershipOptions {
  readonly group: string;
  /** Stable over restarts: what this worker owned, it owns again. */
  readonly worker: string;
  readonly topics: readonly string[];
  readonly sessionMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceMs: number;
  readonly startedMs: number;
  /** Where the process of this member answers for the group; null: nowhere. */
  readonly url: string | null;
  /** What went wrong, said once a failure. */
  readonly note: (cause: string) => void;
  /**
   * A new assignment. `lost`: somebody else may have owned these meanwhile, so nothing of before holds.
   */
  readonly assigned: (partitions: readonly TopicPartition[], generation: number, lost: boolean) => void;
}

const PROTOCOL = 'by-worker';
const PAUSE_MS = 250;
const FORGOTTEN: ReadonlySet<string> = new Set([
  'FENCED_INSTANCE_ID',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
]);

interface Seat {
  readonly memberId: string;
  readonly generation: number;
}

export class Membership {
  readonly #cluster: KafkaCluster;
  readonly #options: MembershipOptions;
  readonly #ended = Promise.withResolvers<void>();
  #seat: Seat | null = null;
  #peers: readonly string[] = [];
  #lastGeneration = -1;
  #changed = Promise.withResolvers<void>();
  #wake: () => void = () => {};
  #leaving = false;
  #leads = false;
  /** The leader joins anew, so that the others do. */
  #recounted = false;

  constructor(cluster: KafkaCluster, options: MembershipOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#run().then(this.#ended.resolve, this.#ended.reject);
  }

  get seat(): Seat | null {
    return this.#seat;
  }

  /** Where the processes of the group answer, this one among them, as of the last assignment. */
  get peers(): readonly string[] {
    return this.#peers;
  }

  /** Resolves at the next change of the assignment, or when the member leaves. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /**
   * Whether the coordinator still knows this seat, asked on the given connections. A rebalance under way
   * counts as known.
   */
  async known(cluster: KafkaCluster): Promise<boolean> {
    const seat = this.#seat;
    if (seat === null) return false;
    const { group: groupId } = this.#options;
    try {
      const { broker } = await cluster.coordinator('group', groupId);
      await broker.heartbeat({ groupId, groupGenerationId: seat.generation, memberId: seat.memberId });
      return true;
    } catch (error) {
      const type = errorType(error);
      if (type === 'REBALANCE_IN_PROGRESS') return true;
      if (FORGOTTEN.has(type)) return false;
      throw error;
    }
  }

  /** Whoever leads splits the partitions anew. */
  recount(): void {
    if (!this.#leads) return;
    this.#recounted = true;
    this.#wake();
  }

  async leave(): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#wake();
    const seat = this.#seat;
    this.#seat = null;
    this.#tell();
    if (seat !== null) {
      const { group: groupId } = this.#options;
      try {
        const { broker } = await this.#cluster.coordinator('group', groupId);
        await broker.leaveGroup({ groupId, memberId: seat.memberId });
      } catch (error) {
        this.#options.note(`left ${groupId} without saying so: ${errorType(error)}`);
      }
    }
    // A join that is under way leaves on these connections.
    await this.#ended.promise;
    this.#cluster.close();
  }

  async #run(): Promise<void> {
    let memberId = '';
    while (!this.#leaving) {
      try {
        memberId = await this.#join(memberId);
        if (await this.#beat()) continue;
        memberId = '';
        this.#lost();
      } catch (error) {
        if (this.#leaving) return;
        if (FORGOTTEN.has(errorType(error))) {
          memberId = '';
          this.#lost();
        } else if (errorType(error) !== 'REBALANCE_IN_PROGRESS') {
          const { group, note } = this.#options;
          note(asKafkaFault(error, `join of ${group}`, this.#cluster.target).message);
          this.#cluster.stale();
          await this.#pause(PAUSE_MS);
        }
      }
    }
  }

  /** Joins and takes the assignment; the member's id. */
  async #join(memberId: string): Promise<string> {
    const { group: groupId, worker, topics, sessionMs, rebalanceMs, startedMs, url } = this.#options;
    const { broker } = await this.#cluster.coordinator('group', groupId);
    const metadata = memberBytes({ worker, startedMs, url, topics });
    const joined = await broker.joinGroup({
      groupId,
      memberId,
      sessionTimeout: sessionMs,
      rebalanceTimeout: rebalanceMs,
      groupProtocols: [{ name: PROTOCOL, metadata }],
    });
    const { generationId: generation } = joined;
    const leads = joined.leaderId === joined.memberId;
    this.#leads = leads;
    this.#recounted = false;
    const synced = await broker.syncGroup({
      groupId,
      generationId: generation,
      memberId: joined.memberId,
      groupAssignment: leads ? await this.#split(joined.members) : [],
    });
    if (this.#leaving) {
      await broker.leaveGroup({ groupId, memberId: joined.memberId });
      return joined.memberId;
    }
    const lost = this.#lastGeneration >= 0 && generation !== this.#lastGeneration + 1;
    this.#lastGeneration = generation;
    this.#seat = { memberId: joined.memberId, generation };
    const { partitions, peers } = readAssignment(synced.memberAssignment);
    this.#peers = peers;
    this.#options.assigned(partitions, generation, lost);
    this.#tell();
    return joined.memberId;
  }

  /** Heartbeats until the group rebalances (true) or has forgotten us (false). */
  async #beat(): Promise<boolean> {
    let answeredMs = performance.now();
    while (!this.#leaving) {
      await this.#pause(this.#options.heartbeatMs);
      if (this.#leaving || this.#recounted) return true;
      try {
        if (!(await this.#stays())) return true;
        answeredMs = performance.now();
      } catch (error) {
        if (FORGOTTEN.has(errorType(error))) return false;
        this.#cluster.stale();
        if (performance.now() - answeredMs > this.#options.sessionMs) {
          this.#options.note(`${this.#options.group}: no heartbeat was answered: ${errorType(error)}`);
          answeredMs = performance.now();
        }
      }
    }
    return true;
  }

  /** False: the group is rebalancing. */
  async #stays(): Promise<boolean> {
    const seat = this.#seat;
    if (seat === null) return false;
    const { group: groupId } = this.#options;
    const { broker } = await this.#cluster.coordinator('group', groupId);
    try {
      await broker.heartbeat({ groupId, groupGenerationId: seat.generation, memberId: seat.memberId });
      return true;
    } catch (error) {
      if (errorType(error) === 'REBALANCE_IN_PROGRESS') return false;
      throw error;
    }
  }

  /** As the leader: every member's partitions. Of two with one name the one that started last counts. */
  async #split(
    members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[],
  ): Promise<{ memberId: string; memberAssignment: Buffer }[]> {
    const read = members.map(({ memberId, memberMetadata }) => ({ memberId, ...readMember(memberMetadata) }));
    const byWorker = new Map<string, (typeof read)[number]>();
    for (const each of read) {
      const other = byWorker.get(each.worker);
      if (other === undefined || other.startedMs < each.startedMs) byWorker.set(each.worker, each);
    }
    const topics = [...new Set(read.flatMap((each) => each.topics))].sort();
    const urls = [...new Set(read.flatMap(({ url }) => (url === null ? [] : [url])))].sort();
    const counts = new Map<string, number>();
    // As they are now: partitions may have been added since the last split.
    this.#cluster.stale();
    for (const topic of topics) counts.set(topic, await this.#cluster.partitions(topic));
    const owners = assignPartitions([...byWorker.keys()], Math.max(0, ...counts.values()));
    return read.map(({ memberId, worker }) => {
      const mine = byWorker.get(worker)?.memberId === memberId;
      const owns = topics.flatMap((topic) =>
        owners.flatMap((owner, partition) =>
          mine && owner === worker && partition < (counts.get(topic) ?? 0) ? [{ topic, partition }] : [],
        ),
      );
      return { memberId, memberAssignment: assignmentBytes(topics, owns, urls) };
    });
  }

  #lost(): void {
    this.#seat = null;
    this.#options.assigned([], this.#lastGeneration, true);
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
      if (this.#leaving) this.#wake();
    });
  }
}
