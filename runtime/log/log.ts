// The log: the only boundary between services. This is its port; embedded.ts (one SQLite file) and, next,
// kafka.ts stand behind it, and tests/conformance/log.ts holds both to the same words.
//
// One batch, one outcome: a commit makes outputs, state changes and the input position visible together or
// not at all. A member that lost its partition is fenced: its commit changes nothing.
//
//   join ─▶ assigned(partitions) ─▶ state(partition) ─▶ poll ─▶ commit ─▶ poll … ─▶ leave
//                                                        ▲        │
//                                                        └─ aborted (do the same batch again)

import type {
  Batch,
  Commit,
  CommitOutcome,
  Outgoing,
  StateChange,
  TopicPartition,
} from '../../actors/batch.ts';
import type { Layout } from '../../actors/layout.ts';

export type {
  Batch,
  Commit,
  CommitOutcome,
  Lines,
  Outgoing,
  OutputValue,
  Piece,
  StateChange,
  TopicPartition,
} from '../../actors/batch.ts';

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Age after which records may go, milliseconds from their append; null keeps them for good. */
  readonly retentionMs: number | null;
  /** Compacted: the last value of each key is kept. */
  readonly compacted: boolean;
  /**
   * Who writes it by key: its layout is kept, and more partitions are taken into use only behind barriers.
   * Unset: partitions are used as they are found.
   */
  readonly writers?: readonly WriterOf[];
}

/** A writer without input by its name, or every input partition of a group. */
export type WriterOf =
  | { readonly writer: string }
  | { readonly group: string; readonly inputs: readonly string[] };

export interface PartitionLag extends TopicPartition {
  /** Next offset the group will read. */
  readonly committed: number;
  /** Offset that the next appended record will get. */
  readonly end: number;
  readonly lag: number;
}

/** Why who takes a writer's name may not have it; null: it may. */
export type Refuse = (stored: ReadonlyMap<string, Uint8Array>) => string | null;

/** A member of a consumer group. Its partitions change only between `assigned` calls. */
export interface Member {
  readonly group: string;
  /** Calls back on every assignment, the first included, with all partitions now owned. */
  assigned(listener: (partitions: readonly TopicPartition[], generation: number) => void): void;
  /**
   * Up to `recordsMax` records from the position; null when there is none now (await `appended`). A barrier
   * is a batch of its own.
   */
  poll(of: TopicPartition, recordsMax: number): Promise<Batch | null>;
  /** Moves the in-memory position, such as back to the committed offset after an abort. */
  seek(of: TopicPartition, offset: number): void;
  committed(of: TopicPartition): Promise<number>;
  commit(of: TopicPartition, commit: Commit): Promise<CommitOutcome>;
  /** Everything stored for this partition by this group, keys in order. It is taken over with that. */
  state(of: TopicPartition): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /** The same, for who has taken it over already. */
  stored(of: TopicPartition): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /** What it does for a partition now, for who asks why that stands; null: nothing. */
  doing?(of: TopicPartition): string | null;
  leave(): Promise<void>;
}

export interface Log {
  /** Creates what is missing; reports topics that exist and differ; alters nothing silently. */
  bootstrap(
    topics: readonly TopicSpec[],
  ): Promise<{ readonly created: string[]; readonly differing: string[] }>;
  topics(): Promise<readonly TopicSpec[]>;
  /** As decided by now; null: the topic has none, and its partitions are used as they are found. */
  layout(topic: string): Promise<Layout | null>;
  /**
   * Gives a topic as many partitions, when it has fewer. With a layout, each older partition gets a barrier,
   * and no record of a declared writer stands behind it by the layout of before.
   */
  increase(topic: string, partitions: number): Promise<void>;
  /**
   * `worker`: which worker of this process joins; partition p of every group goes to the same one. Unset: the
   * process as such.
   */
  join(group: string, topics: readonly string[], worker?: string): Promise<Member>;
  /**
   * A transaction without input, for writers that keep a cursor of their own (connectors): outputs and state
   * of `writer` become visible together.
   */
  append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void>;
  /**
   * From here on this process alone appends as `writer`: its next append ends whatever another has open under
   * the name. At each such beginning `refuse` is told what is stored by then, with nobody else writing; when
   * it says why not, that append and all later ones throw LogFault `writer_held` and write nothing, until it
   * is taken again. A log of one process has no need of it.
   */
  take?(writer: string, refuse: Refuse): void;
  /** Stored state of an `append` writer. */
  writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>>;
  lag(group: string): Promise<readonly PartitionLag[]>;
  /** Where the processes of the group answer, the own one among them. A log of one process tells none. */
  peers?(group: string): readonly string[];
  /** First offset whose append time is at or after `timestampMs`; the end when there is none. */
  offsetAt(of: TopicPartition, timestampMs: number): Promise<number>;
  /** A plain read outside any group, for dead letters and events. */
  read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null>;
  end(of: TopicPartition): Promise<number>;
  /** The first offset that retention has left; what stood before it is gone. */
  start(of: TopicPartition): Promise<number>;
  /** Resolves when something was appended to one of the topics after the call, or the signal aborts. */
  appended(topics: readonly string[], signal: AbortSignal): Promise<void>;
  /** Applies retention; returns the number of records removed. */
  retain(nowMs: number): Promise<number>;
  /** Null when the log can serve, else why not. Brokers that hang are waited for: see `Probe`. */
  health(): Promise<string | null>;
  close(): Promise<void>;
}
