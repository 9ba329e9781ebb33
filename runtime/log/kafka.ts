// The log on Apache Kafka 4: the port over consumer groups, transactions and compacted changelogs. A commit
// is one transaction of the input partition's own transactional id: outputs, state and offset become visible
// to `read_committed` readers together, and a member that lost the partition is fenced by that id.
//
//   member ─ membership (join, heartbeats) ─ slot a partition ─ transactions ─▶ brokers
//          └ changelog (state)                            writer ─┘   watch, topics, plain reads
//
// Besides its own connections (plain reads, topics, writers) each member has two sets: data, and its seat.

import type { Layout } from '../../actors/layout.ts';
import { changelogTopic, WRITERS_CHANGELOG } from './kafka-changelog.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { Growth } from './kafka-growth.ts';
import { lagOf } from './kafka-lag.ts';
import { LAYOUTS, Layouts } from './kafka-layouts.ts';
import { Looks, Written } from './kafka-left-open.ts';
import { LeftOvers } from './kafka-left-overs.ts';
import { KafkaMember } from './kafka-member.ts';
import type { KafkaLogOptions } from './kafka-options.ts';
import { Outputs } from './kafka-outputs.ts';
import { patiently } from './kafka-patience.ts';
import { Reads } from './kafka-reads.ts';
import { addPartitions, createTopics, describeTopics, tellCopies } from './kafka-topics.ts';
import type { TransactionOptions } from './kafka-transaction.ts';
import { decidedEnds, Watch } from './kafka-watch.ts';
import { Writers } from './kafka-writer.ts';
import type {
  Batch,
  Log,
  Member,
  Outgoing,
  PartitionLag,
  Refuse,
  StateChange,
  TopicPartition,
  TopicSpec,
} from './log.ts';
import { LogFault } from './log-fault.ts';
import { differs } from './topic-differs.ts';

const BATCH_BYTES_MAX = 900_000;
/** A question is asked again for so long: leaders move, and whoever asks waits for the answer. */
const ASKED_MS_MAX = 3_000;
const CHANGED_MS_MAX = 30_000;
const COMPACTED = { retentionMs: null, compacted: true };

/** Nothing is connected before it is needed: brokers that are away are met by the first call. */
export function openKafkaLog(options: KafkaLogOptions): Log {
  return new KafkaLog(options);
}

class KafkaLog implements Log {
  readonly #options: KafkaLogOptions;
  readonly #cluster: KafkaCluster;
  readonly #watched: KafkaCluster;
  /** For layouts and looks: whoever commits must not wait behind those who ask for them. */
  readonly #asked: KafkaCluster;
  readonly #watch: Watch;
  readonly #outputs: Outputs;
  readonly #members = new Map<KafkaMember, { readonly group: string; readonly topics: readonly string[] }>();
  readonly #writers: Writers;
  readonly #reads: Reads;
  readonly #layouts: Layouts;
  readonly #growth: Growth;
  readonly #leftOvers: LeftOvers;
  readonly #written = new Written();
  readonly #looks: Looks;
  #closed = false;

