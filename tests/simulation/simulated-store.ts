// What the simulated log holds, as plain as can be: arrays of records, maps of state and offsets, and the
// coordinator of each group. It is the brokers' side, so it outlives every process. A transaction is one
// call: nothing of it is seen before, all of it after.

import { type Batch, NEWLINE, type Outgoing, recordsOf, type StateChange } from '../../actors/batch.ts';
import { keyHash } from '../../actors/domain/murmur2.ts';
import { barrierValue, baseLayout, chosen, grown, LAYOUT_KEY, type Layout } from '../../actors/layout.ts';
import type { TopicPartition, TopicSpec } from '../../runtime/log/log.ts';

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** The value and a newline: as a part of a text of many records. */
  readonly line: Uint8Array;
  readonly timestampMs: number;
}

/** Null: an offset that a transaction's marker takes. */
type Entry = StoredRecord | null;

export interface Seat {
  readonly listener: (partitions: readonly TopicPartition[], generation: number) => void;
  owned: readonly TopicPartition[];
  /** Generation since which it has had each of its partitions without a break. */
  since: ReadonlyMap<string, number>;
}

interface Coordinator {
  partitions: readonly TopicPartition[];
  readonly seats: Seat[];
  generation: number;
}

export const VALUE_BYTES_MAX = 1_000_000;
const encoder = new TextEncoder();
export const placeOf = (of: TopicPartition): string => `${of.topic}/${of.partition}`;

export class SimulatedStore {
  readonly topics = new Map<string, TopicSpec>();
  readonly #entries = new Map<string, Entry[][]>();
  readonly #state = new Map<string, Map<string, Uint8Array>>();
  readonly #offsets = new Map<string, number>();
  readonly #groups = new Map<string, Coordinator>();
  readonly #layouts = new Map<string, Layout>();
  /** Who writes under each name now: one process at a time. */
  readonly writers = new Map<string, unknown>();
  /** Parts of stored states that were damaged; one that stands there still was not written over. */
  readonly damages: { readonly owner: string; readonly key: string; readonly bytes: Uint8Array }[] = [];
  /** Is told of every position that a group commits, before it counts. */
  watch: ((group: string, of: TopicPartition, from: number, to: number) => void) | null = null;

  /** `markers` offsets are taken by each transaction on each partition that it writes. */
  constructor(readonly markers: number) {}

  spec(topic: string): TopicSpec {
    const found = this.topics.get(topic);
    if (found === undefined) throw new RangeError(`topic ${topic} does not exist`);
    return found;
  }

  layout(topic: string): Layout {
    return this.#layouts.get(topic) ?? baseLayout(this.spec(topic).partitions);
  }

  /** Partition that records of a key go to by now. */
  homeOf(topic: string, key: string): number | undefined {
    return chosen(
      topic,
      undefined,
      () => keyHash(key),
      (of) => this.layout(of),
    )[0];
  }

  /** The layout grows and the barriers are there at once; then every group that reads it is split anew. */
  increase(topic: string, partitions: number, nowMs: number): void {
    const spec = this.spec(topic);
    if (spec.partitions >= partitions) return;
    const layout = grown(this.layout(topic), partitions);
    const value = barrierValue({ topic, layout }, nowMs);
    const added = Array.from({ length: partitions - spec.partitions }, (_, n) => ({
      topic,
      partition: spec.partitions + n,
    }));
    const barrier = { topic, key: LAYOUT_KEY, value };
    const older = Array.from({ length: spec.partitions }, (_, partition) => ({ ...barrier, partition }));
    this.transact('layouts', older, [], nowMs);
    this.#layouts.set(topic, layout);
    this.topics.set(topic, { ...spec, partitions });
    for (const group of this.#groups.values()) {
      if (!group.partitions.some((each) => each.topic === topic)) continue;
      group.partitions = [...group.partitions, ...added];
      this.rebalance(group);
    }
  }

  entries(of: TopicPartition): Entry[] {
    const found = this.#entries.get(of.topic)?.[of.partition];
    if (found !== undefined) return found;
    const { partitions } = this.spec(of.topic);
    if (of.partition < 0 || of.partition >= partitions) throw new RangeError(`no partition ${placeOf(of)}`);
    const all = this.#entries.get(of.topic) ?? [];
    while (all.length < partitions) all.push([]);
    this.#entries.set(of.topic, all);
    return this.entries(of);
  }

  end(of: TopicPartition): number {
    return this.entries(of).length;
  }

  state(owner: string): Map<string, Uint8Array> {
    const found = this.#state.get(owner);
    if (found !== undefined) return found;
    const made = new Map<string, Uint8Array>();
    this.#state.set(owner, made);
    return made;
  }

  committed(group: string, of: TopicPartition): number {
    return this.#offsets.get(`${group} ${placeOf(of)}`) ?? 0;
  }

