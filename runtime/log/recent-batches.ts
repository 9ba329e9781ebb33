// The newest batches as they were written, so that readers who keep pace unpack nothing. Bounded in bytes,
// oldest out first; a batch comes in only when its transaction is durable.

import type { Opened } from './stored-batch.ts';

const BYTES_MAX = 64 * 1024 * 1024;

interface Held {
  readonly tp: number;
  readonly batch: Opened;
  readonly bytes: number;
}

export class RecentBatches {
  readonly #byPartition = new Map<number, Opened[]>();
  #order: Held[] = [];
  #from = 0;
  #pending: Held[] = [];
  #bytes = 0;

  /** Written, not yet durable. */
  add(tp: number, batch: Opened): void {
    this.#pending.push({ tp, batch, bytes: batch.bytesHeld });
  }

  /** What was added is durable now. */
  keep(): void {
    for (const held of this.#pending) {
      const found = this.#byPartition.get(held.tp);
      if (found === undefined) this.#byPartition.set(held.tp, [held.batch]);
      else found.push(held.batch);
      this.#order.push(held);
      this.#bytes += held.bytes;
    }
    this.#pending = [];
    while (this.#bytes > BYTES_MAX) this.#dropOldest();
  }

  /** What was added was rolled back. */
  forget(): void {
    this.#pending = [];
  }

  /** Retention removed records: what is left is read from the file. */
  clear(): void {
    this.#byPartition.clear();
    this.#order = [];
    this.#from = 0;
    this.#bytes = 0;
  }

  /** The batch that holds this offset; null when it is not here. */
  find(tp: number, offset: number): Opened | null {
    const held = this.#byPartition.get(tp);
    if (held === undefined) return null;
    let low = 0;
    let high = held.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((held[middle]?.baseOffset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const batch = held[low - 1];
    return batch !== undefined && offset < batch.baseOffset + batch.count ? batch : null;
  }

  #dropOldest(): void {
    const oldest = this.#order[this.#from];
    if (oldest === undefined) return;
    this.#from += 1;
    this.#bytes -= oldest.bytes;
    this.#byPartition.get(oldest.tp)?.shift();
    if (this.#from < 1_000) return;
    this.#order = this.#order.slice(this.#from);
    this.#from = 0;
  }
}
