// Reading the embedded log: a view over as many stored batches as were asked for, the newest of them as they
// were written. A barrier, which is stored alone, is shown alone.

import { LAYOUT_KEY } from '../../actors/layout.ts';
import { batchView } from './batch-view.ts';
import type { Store } from './embedded-store.ts';
import type { Batch, TopicPartition } from './log.ts';
import type { RecentBatches } from './recent-batches.ts';
import { type Opened, openStored } from './stored-batch.ts';

export class Reader {
  readonly #store: Store;
  readonly #recent: RecentBatches;

  constructor(store: Store, recent: RecentBatches) {
    this.#store = store;
    this.#recent = recent;
  }

  view(of: TopicPartition, tp: number, fromOffset: number, recordsMax: number): Batch | null {
    const opened: Opened[] = [];
    let held = 0;
    for (let next = fromOffset; held < recordsMax; ) {
      const more = this.#opened(of, tp, next);
      if (more === null) break;
      const fresh = more.count - Math.max(0, next - more.baseOffset);
      // A stored batch is taken whole where it can be: it goes to a sink as it stands.
      if (opened.length > 0 && (held + fresh > recordsMax || isBarrier(more))) break;
      opened.push(more);
      if (isBarrier(more)) break;
      held += fresh;
      next = more.baseOffset + more.count;
    }
    const [first] = opened;
    if (first === undefined) return null;
    return batchView(of, opened, Math.max(0, fromOffset - first.baseOffset), recordsMax);
  }

  #opened(of: TopicPartition, tp: number, offset: number): Opened | null {
    const recent = this.#recent.find(tp, offset);
    if (recent !== null) return recent.forReader();
    const stored = this.#store.batchAt(of, tp, offset);
    if (stored === null) return null;
    try {
      return openStored(of, stored);
    } catch (error) {
      throw this.#store.failed(error);
    }
  }
}

function isBarrier(stored: Opened): boolean {
  return stored.count === 1 && stored.key(0) === LAYOUT_KEY;
}