  setCommitted(group: string, of: TopicPartition, offset: number): void {
    this.watch?.(group, of, this.committed(group, of), offset);
    this.#offsets.set(`${group} ${placeOf(of)}`, offset);
  }

  /** Outputs and state at once. Throws a RangeError for what cannot be stored, and stores nothing then. */
  transact(
    owner: string,
    outputs: readonly Outgoing[],
    state: readonly StateChange[],
    nowMs: number,
  ): Set<string> {
    const written: (readonly [Entry[], StoredRecord])[] = [];
    for (const { topic, key, value, partition: choice } of outputs) {
      for (const partition of chosen(
        topic,
        choice,
        () => keyHash(key),
        (of) => this.layout(of),
      )) {
        const entries = this.entries({ topic, partition });
        for (const each of recordsOf(value)) {
          const bytes = typeof each === 'string' ? encoder.encode(each) : each.slice();
          if (bytes.length > VALUE_BYTES_MAX) throw new RangeError(`a record of ${bytes.length} bytes`);
          written.push([entries, { key, value: bytes, line: lineOf(bytes), timestampMs: nowMs }]);
        }
      }
    }
    for (const [entries, record] of written) entries.push(record);
    for (const entries of new Set(written.map(([each]) => each))) {
      for (let n = 0; n < this.markers; n += 1) entries.push(null);
    }
    for (const { key, value } of state) this.change(owner, key, value);
    return new Set(outputs.map(({ topic }) => topic));
  }

  damage(owner: string, key: string, bytes: Uint8Array): void {
    this.damages.push({ owner, key, bytes });
    this.state(owner).set(key, bytes);
  }

  change(owner: string, key: string, value: Uint8Array | null): void {
    if (value === null) this.state(owner).delete(key);
    else this.state(owner).set(key, value.slice());
  }

  batch(of: TopicPartition, fromOffset: number, recordsMax: number): Batch | null {
    const entries = this.entries(of);
    const found: (readonly [number, StoredRecord])[] = [];
    for (let at = Math.max(0, fromOffset); at < entries.length && found.length < recordsMax; at += 1) {
      const entry = entries[at];
      if (entry === null || entry === undefined) continue;
      // A barrier is shown alone.
      if (entry.key === LAYOUT_KEY && found.length > 0) break;
      found.push([at, entry]);
      if (entry.key === LAYOUT_KEY) break;
    }
    return found.length === 0 ? null : batchOf(of, found);
  }

  /** Whether a record stands at an offset or after it. */
  hasMore(of: TopicPartition, fromOffset: number): boolean {
    const entries = this.entries(of);
    for (let at = Math.max(0, fromOffset); at < entries.length; at += 1) if (entries[at]) return true;
    return false;
  }

  coordinator(group: string, topics: readonly string[]): Coordinator {
    const found = this.#groups.get(group);
    if (found !== undefined) return found;
    const partitions = topics.flatMap((topic) =>
      Array.from({ length: this.spec(topic).partitions }, (_, partition) => ({ topic, partition })),
    );
    const made: Coordinator = { partitions, seats: [], generation: 0 };
    this.#groups.set(group, made);
    return made;
  }

  partitionsOf(group: string): readonly TopicPartition[] {
    return this.#groups.get(group)?.partitions ?? [];
  }

  /** Splits the partitions anew over the seats of a group; who lost one is fenced from here on. */
  rebalance(of: Coordinator): void {
    of.generation += 1;
    for (const [n, seat] of of.seats.entries()) {
      const before = seat.since;
      seat.owned = of.partitions.filter((_, at) => (at + of.generation) % of.seats.length === n);
      seat.since = new Map(
        seat.owned.map((each) => [placeOf(each), before.get(placeOf(each)) ?? of.generation]),
      );
      seat.listener(seat.owned, of.generation);
    }
  }
}

function batchOf(of: TopicPartition, records: readonly (readonly [number, StoredRecord])[]): Batch {
  const at = (index: number): readonly [number, StoredRecord] => {
    const found = records[index];
    if (found === undefined) throw new RangeError(`no record ${index}`);
    return found;
  };
  return {
    ...of,
    count: records.length,
    nextOffset: at(records.length - 1)[0] + 1,
    offset: (index) => at(index)[0],
    key: (index) => at(index)[1].key,
    value: (index) => at(index)[1].value,
    timestampMs: (index) => at(index)[1].timestampMs,
    lines: (from, to) => records.slice(from, to).map(([, { line }]) => ({ bytes: line, zstd: false })),
  };
}

function lineOf(value: Uint8Array): Uint8Array {
  const line = new Uint8Array(value.length + 1);
  line.set(value);
  line[value.length] = NEWLINE;
  return line;
}
