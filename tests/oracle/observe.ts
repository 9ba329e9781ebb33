// Naive observations: the versions of each interval side by side, the greatest is the value, a change is a
// version unlike the one before it. What bars, metrics and curves of the oracle are made from.

import { groupBy } from './group.ts';
import type { Priced } from './read.ts';

export interface Observation {
  readonly startMs: number;
  readonly endMs: number;
  /** The operator's text. */
  readonly price: string;
  /** Value changes along the order of versions; the first counts. */
  readonly changes: number;
}

export interface Observed {
  readonly market: string;
  readonly run: string;
  readonly location: string;
  /** Length of an interval. */
  readonly minutes: number;
  /** By event time. */
  readonly observations: readonly Observation[];
}

/**
 * Order among versions that were published at the same instant; the rule says "by the hash of the values",
 * and which hash that is only the product knows. Recordings have no such versions.
 */
export type TieBreak = (of: Priced) => string;

const NO_TIES: TieBreak = () => '';

/** By instrument. */
export function observe(recordings: readonly Priced[], tie: TieBreak = NO_TIES): Observed[] {
  const instruments = groupBy(recordings, (each) => `${each.market}|${each.run}|${each.location}`);
  return [...instruments].map(([id, priced]) => {
    const [market = '', run = '', location = ''] = id.split('|');
    const intervals = [...groupBy(priced, (each) => String(each.startMs)).values()];
    const observations = intervals.map((versions) => observationOf(versions, tie));
    observations.sort((a, b) => a.startMs - b.startMs);
    const first = observations[0];
    const minutes = first === undefined ? 0 : (first.endMs - first.startMs) / 60_000;
    return { market, run, location, minutes, observations };
  });
}

function observationOf(versions: readonly Priced[], tie: TieBreak): Observation {
  const sorted = [...versions].sort(
    (a, b) => (a.publishedMs ?? 0) - (b.publishedMs ?? 0) || (tie(a) < tie(b) ? -1 : 1),
  );
  let changes = 0;
  for (const [n, version] of sorted.entries()) if (version.values !== sorted[n - 1]?.values) changes += 1;
  const last = sorted[sorted.length - 1];
  if (last === undefined) throw new Error('no version');
  return { startMs: last.startMs, endMs: last.endMs, price: last.price, changes };
}
