// The embedded log: the port over one SQLite file, for one process. A commit is one SQLite transaction that
// checks the member's generation, appends the outputs, stores the state and moves the position. Changelogs
// are compacted by construction: the latest value of a key is all that is stored.

import { barrierValue, grown, LAYOUT_KEY, type Layout } from '../../actors/layout.ts';
import { Appender, type Cut, PARTITIONS_MAX, type Topic } from './embedded-append.ts';
import { Assignments, type Seat } from './embedded-members.ts';
import { Reader } from './embedded-reader.ts';
import { openStore, type Store } from './embedded-store.ts';
import type {
  Batch,
  Commit,
  CommitOutcome,
  Log,
  Member,
  Outgoing,
  PartitionLag,
  StateChange,
  TopicPartition,
  TopicSpec,
} from './log.ts';
import { LogFault } from './log-fault.ts';
import { differs } from './topic-differs.ts';
import { Waiters } from './waiters.ts';

export interface EmbeddedLogOptions {
  readonly dir: string;
  readonly nowMs: () => number;
  /** The file grows no further than this; unset: as far as the disk goes. */
  readonly bytesMax?: number;
}

/** Opens the log in `dir`. Throws LogFault: `data_dir_held`, `data_dir_unwritable`, `log_corrupt` … */
export function openEmbeddedLog(options: EmbeddedLogOptions): Log {
  const { dir, nowMs, bytesMax = null } = options;
  const store = openStore(dir, bytesMax);
  try {
    return new EmbeddedLog(store, nowMs);
  } catch (error) {
    store.close();
    throw error;
  }
}

class EmbeddedLog implements Log {
  readonly #store: Store;
  readonly #assignments = new Assignments();
  readonly #waiters = new Waiters();
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #nowMs: () => number;
  #topics: ReadonlyMap<string, Topic>;
  #closed = false;

  constructor(store: Store, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#appender = new Appender(store, nowMs);
    this.#reader = new Reader(store, this.#appender.recent);
    this.#topics = this.#readTopics();
  }

