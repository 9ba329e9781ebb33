// Handing over: when an input partition reads a barrier, everything stored of the instruments that move goes
// to the partitions that the layout adds, in the same commit as the position behind the barrier. So an
// instrument is always stored in one place, and a partition that was added is whole when each older one has
// left its mark.

import type { StateChange } from './batch.ts';
import { Defect, invariant, present } from './domain/invariant.ts';
import { keyHash } from './domain/murmur2.ts';
import { sealJson, unsealJson } from './domain/sealed.ts';
import {
  asLayout,
  asOf,
  type Barrier,
  bornAt,
  type Layout,
  partitionsOf,
  placed,
  versionOf,
} from './layout.ts';
import { movedHome, quarantinedId } from './quarantine.ts';

/** Layout that a partition has read up to; absent: version 1. */
export const LAYOUT_STATE = 'r:layout';
const MARK = /^h:(\d+):(\d+)$/;

/** Left by an older partition: it has read the barrier and given what it had. */
export interface Mark {
  readonly version: number;
  readonly from: number;
  readonly layout: Layout;
  /** How far each run's calendar had got there, by run key, milliseconds. */
  readonly calendar: ReadonlyMap<string, number>;
}

export interface HandOver {
  readonly changes: readonly StateChange[];
  /** Instruments that left. */
  readonly moved: ReadonlySet<string>;
}

type Stored = readonly (readonly [key: string, value: Uint8Array])[];

/** Key that names an instrument: `i:<id>\u0000<part>` or a quarantine. Null: it belongs to the partition. */
function instrumentOf(key: string): string | null {
  return key.startsWith('i:') ? key.slice(2, key.indexOf('\u0000')) : quarantinedId(key);
}

/** What the commit behind a barrier changes. A barrier of the past changes nothing. */
export function handOver(
  stored: Stored,
  barrier: Barrier,
  partition: number,
  known: Layout | null,
  calendar: ReadonlyMap<string, number>,
): HandOver {
  const { layout } = barrier;
  if (known !== null && versionOf(known) >= versionOf(layout)) return { changes: [], moved: new Set() };
  const step = present(layout.steps.at(-1), 'the last step of a barrier');
  const before = asOf(layout, versionOf(layout) - 1);
  const changes: StateChange[] = [];
  const moved = new Set<string>();
  for (const [key, value] of stored) {
    const id = instrumentOf(key);
    if (id === null) continue;
    const hash = keyHash(id);
    const place = placed(layout, hash);
    // What stands here although it belonged to another partition came from outside, and stays.
    if (place < step.from || placed(before, hash) !== partition) continue;
    moved.add(id);
    const quarantined = quarantinedId(key) !== null;
    changes.push({ key, value: null });
    changes.push({ key, value: quarantined ? movedHome(value, partition) : value, partition: place });
  }
  const mark = sealJson(1, { layout, calendar: Object.fromEntries(calendar) });
  for (let to = step.from; to < step.to; to += 1) {
    changes.push({ key: `h:${versionOf(layout)}:${partition}`, value: mark, partition: to });
  }
  changes.push({ key: LAYOUT_STATE, value: sealJson(1, layout) });
  return { changes, moved };
}

/** Null: not the key of a mark. Throws a Defect for a damaged one. */
export function readMark(key: string, value: Uint8Array): Mark | null {
  const [, version, from] = MARK.exec(key) ?? [];
  if (version === undefined) return null;
  const { layout, calendar }: { layout?: unknown; calendar?: Record<string, number> } = Object(
    unsealJson(value, [1]),
  );
  return {
    version: Number(version),
    from: Number(from),
    layout: readLayout(layout),
    calendar: new Map(Object.entries(calendar ?? {})),
  };
}

export function storedLayout(value: Uint8Array): Layout {
  return readLayout(unsealJson(value, [1]));
}

function readLayout(stored: unknown): Layout {
  const layout = asLayout(stored);
  if (layout === null) throw new Defect('a stored layout is none');
  return layout;
}

/** Older partitions that have not handed over to `partition` yet; `layout` is the log's own, as of now. */
export function awaited(layout: Layout, partition: number, marks: readonly Mark[]): readonly number[] {
  const born = bornAt(layout, partition);
  if (born === 1) return [];
  // Not there yet: the step that adds it is still being made.
  if (born === null) return Array.from({ length: partitionsOf(layout) }, (_, from) => from);
  const step = layout.steps[born - 2];
  invariant(step !== undefined, `version ${born} has a step`);
  const there = new Set(marks.filter(({ version }) => version === born).map(({ from }) => from));
  return Array.from({ length: step.from }, (_, from) => from).filter((from) => !there.has(from));
}

/** The later of each run's calendars. */
export function latestCalendar(
  own: ReadonlyMap<string, number>,
  marks: readonly Mark[],
): ReadonlyMap<string, number> {
  const all = new Map(own);
  for (const { calendar } of marks) {
    for (const [run, ms] of calendar) all.set(run, Math.max(all.get(run) ?? 0, ms));
  }
  return all;
}
