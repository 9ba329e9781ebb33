// What a transaction that is over has left open: partitions that have no marker of it. Its records stand
// there until the next marker of that producer, and take the outcome that this one says.

import { afresh } from './afresh.ts';
import { isChangelog } from './kafka-changelog.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { type Metadata, metadataRequest } from './kafka-metadata.ts';
import { placeOf } from './kafka-places.ts';
import { type OpenRecords, openRecords } from './kafka-producers.ts';
import type { TopicPartition } from './log.ts';

const KNOWN_MS_MAX = 20_000;
/** Of one copy on a broker that is away there is no leader for longer. */
const LED_MS_MAX = 5_000;
const LOOK_MS = 100;

/** Topics that transactions go to, each with as many partitions as it was seen to have. */
export class Written {
  readonly #counts = new Map<string, number>();

  saw(topic: string, partitions: number): void {
    this.#counts.set(topic, Math.max(partitions, this.#counts.get(topic) ?? 0));
  }

  /** No more of it is waited for than there is now. */
  gaveUp(topic: string, partitions: number): void {
    this.#counts.set(topic, partitions);
  }

  has(topic: string): boolean {
    return this.#counts.has(topic);
  }

  /** Those of which the broker knows less: it has just come back, or they are gone. */
  missing({ leaders }: Metadata): string[] {
    return [...this.#counts].flatMap(([topic, count]) =>
      (leaders.get(topic)?.length ?? 0) < count ? [topic] : [],
    );
  }
}

/** Open records of anybody, in what is written and in the state of every group. */
export interface Seen {
  readonly records: readonly OpenRecords[];
  /** Places that nobody leads now: what is open there is not known. */
  readonly unseen: ReadonlySet<string>;
}

export class Looks {
  readonly #cluster: KafkaCluster;
  readonly #written: Written;
  /** As of after the call. Throws what the brokers refuse. */
  readonly now: () => Promise<Seen>;

  constructor(cluster: KafkaCluster, written: Written) {
    this.#cluster = cluster;
    this.#written = written;
    this.now = afresh(() => this.#look());
  }

  async #look(): Promise<Seen> {
    const { leaders, nodes } = await this.#metadata();
    for (const [topic, ids] of leaders) if (this.#isOurs(topic)) this.#written.saw(topic, ids.length);
    const led = Map.groupBy(this.#placesOf(leaders), ({ leader }) => nodes.get(leader));
    const asked = [...led].map(async ([address, places]) =>
      address === undefined ? [] : openRecords(await this.#cluster.node(address), places),
    );
    return {
      records: (await Promise.all(asked)).flat(),
      unseen: new Set(led.get(undefined)?.map(placeOf)),
    };
  }

  /** Of a broker that knows all that was seen before, with leaders. What stays away for long is given up. */
  async #metadata(): Promise<Metadata> {
    const fromMs = performance.now();
    for (;;) {
      const found = await (await this.#cluster.any()).send(metadataRequest(null));
      const forMs = performance.now() - fromMs;
      const missing = this.#written.missing(found);
      if (missing.length === 0 && (forMs > LED_MS_MAX || this.#isLed(found))) return found;
      if (forMs > KNOWN_MS_MAX) {
        for (const topic of missing) this.#written.gaveUp(topic, found.leaders.get(topic)?.length ?? 0);
      }
      await Bun.sleep(LOOK_MS);
    }
  }

  #isLed({ leaders, nodes }: Metadata): boolean {
    return this.#placesOf(leaders).every(({ leader }) => nodes.has(leader));
  }

  #placesOf(leaders: Metadata['leaders']): (TopicPartition & { readonly leader: number })[] {
    return [...leaders].flatMap(([topic, ids]) =>
      this.#isOurs(topic) ? ids.map((leader, partition) => ({ topic, partition, leader })) : [],
    );
  }

  #isOurs(topic: string): boolean {
    return this.#written.has(topic) || isChangelog(topic);
  }
}