  async bootstrap(specs: readonly TopicSpec[]): Promise<{ created: string[]; differing: string[] }> {
    const created = specs.filter((spec) => !this.#topics.has(spec.name));
    this.#store.transaction(() => {
      for (const spec of created) this.#store.addTopic(spec);
    });
    this.#topics = this.#readTopics();
    const differing = specs.filter((spec) => differs(spec, this.#topics.get(spec.name)));
    return { created: created.map((each) => each.name), differing: differing.map((each) => each.name) };
  }

  async topics(): Promise<readonly TopicSpec[]> {
    const changelogs = this.#store.owners().map((group) => {
      const name = `${group}.changelog.v1`;
      return { name, partitions: 1, retentionMs: null, compacted: true };
    });
    const specs = [...this.#topics.values()].map(({ id: _, layout: __, ...spec }) => spec);
    const all = [...specs, ...changelogs];
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async layout(topic: string): Promise<Layout> {
    return this.#topic(topic).layout;
  }

  /** All writers are here: barriers and the layout are one transaction, and what was packed before is not. */
  async increase(topic: string, partitions: number): Promise<void> {
    const { partitions: before, layout: old, id } = this.#topic(topic);
    if (before >= partitions) return;
    const layout = grown(old, partitions);
    const value = barrierValue({ topic, layout }, this.#nowMs());
    const older = Array.from({ length: before }, (_, partition) => partition);
    const barriers = older.map((partition) => ({ topic, key: LAYOUT_KEY, value, partition }));
    const cuts = await this.#appender.pack(barriers, this.#topics);
    if (this.#topic(topic).layout !== old) return this.increase(topic, partitions);
    this.#appender.transaction(() => {
      this.#appender.write(cuts);
      this.#store.setLayout(id, layout);
    });
    this.#topics = this.#readTopics();
    const added = Array.from({ length: partitions - before }, (_, n) => ({ topic, partition: before + n }));
    for (const group of this.#assignments.groupsOf(topic)) this.#subscribe(group, added);
    this.#assignments.add(topic, added);
    this.#waiters.wake(new Set([topic]));
  }

  async join(group: string, topics: readonly string[], worker?: string): Promise<Member> {
    const partitions = topics.flatMap((topic) => {
      const { partitions: count } = this.#topic(topic);
      return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
    });
    this.#subscribe(group, partitions);
    return this.#assignments.join(group, partitions, worker, (seat) => this.#member(group, seat));
  }

  async append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void> {
    await this.#packed(outputs, (cuts) => {
      this.#open();
      this.#appender.transaction(() => {
        this.#appender.write(cuts);
        for (const { key, value } of state) this.#store.setState(`writer:${writer}`, 0, key, value);
      });
    });
    this.#wake(outputs);
  }

  async writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map(this.#store.state(`writer:${writer}`, 0));
  }

  async lag(group: string): Promise<readonly PartitionLag[]> {
    return this.#assignments.partitionsOf(group).map((of) => {
      const committed = this.#committed(group, of);
      const end = this.#store.end(this.#tp(of));
      return { ...of, committed, end, lag: Math.max(0, end - committed) };
    });
  }

  async offsetAt(of: TopicPartition, timestampMs: number): Promise<number> {
    return this.#store.offsetAt(this.#tp(of), timestampMs) ?? this.#store.end(this.#tp(of));
  }

  async read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null> {
    return this.#view(of, fromOffset, recordsMax);
  }

  async end(of: TopicPartition): Promise<number> {
    return this.#store.end(this.#tp(of));
  }

  async start(of: TopicPartition): Promise<number> {
    return this.#store.firstOffset(this.#tp(of));
  }

  appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return Promise.resolve();
    return this.#waiters.wait(topics, signal);
  }

  /** Records go when they are older than the topic's retention and every group of the topic has read them. */
  async retain(nowMs: number): Promise<number> {
    let removed = 0;
    for (const topic of this.#topics.values()) {
      const { retentionMs } = topic;
      if (retentionMs === null) continue;
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        const tp = this.#tp({ topic: topic.name, partition });
        const held = Math.min(this.#store.end(tp), ...this.#store.positions(tp));
        removed += this.#store.transaction(() => this.#store.drop(tp, nowMs - retentionMs, held));
      }
    }
    if (removed > 0) this.#appender.recent.clear();
    return removed;
  }

  async health(): Promise<string | null> {
    return this.#closed ? 'the log is closed' : (this.#store.fault?.message ?? null);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiters.wakeAll();
    this.#store.close();
  }

  #member(group: string, seat: Seat): Member {
    const positions = new Map<number, number>();
    return {
      group,
      assigned: (listener) =>
        seat.listen((partitions, generation) => {
          const kept = new Set(partitions.map((of) => this.#tp(of)));
          for (const tp of positions.keys()) if (!kept.has(tp)) positions.delete(tp);
          listener(partitions, generation);
        }),
      poll: async (of, recordsMax) => {
        const tp = this.#tp(of);
        const from = positions.get(tp) ?? this.#committed(group, of);
        const batch = this.#view(of, from, recordsMax);
        if (batch !== null) positions.set(tp, batch.nextOffset);
        return batch;
      },
      seek: (of, offset) => void positions.set(this.#tp(of), offset),
      committed: async (of) => this.#committed(group, of),
      commit: (of, commit) => this.#commit(group, () => seat.since(of), of, commit),
      state: (of) => this.#state(group, seat.adopt(of)),
      stored: (of) => this.#state(group, of),
      leave: async () => seat.leave(),
    };
  }

  async *#state(group: string, of: TopicPartition): AsyncIterable<readonly [string, Uint8Array]> {
    yield* this.#store.state(group, this.#tp(of));
  }

  async #commit(
    group: string,
    since: () => number | null,
    of: TopicPartition,
    commit: Commit,
  ): Promise<CommitOutcome> {
    const generation = since();
    return this.#packed(commit.outputs, (cuts) => {
      this.#open();
      // Lost and regained in the meantime is lost: another member may have done the batch.
      if (generation === null || since() !== generation) return 'fenced';
      const tp = this.#tp(of);
      this.#appender.transaction(() => {
        this.#appender.write(cuts);
        for (const { key, value, partition = of.partition } of commit.state) {
          this.#store.setState(group, this.#tp({ topic: of.topic, partition }), key, value);
        }
        this.#store.setCommitted(group, tp, commit.nextOffset);
      });
      this.#wake(commit.outputs);
      return 'committed';
    });
  }

  /** Writes what was packed by the layouts that still hold. */
  async #packed<T>(outputs: readonly Outgoing[], write: (cuts: readonly Cut[]) => T): Promise<T> {
    for (;;) {
      const topics = this.#topics;
      const cuts = await this.#appender.pack(outputs, topics);
      if (topics === this.#topics) return write(cuts);
    }
  }

  #view(of: TopicPartition, fromOffset: number, recordsMax: number): Batch | null {
    this.#open();
    return this.#reader.view(of, this.#tp(of), fromOffset, recordsMax);
  }

  /** A group that joins holds what it has not read, whether or not it ever commits. */
  #subscribe(group: string, partitions: readonly TopicPartition[]): void {
    this.#store.transaction(() => {
      for (const of of partitions) {
        const tp = this.#tp(of);
        if (this.#store.committed(group, tp) !== null) continue;
        this.#store.setCommitted(group, tp, this.#store.firstOffset(tp));
      }
    });
  }

  #committed(group: string, of: TopicPartition): number {
    const tp = this.#tp(of);
    return this.#store.committed(group, tp) ?? this.#store.firstOffset(tp);
  }

  #tp(of: TopicPartition): number {
    const { id, partitions } = this.#topic(of.topic);
    if (of.partition < 0 || of.partition >= partitions)
      throw new RangeError(`${of.topic} has no ${of.partition}`);
    return id * PARTITIONS_MAX + of.partition;
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new RangeError(`topic ${name} was not created by the bootstrap`);
    return topic;
  }

  #readTopics(): ReadonlyMap<string, Topic> {
    return new Map(this.#store.topics().map((topic) => [topic.name, topic]));
  }

  #wake(outputs: readonly Outgoing[]): void {
    this.#waiters.wake(new Set(outputs.map((each) => each.topic)));
  }

  #open(): void {
    if (this.#closed) throw new LogFault('the log is closed', 'log_closed', false);
  }
}
