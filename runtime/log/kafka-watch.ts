// Wakes those who wait for something to be appended: one look at the ends of all topics that are waited for,
// again and again while anybody waits. Waking once too often is allowed, missing an append is not: an end is
// compared with the last one seen before the wait began.

import type { KafkaCluster } from './kafka-cluster.ts';
import { ends } from './kafka-fetch.ts';
import { Waiters } from './waiters.ts';

const LOOK_MS = 20;
const LOOK_MS_IDLE = 80;
const LOOK_MS_FAILED = 500;
const IDLE_LOOKS = 50;

export class Watch {
  readonly #cluster: KafkaCluster;
  readonly #waiters = new Waiters();
  readonly #seen = new Map<string, number>();
  #looking = false;
  #closed = false;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return Promise.resolve();
    const woken = this.#waiters.wait(topics, signal);
    if (!this.#looking) void this.#look();
    return woken;
  }

  close(): void {
    this.#closed = true;
    this.#waiters.wakeAll();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    let quiet = 0;
    while (this.#waiters.size > 0 && !this.#closed) {
      let pauseMs = quiet < IDLE_LOOKS ? LOOK_MS : LOOK_MS_IDLE;
      try {
        quiet = (await this.#once()) ? 0 : quiet + 1;
      } catch {
        // The readers meet the same fault where it can be told; here it only means to look again.
        pauseMs = LOOK_MS_FAILED;
      }
      await Bun.sleep(pauseMs);
    }
    this.#looking = false;
  }

  /** Whether anything moved. */
  async #once(): Promise<boolean> {
    const waiting = this.#waiters.all();
    const topics = [...new Set(waiting.flatMap((each) => each.topics))];
    const partitions = [];
    for (const topic of topics) {
      const count = await this.#cluster.partitions(topic);
      for (let partition = 0; partition < count; partition += 1) partitions.push({ topic, partition });
    }
    const found = await ends(this.#cluster, partitions, true);
    const moved = new Set<string>();
    for (const { topic, partition } of partitions) {
      const place = `${topic}/${partition}`;
      const end = found.get(place) ?? 0;
      if (end > (this.#seen.get(place) ?? 0)) moved.add(topic);
      this.#seen.set(place, end);
    }
    this.#waiters.wake(moved, waiting);
    return moved.size > 0;
  }
}
