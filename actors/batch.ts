// What a partition's router works on and what it asks to be committed: the vocabulary that the pure side and
// the log share. The log's port (runtime/log/log.ts) speaks in these words.

import type { Choice } from './layout.ts';

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
  /** Of a parked record: where it stood before. */
  origin?(index: number): Place;
  /**
   * Values of the records [from, to), each ended by a newline, in pieces that are one text. For topics whose
   * values are JSON texts of ours, which hold no newline. Valid as long as `value`.
   */
  lines(from: number, to: number): readonly Piece[];
}

/** A piece of text in UTF-8; `zstd`: packed, as a frame of its own. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly zstd: boolean;
}

/** Many records of one key, built as bytes: JSON texts that hold no newline, each ended by one. */
export interface Lines {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** One record, or the many of `Lines`. */
export type OutputValue = string | Uint8Array | Lines;

export const NEWLINE = 10;

export function isLines(value: OutputValue): value is Lines {
  return typeof value !== 'string' && !(value instanceof Uint8Array);
}

/** The records of a value, one by one. */
export function* recordsOf(value: OutputValue): Iterable<string | Uint8Array> {
  if (!isLines(value)) {
    yield value;
    return;
  }
  const { bytes } = value;
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, from);
    yield bytes.subarray(from, end);
    from = end + 1;
  }
}

/** Where a record stands. */
export interface Place extends TopicPartition {
  readonly offset: number;
}

export interface Outgoing {
  readonly topic: string;
  readonly key: string;
  readonly value: OutputValue;
  /** Unset: where the topic's layout places the key. */
  readonly partition?: Choice;
}

/** A change of a group's stored state; null removes the key. Lands in `<group>.changelog.v1`. */
export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | null;
  /** Another partition of the same topic, to which the state is handed over; unset: the input's own. */
  readonly partition?: number;
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
