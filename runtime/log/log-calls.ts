// What a thread without a log of its own asks the thread that has one, as messages: the port of log.ts with
// each member by its number. A batch travels as it is stored, so that what was packed stays packed.

import { batchView, type StoredView, storedView } from './batch-view.ts';
import type { Batch, Commit, Outgoing, StateChange, TopicPartition, TopicSpec } from './log.ts';
import { Opened } from './stored-batch.ts';

export type LogCall =
  | { readonly call: 'bootstrap'; readonly topics: readonly TopicSpec[] }
  | { readonly call: 'topics' }
  | { readonly call: 'layout'; readonly topic: string }
  | { readonly call: 'increase'; readonly topic: string; readonly partitions: number }
  | {
      readonly call: 'join';
      readonly member: number;
      readonly group: string;
      readonly topics: readonly string[];
      readonly worker: string | null;
    }
  | MemberCall
  | {
      readonly call: 'append';
      readonly writer: string;
      readonly outputs: readonly Outgoing[];
      readonly state: readonly StateChange[];
    }
  | { readonly call: 'writer-state'; readonly writer: string }
  | { readonly call: 'lag'; readonly group: string }
  | { readonly call: 'offset-at'; readonly of: TopicPartition; readonly timestampMs: number }
  | {
      readonly call: 'read';
      readonly of: TopicPartition;
      readonly fromOffset: number;
      readonly recordsMax: number;
    }
  | { readonly call: 'end' | 'start'; readonly of: TopicPartition }
  | { readonly call: 'appended'; readonly topics: readonly string[] }
  | { readonly call: 'retain'; readonly nowMs: number }
  | { readonly call: 'health' };

/** Asked of one member. */
export type MemberCall = { readonly member: number } & (
  | { readonly call: 'poll'; readonly of: TopicPartition; readonly recordsMax: number }
  | { readonly call: 'seek'; readonly of: TopicPartition; readonly offset: number }
  | { readonly call: 'committed'; readonly of: TopicPartition }
  | { readonly call: 'commit'; readonly of: TopicPartition; readonly commit: Commit }
  | { readonly call: 'state'; readonly of: TopicPartition }
  | { readonly call: 'stored'; readonly of: TopicPartition }
  | { readonly call: 'leave' }
);

/** Told to the thread without a log: what a member of its own owns now. */
export interface Assigned {
  readonly call: 'assigned';
  readonly member: number;
  readonly partitions: readonly TopicPartition[];
  readonly generation: number;
}

export type SentBatch = StoredView | null;

export function sentBatch(batch: Batch | null): SentBatch {
  return batch === null ? null : storedView(batch);
}

export function receivedBatch(sent: SentBatch): Batch | null {
  if (sent === null) return null;
  const opened = sent.stored.map((each) => new Opened(each, null));
  return batchView(sent.of, opened, sent.skip, sent.recordsMax);
}
