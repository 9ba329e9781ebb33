// Offsets that retention has overtaken: a group was away, or behind, for longer than its topic keeps records.
// What is gone is never read here; it is told once by an event, and by health until the process ends.

import type { Log, Member, TopicPartition } from './log/log.ts';

/** Offsets of a partition, from and up to, that were gone before the group read them. */
export interface Gap extends TopicPartition {
  readonly from: number;
  readonly to: number;
}

/**
 * Null: what comes next is there, or the group is new to the partition. Offsets without records count, where
 * a log has any. `stored`: the position that is stored with the group's state; null: there is none.
 */
export async function overtaken(
  log: Log,
  member: Member,
  of: TopicPartition,
  stored: number | null,
): Promise<Gap | null> {
  const [to, committed] = await Promise.all([log.start(of), member.committed(of)]);
  // A group that has skipped what holds no records has committed that, and stored nothing.
  const from = Math.max(stored ?? 0, committed);
  return from === 0 || to <= from ? null : { ...of, from, to };
}

/** Those that a group has noticed in this process. */
export class Gaps {
  readonly #all = new Map<string, Gap>();

  get all(): readonly Gap[] {
    return [...this.#all.values()];
  }

  /** Whether it is news. */
  add(gap: Gap | null): gap is Gap {
    if (gap === null) return false;
    const place = `${gap.topic}/${gap.partition}`;
    const known = this.#all.get(place)?.to === gap.to;
    this.#all.set(place, gap);
    return !known;
  }
}

export const REMEDY =
  'feed those days again (POST /backfill, or bun run replay); log.retention_hours says how long records stay';

export function inWords({ topic, partition, from, to }: Gap): string {
  return `retention took offsets ${from} to ${to - 1} of ${topic}/${partition} before they were read`;
}
