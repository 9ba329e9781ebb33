// Which partition a key belongs to, as a versioned record that the log keeps, never as what a client's
// metadata says now. A layout only grows: a step moves keys to the partitions it adds and to no others, so
// what was there before goes on undisturbed. Where a step takes effect in a partition, a barrier stands.
//
//   partition p < from:   … old records ─▶ barrier ─▶ records of keys that stayed; others are stragglers
//   partition q ≥ from:   held until every p has read its barrier and handed over, then its records

import type { Batch, TopicPartition } from './batch.ts';
import { hash64 } from './domain/hash.ts';
import { invariant } from './domain/invariant.ts';
import { mix } from './domain/murmur2.ts';
import { SCHEMA_VERSION } from './domain/wire.ts';

export interface Step {
  /** Number of partitions before, and after. */
  readonly from: number;
  readonly to: number;
}

/** Version 1 is the base alone: Kafka's default partitioner over `base` partitions. Each step adds one. */
export interface Layout {
  readonly base: number;
  readonly steps: readonly Step[];
}

/** From this place of a partition on the layout holds; its last step is the news. */
export interface Barrier {
  readonly topic: string;
  readonly layout: Layout;
}

/** Where an output goes when its key does not say it. */
export type Choice =
  | number
  /** Every partition of the topic. */
  | 'every'
  /** Every partition that may hold keys of this input partition, as of the version of the input's layout. */
  | { readonly beside: TopicPartition; readonly version: number };

/** Key of a barrier on every topic; never an instrument id. */
export const LAYOUT_KEY = '~layout';

export function baseLayout(partitions: number): Layout {
  return { base: partitions, steps: [] };
}

export function partitionsOf({ base, steps }: Layout): number {
  return steps.at(-1)?.to ?? base;
}

export function versionOf({ steps }: Layout): number {
  return 1 + steps.length;
}

export function grown(layout: Layout, to: number): Layout {
  const from = partitionsOf(layout);
  invariant(to > from, `a layout of ${from} partitions grows, it cannot become ${to}`);
  return { base: layout.base, steps: [...layout.steps, { from, to }] };
}

/** As it was at a version; the whole of it when it never got that far. */
export function asOf({ base, steps }: Layout, version: number): Layout {
  return { base, steps: steps.slice(0, Math.max(0, version - 1)) };
}

/**
 * Partition of a key by its `keyHash`. Every step draws anew among all partitions and moves the key only when
 * the draw is one that the step adds, so keys stay spread evenly.
 */
export function placed({ base, steps }: Layout, hash: number): number {
  let place = hash % base;
  let salt = 0;
  for (const { from, to } of steps) {
    salt += 1;
    const drawn = mix(hash, salt) % to;
    if (drawn >= from) place = drawn;
  }
  return place;
}

/** Version whose step added the partition; 1: it was there from the beginning. Null: it is not there yet. */
export function bornAt({ base, steps }: Layout, partition: number): number | null {
  if (partition < base) return 1;
  const at = steps.findIndex(({ to }) => partition < to);
  return at < 0 ? null : at + 2;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);
}

/** Partitions of `target` that may hold keys which stand in `partition` of `source`. */
export function besides(source: Layout, target: Layout, partition: number): readonly number[] {
  const [from, to] = [partitionsOf(source), partitionsOf(target)];
  const shared = Math.min(source.steps.length, target.steps.length);
  const alike = (at: number): boolean => source.steps[at]?.to === target.steps[at]?.to;
  if (source.base !== target.base || !range(0, shared).every(alike)) return range(0, to);
  if (to >= from) return [partition, ...range(from, to)];
  return partition < to ? [partition] : range(0, to);
}

/** Partitions that a record goes to. Throws a RangeError for one that the layout does not have. */
export function chosen(
  topic: string,
  choice: Choice | undefined,
  hash: () => number,
  layoutOf: (topic: string) => Layout,
): readonly number[] {
  const layout = layoutOf(topic);
  const count = partitionsOf(layout);
  if (choice === undefined) return [placed(layout, hash())];
  if (choice === 'every') return range(0, count);
  if (typeof choice !== 'number') {
    const { topic: input, partition } = choice.beside;
    return besides(asOf(layoutOf(input), choice.version), layout, partition);
  }
  if (choice < 0 || choice >= count) throw new RangeError(`${topic} has no ${choice}`);
  return [choice];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The record that stands for a barrier. `nowMs`: when it was decided. */
export function barrierValue({ topic, layout }: Barrier, nowMs: number): Uint8Array {
  const id = hash64(`layout|${topic}|${versionOf(layout)}`);
  return encoder.encode(
    JSON.stringify({
      event_id: id,
      trace_id: id,
      occurred_at: nowMs * 1_000,
      schema_version: SCHEMA_VERSION,
      producer: 'layouts',
      data_type: 'layout',
      topic,
      ...layout,
    }),
  );
}

/** Null: not the value of a barrier. */
export function readBarrier(value: Uint8Array): Barrier | null {
  const { topic, ...rest }: { topic?: unknown } & Partial<Layout> = Object(parsed(value));
  const layout = asLayout(rest);
  return typeof topic === 'string' && layout !== null ? { topic, layout } : null;
}

/** Null: what was stored is no layout. */
export function asLayout(stored: unknown): Layout | null {
  const { base, steps }: Partial<Layout> = Object(stored);
  if (!isCount(base) || !Array.isArray(steps)) return null;
  let last = base;
  const taken: Step[] = [];
  for (const each of steps) {
    const { from, to }: Partial<Step> = Object(each);
    if (from !== last || !isCount(to) || to <= last) return null;
    taken.push({ from, to });
    last = to;
  }
  return { base, steps: taken };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function parsed(value: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(value));
  } catch {
    return null;
  }
}

/** The barrier that a read shows as a batch of its own; null: these are records. */
export function barrierOf(batch: Batch): Barrier | null {
  return batch.count === 1 && batch.key(0) === LAYOUT_KEY ? readBarrier(batch.value(0)) : null;
}
