// Barriers that retention has taken away before a group has read them: a group that was away for long, or
// that is new to a topic which has grown. What stood before them is gone as well: they are as good as read.

import {
  asOf,
  type Barrier,
  barrierValue,
  LAYOUT_KEY,
  type Layout,
  readBarrier,
  versionOf,
} from '../actors/layout.ts';
import type { Batch, Log, TopicPartition } from './log/log.ts';

const READ_MAX = 1_000;

/**
 * Of a partition that has read up to `position` under `own`; null: under version 1. `layout`: the log's.
 * Empty where every barrier is still to be read. Throws what the log throws.
 */
export async function missedBarriers(
  log: Log,
  of: TopicPartition,
  position: number,
  own: Layout | null,
  layout: Layout | null,
): Promise<readonly Barrier[]> {
  const known = own === null ? 1 : versionOf(own);
  if (layout === null || versionOf(layout) <= known) return [];
  const first = await log.offsetAt(of, 0);
  // All from the position on is there, and so is the barrier.
  if (first === 0 || position > first) return [];
  const next = (await firstVersion(log, of, first)) ?? versionOf(layout) + 1;
  const missed: Barrier[] = [];
  for (let version = known + 1; version < next; version += 1)
    missed.push({ topic: of.topic, layout: asOf(layout, version) });
  return missed;
}

/** Version of the first barrier that is left; null: there is none. */
async function firstVersion(log: Log, of: TopicPartition, from: number): Promise<number | null> {
  for (let at = from; ; ) {
    const batch = await log.read(of, at, READ_MAX);
    if (batch === null) return null;
    for (let index = 0; index < batch.count; index += 1) {
      const barrier = batch.key(index) === LAYOUT_KEY ? readBarrier(batch.value(index)) : null;
      if (barrier !== null) return versionOf(barrier.layout);
    }
    at = batch.nextOffset;
  }
}

/** The next one as it would have been read before the position; null: there is none, or all are behind. */
export function missedBatch(
  of: TopicPartition,
  missed: readonly Barrier[],
  { layout, position }: { readonly layout: Layout | null; readonly position: number },
  nowMs: number,
): Batch | null {
  const known = layout === null ? 1 : versionOf(layout);
  const next = missed.find((each) => versionOf(each.layout) > known);
  if (next === undefined) return null;
  const value = barrierValue(next, nowMs);
  return {
    ...of,
    count: 1,
    nextOffset: position,
    offset: () => position - 1,
    key: () => LAYOUT_KEY,
    value: () => value,
    timestampMs: () => nowMs,
    lines: () => [],
  };
}
