// Folding the input of a partition again for some of its instruments, by the same edge as live: records in
// order of offset, a calendar that goes with them, a state that leaves at a barrier. What is made on the way
// was committed long ago and is thrown away.

import { readCalendar, runKey, runKeyOf } from '../actors/calendar.ts';
import { keyHash } from '../actors/domain/murmur2.ts';
import { foldShare } from '../actors/fold.ts';
import { asOf, type Barrier, barrierOf, placed, versionOf } from '../actors/layout.ts';
import { CALENDAR_KEY } from '../actors/router-work.ts';
import { type Slot, unreadableSlot } from '../actors/slot.ts';
import type { StageRecord } from '../actors/stage.ts';
import { NO_RESTARTS } from '../actors/supervision.ts';
import type { Batch, TopicPartition } from './log/log.ts';

const ENDLESS = { intensity: Number.POSITIVE_INFINITY, periodMs: 1 };

/** One instrument as it is folded again. */
export class Again {
  readonly #fresh: Slot;
  slot: Slot;
  /** What came of it, in words. */
  decision = '';
  folded = 0;
  /** Of them, those that the log no longer holds. */
  gone = 0;
  /** It left this partition at a barrier. */
  left = false;
  #parked = false;

  /** `parkedFrom`: the first record that it did not fold and that waits in the parking. */
  constructor(
    readonly id: string,
    fresh: Slot,
    readonly quarantined: boolean,
    readonly parkedFrom: (TopicPartition & { readonly offset: number }) | null,
  ) {
    this.#fresh = fresh;
    this.slot = fresh;
  }

  lacks(what: string): void {
    this.slot = unreadableSlot(this.slot.stage, what);
  }

  /** Its state went away, and records that come behind it begin a new one. */
  restart(): void {
    if (this.slot.unusable === null) this.slot = this.#fresh;
  }

  /** It, and all that follow, wait in the parking. */
  isParked({ topic, partition }: TopicPartition, offset: number): boolean {
    const from = this.parkedFrom;
    if (from?.topic === topic && from.partition === partition && from.offset <= offset) this.#parked = true;
    return this.#parked;
  }

  /** As live: a defect costs its record, which was refused then and is passed over now. */
  take(
    records: readonly StageRecord[],
    advanceToMs: number | null,
    nowMs: number,
    source: string,
    outputBytesMax: number,
  ): void {
    if (this.slot.unusable !== null) return;
    const plain = { kind: 'fold', slotKey: '', seq: 0, renewed: false } as const;
    const message = { ...plain, source, records, owedMs: null, advanceToMs, nowMs };
    const { slot } = foldShare(this.slot, message, { quarantine: ENDLESS, outputBytesMax });
    this.slot = slot.noting(NO_RESTARTS);
    this.folded += records.length;
  }
}

/** One pass over a partition. */
export class Refolding {
  readonly #of: TopicPartition;
  readonly #until: number;
  readonly #outputBytesMax: number;
  readonly #all: ReadonlyMap<string, Again>;
  readonly #calendar = new Map<string, number>();

  /** Offsets from `until` on were not folded. */
  constructor(of: TopicPartition, until: number, outputBytesMax: number, all: ReadonlyMap<string, Again>) {
    this.#of = of;
    this.#until = until;
    this.#outputBytesMax = outputBytesMax;
    this.#all = all;
    for (const again of all.values()) again.left = false;
  }

  fold(batch: Batch): void {
    const barrier = barrierOf(batch);
    if (barrier !== null) return this.#barrier(barrier);
    const shares = new Map<string, StageRecord[]>();
    const news = new Set<string>();
    for (let index = 0; index < batch.count && batch.offset(index) < this.#until; index += 1) {
      const key = batch.key(index);
      const again = this.#all.get(key);
      if (again !== undefined) this.#share(again, shares, batch, index);
      else if (key === CALENDAR_KEY) this.#note(batch.value(index), news);
    }
    // What was folded as of its arrival was folded soon after it came.
    const arrivedMs = batch.timestampMs(batch.count - 1);
    const source = `${this.#of.topic}/${this.#of.partition}`;
    for (const [id, again] of this.#all) {
      const records = shares.get(id) ?? [];
      const run = runKeyOf(id);
      // What is in quarantine hears of the calendar when it is released.
      const toMs = again.quarantined ? null : (this.#calendar.get(run) ?? null);
      if (records.length > 0 || (again.folded > 0 && !again.left && news.has(run)))
        again.take(records, toMs, arrivedMs, source, this.#outputBytesMax);
    }
  }

  #share(again: Again, shares: Map<string, StageRecord[]>, batch: Batch, index: number): void {
    const offset = batch.offset(index);
    if (again.left || again.isParked(this.#of, offset)) return;
    const share = shares.get(again.id) ?? [];
    share.push({ offset, value: batch.value(index) });
    shares.set(again.id, share);
  }

  /** The state goes where the barrier says; in the partition that is read last, it was another one. */
  #barrier({ layout }: Barrier): void {
    const before = asOf(layout, versionOf(layout) - 1);
    for (const again of this.#all.values()) {
      const hash = keyHash(again.id);
      const moves =
        placed(before, hash) === this.#of.partition && placed(layout, hash) !== this.#of.partition;
      if (!moves) continue;
      if (this.#until === Number.POSITIVE_INFINITY) again.left = true;
      else again.restart();
    }
  }

  #note(value: Uint8Array, news: Set<string>): void {
    const found = readCalendar(value);
    if (found === null) return;
    const key = runKey(found);
    news.add(key);
    this.#calendar.set(key, Math.max(this.#calendar.get(key) ?? 0, found.toMs));
  }
}