  constructor(options: KafkaLogOptions) {
    this.#options = options;
    this.#cluster = new KafkaCluster(options.connection);
    this.#watched = new KafkaCluster(options.connection);
    this.#asked = new KafkaCluster(options.connection);
    this.#watch = new Watch((topics) => decidedEnds(this.#watched, topics));
    this.#reads = new Reads(this.#cluster, options.fetchBytesMax);
    this.#looks = new Looks(this.#asked, this.#written);
    const { layoutPollMs: periodMs, note, told } = options;
    const of = { cluster: this.#asked, transactions: this.#transactions() };
    this.#layouts = new Layouts({ ...options, ...of });
    const written = { cluster: this.#cluster, transactions: this.#transactions(), layouts: this.#layouts };
    this.#writers = new Writers({ ...options, ...written, committed: this.#reads.committed });
    this.#outputs = new Outputs(options.valueBytesMax, this.#layouts);
    const grew = (): void => this.#grew();
    this.#growth = new Growth({ cluster: this.#asked, layouts: this.#layouts, periodMs, note, told, grew });
    this.#leftOvers = new LeftOvers({ ...of, periodMs, note, told });
  }

  /** Waits for brokers that are away, as `join` does. */
  async bootstrap(specs: readonly TopicSpec[]): Promise<{ created: string[]; differing: string[] }> {
    const own = { ...COMPACTED, partitions: 1 };
    const all = [...specs, ...[WRITERS_CHANGELOG, LAYOUTS].map((name) => ({ ...own, name }))];
    const made = new Set(await this.#patiently(() => this.#provide(all)));
    await this.#patiently(() => this.#keepLayouts(specs));
    const names = specs.map(({ name }) => name);
    const described = await this.#patiently(() => describeTopics(this.#cluster, names));
    const found = new Map(described.map((spec) => [spec.name, spec]));
    const differing = specs.filter((spec) => differs(spec, found.get(spec.name))).map(({ name }) => name);
    return { created: names.filter((name) => made.has(name)), differing };
  }

  /** What is told is told before anything waits for the only broker that holds a topic. */
  async #provide(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    const made = await createTopics(this.#cluster, specs, this.#options.topics);
    await this.#cluster.use('partitions', async () => {
      for (const { name } of specs) this.#written.saw(name, await this.#cluster.partitions(name));
    });
    await tellCopies(this.#cluster, specs, this.#options);
    return made;
  }

  /** A topic's first layout is what the topic is found with. */
  async #keepLayouts(specs: readonly TopicSpec[]): Promise<void> {
    const kept = specs.flatMap(({ name, writers }) => (writers === undefined ? [] : [{ name, writers }]));
    for (const { name, writers } of kept) this.#layouts.declare(name, writers);
    // Before the first look at layouts: what is left open there would hold it up.
    if (kept.length > 0) this.#leftOvers.start();
    await this.#layouts.refresh();
    const fresh = kept.filter(({ name }) => this.#layouts.of(name) === null);
    await Promise.all(fresh.map(({ name }) => this.#layouts.change(name)));
    if (this.#layouts.declared.length > 0) this.#growth.start();
  }

  async layout(topic: string): Promise<Layout | null> {
    return this.#patiently(async () => (await this.#layouts.read(topic))?.layout ?? null, ASKED_MS_MAX);
  }

  async increase(topic: string, partitions: number): Promise<void> {
    await this.#patiently(() => this.#widen(topic, partitions), CHANGED_MS_MAX);
    if (this.#layouts.declared.includes(topic))
      await this.#patiently(() => this.#growth.reach(topic, partitions), CHANGED_MS_MAX);
  }

  async #widen(topic: string, partitions: number): Promise<void> {
    if ((await this.#partitions(topic)) < partitions) {
      await addPartitions(this.#cluster, topic, partitions);
      this.#written.saw(topic, partitions);
      this.#grew();
    }
  }

  #grew(): void {
    for (const each of [this.#cluster, this.#watched, this.#asked]) each.stale();
    for (const member of this.#members.keys()) member.recount();
  }

  async topics(): Promise<readonly TopicSpec[]> {
    const names = await this.#cluster.use('names of topics', () => this.#cluster.topics());
    return (await describeTopics(this.#cluster, names)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  join(group: string, topics: readonly string[], worker?: string): Promise<Member> {
    return this.#patiently(() => this.#join(group, topics, worker));
  }

  async #join(group: string, topics: readonly string[], of?: string): Promise<Member> {
    const counts = await Promise.all(topics.map((topic) => this.#partitions(topic)));
    const changelog = { ...COMPACTED, name: changelogTopic(group), partitions: Math.max(1, ...counts) };
    await this.#provide([changelog]);
    const { connection } = this.#options;
    const worker = of === undefined ? this.#options.worker : `${this.#options.worker}/${of}`;
    const others = [...this.#members.values()].filter((each) => each.group === group).length;
    const member = new KafkaMember(new KafkaCluster(connection), new KafkaCluster(connection), {
      ...this.#options,
      group,
      topics,
      worker: others === 0 ? worker : `${worker}#${others + 1}`,
      startedMs: this.#options.nowMs(),
      url: this.#options.urlOf(group),
      transactions: this.#transactions(),
      outputs: this.#outputs,
      layouts: this.#layouts,
      widen: (topic, partitions) => this.#widen(topic, partitions),
      committed: this.#reads.committed,
    });
    this.#members.set(member, { group, topics });
    return member;
  }

  async append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void> {
    this.#open();
    if (outputs.length === 0 && state.length === 0) return;
    await this.#writers.of(writer).append(() => this.#outputs.parts(this.#cluster, outputs), state);
  }

  take(writer: string, refuse: Refuse): void {
    this.#writers.of(writer).take(refuse);
  }

  async writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>> {
    this.#open();
    return this.#writers.of(writer).state();
  }

  /** Of the topics that a member of this process reads; of others, those that the group ever committed. */
  lag(group: string): Promise<readonly PartitionLag[]> {
    return this.#patiently(() => this.#lag(group), ASKED_MS_MAX);
  }

  async #lag(group: string): Promise<readonly PartitionLag[]> {
    const members = [...this.#members].filter(([, each]) => each.group === group);
    const topics = new Set(members.flatMap(([, each]) => each.topics));
    const own = members.flatMap(([member]) => [...member.offsets()]);
    return lagOf(this.#cluster, group, [...topics], own);
  }

  offsetAt(of: TopicPartition, timestampMs: number): Promise<number> {
    return this.#patiently(() => this.#reads.offsetAt(of, timestampMs), ASKED_MS_MAX);
  }

  read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null> {
    return this.#patiently(() => this.#reads.read(of, fromOffset, recordsMax), ASKED_MS_MAX);
  }

  end(of: TopicPartition): Promise<number> {
    return this.#patiently(async () => {
      const count = await this.#partitions(of.topic);
      if (of.partition >= count) throw new RangeError(`${of.topic} has no ${of.partition}`);
      return this.#reads.end(of);
    }, ASKED_MS_MAX);
  }

  start(of: TopicPartition): Promise<number> {
    return this.#patiently(() => this.#reads.start(of), ASKED_MS_MAX);
  }

  appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#watch.appended(topics, signal);
  }

  peers(group: string): readonly string[] {
    return [...this.#members].flatMap(([member, each]) => (each.group === group ? member.peers : []));
  }

  retain = async (): Promise<number> => 0;

  async health(): Promise<string | null> {
    if (this.#closed) return 'the log is closed';
    const asked = this.#watched.use('metadata', () => this.#watched.topics());
    return asked.then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    this.#leftOvers.close();
    await this.#growth.close();
    await Promise.all([...this.#members.keys()].map((member) => member.leave()));
    for (const each of [this.#cluster, this.#watched, this.#asked]) each.close();
  }

  #transactions(): TransactionOptions {
    const { compression, transactionMs: timeoutMs, nowMs } = this.#options;
    return { timeoutMs, compression, nowMs, batchBytesMax: BATCH_BYTES_MAX, looks: this.#looks };
  }

  async #partitions(topic: string): Promise<number> {
    const count = await this.#cluster.use(`partitions of ${topic}`, () => this.#cluster.partitions(topic));
    if (count === 0) throw new RangeError(`topic ${topic} was not created by the bootstrap`);
    return count;
  }

  #patiently<T>(work: () => Promise<T>, boundMs = Number.POSITIVE_INFINITY): Promise<T> {
    const asking = (): Promise<T> => {
      this.#open();
      return work();
    };
    return patiently(asking, boundMs, boundMs > ASKED_MS_MAX ? this.#options.note : () => {});
  }

  #open(): void {
    if (this.#closed) throw new LogFault('the log is closed', 'log_closed', false);
  }
}
