// One batch over several stored ones, as the port shows it: no record is an object, no byte is copied.

import type { Batch, Piece, TopicPartition } from './log.ts';
import type { Opened, StoredBatch } from './stored-batch.ts';

/** What a view is made of, without functions: it can be sent to another thread and be a view there. */
export interface StoredView {
  readonly of: TopicPartition;
  readonly stored: readonly Omit<StoredBatch, 'checksum'>[];
  readonly skip: number;
  readonly recordsMax: number;
}

const made = new WeakMap<Batch, () => StoredView>();

/** Throws for a batch that is no view of stored ones. */
export function storedView(batch: Batch): StoredView {
  const view = made.get(batch);
  if (view === undefined) throw new Error(`records of ${batch.topic} do not stand in this process`);
  return view();
}

/**
 * One batch over several stored ones; `skip` records of the first are left out, and at most `recordsMax`
 * taken.
 */
export function batchView(
  of: TopicPartition,
  opened: readonly Opened[],
  skip: number,
  recordsMax: number,
): Batch {
  const held = opened.reduce((sum, each) => sum + each.count, 0);
  const count = Math.min(recordsMax, held - skip);
  const starts: number[] = [];
  let sum = 0;
  for (const each of opened) {
    starts.push(sum);
    sum += each.count;
  }
  let last = 0;
  const place = (index: number): { readonly from: Opened; readonly at: number } => {
    const wanted = index + skip;
    if (wanted < (starts[last] ?? 0)) last = 0;
    while (last + 1 < starts.length && wanted >= (starts[last + 1] ?? 0)) last += 1;
    const from = opened[last];
    if (from === undefined || index < 0 || index >= count)
      throw new RangeError(`no record ${index} of ${count}`);
    return { from, at: wanted - (starts[last] ?? 0) };
  };
  const offset = (index: number): number => {
    const { from, at } = place(index);
    return from.baseOffset + at;
  };
  const view: Batch = {
    ...of,
    count,
    nextOffset: offset(count - 1) + 1,
    offset,
    key(index) {
      const { from, at } = place(index);
      return from.key(at);
    },
    value(index) {
      const { from, at } = place(index);
      return from.value(at);
    },
    timestampMs: (index) => place(index).from.appendedMs,
    lines(from, to) {
      const pieces: Piece[] = [];
      for (const [n, each] of opened.entries()) {
        const start = (starts[n] ?? 0) - skip;
        const first = Math.max(0, from - start);
        const end = Math.min(each.count, to - start);
        if (first < end) pieces.push(each.lines(first, end));
      }
      return pieces;
    },
  };
  const at = { topic: of.topic, partition: of.partition };
  made.set(view, () => ({ of: at, stored: opened.map((each) => each.stored), skip, recordsMax }));
  return view;
}
