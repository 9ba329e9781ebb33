// Wakes those who wait for something to be appended: one look at the ends of all topics that are waited for,
// again and again while anybody waits. Waking once too often is allowed, missing an append is not: who came
// while a look was under way is woken by what it found, because the next look will not find it again.

import type { KafkaCluster } from './kafka-cluster.ts';
import { ends } from './kafka-fetch.ts';
import type { TopicPartition } from './log.ts';
import { Waiters } from './waiters.ts';

const LOOK_MS = 20;
const LOOK_MS_IDLE = 80;
const LOOK_MS_FAILED = 500;
const IDLE_LOOKS = 50;
/** Everybody looks for himself now and then, whatever the ends say. */
const WAKE_ALL_MS = 5_000;

export class Watch {
  readonly #endsOf: (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly #waiters = new Waiters();
  readonly #seen = new Map<string, number>();
  #looking = false;
  #closed = false;
  #wokeAllMs = 0;

  /** `endsOf`: ends of all partitions of the topics, by `topic/partition`. */
  constructor(endsOf: (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>) {
    this.#endsOf = endsOf;
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
    this.#wokeAllMs = performance.now();
    let quiet = 0;
    while (this.#waiters.size > 0 && !this.#closed) {
      if (performance.now() - this.#wokeAllMs > WAKE_ALL_MS) {
        this.#wokeAllMs = performance.now();
        this.#waiters.wakeAll();
      }
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
    const topics = [...new Set(this.#waiters.all().flatMap((each) => each.topics))];
    const moved = new Set<string>();
    for (const [place, end] of await this.#endsOf(topics)) {
      if (end > (this.#seen.get(place) ?? 0)) moved.add(place.slice(0, place.lastIndexOf('/')));
      this.#seen.set(place, end);
    }
    this.#waiters.wake(moved);
    return moved.size > 0;
  }
}

/** Ends of what is decided, as the brokers tell them. */
export async function decidedEnds(
  cluster: KafkaCluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const partitions: TopicPartition[] = [];
  for (const topic of topics) {
    const count = await cluster.partitions(topic);
    for (let partition = 0; partition < count; partition += 1) partitions.push({ topic, partition });
  }
  return ends(cluster, partitions, true);
}
