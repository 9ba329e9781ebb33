// What a partition's router works on and what it asks to be committed: the vocabulary that the pure side and
// the log share. The log's port (runtime/log/log.ts) speaks in these words.

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A view over fetched bytes. Records stand in offset order; offsets may have gaps. */
export interface Batch extends TopicPartition {
  readonly count: number;
  /** Offset to commit when the whole batch is done: the last record's offset + 1. */
  readonly nextOffset: number;
  offset(index: number): number;
  key(index: number): string;
  /** Valid until the batch is dropped; copy what outlives it. */
  value(index: number): Uint8Array;
  /** Append time, milliseconds. */
  timestampMs(index: number): number;
}

export interface Outgoing {
  readonly topic: string;
  readonly key: string;
  readonly value: string | Uint8Array;
  /** Unset: murmur2 of the key, as Kafka's default partitioner does. */
  readonly partition?: number;
}

/** A change of a group's stored state; null removes the key. Lands in `<group>.changelog.v1`. */
export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface Commit {
  readonly outputs: readonly Outgoing[];
  readonly state: readonly StateChange[];
  /** Offset of the next record to read. */
  readonly nextOffset: number;
}

/**
 * committed: all visible. aborted: nothing visible, do it again. fenced: another member owns the partition.
 */
export type CommitOutcome = 'committed' | 'aborted' | 'fenced';
