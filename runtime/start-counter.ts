// Starts of instrument actors, counted by shard: thousands of them at a restore, or at the first batch of a
// market, are one event for each shard and second, with how many and how many live there now.

import type { Clock } from './host.ts';
import type { RecordEvent } from './views.ts';

const GATHER_MS = 1_000;

export class StartCounter {
  readonly #clock: Clock;
  readonly #record: RecordEvent;
  readonly #live: (shard: string) => number;
  readonly #started = new Map<string, number>();

  /** `live`: how many actors a shard has now. */
  constructor(clock: Clock, record: RecordEvent, live: (shard: string) => number) {
    this.#clock = clock;
    this.#record = record;
    this.#live = live;
  }

  started(shard: string): void {
    if (this.#started.size === 0) this.#clock.after(GATHER_MS, () => this.#tell());
    this.#started.set(shard, (this.#started.get(shard) ?? 0) + 1);
  }

  #tell(): void {
    for (const [actor, count] of [...this.#started].sort(([a], [b]) => (a < b ? -1 : 1))) {
      this.#record({
        kind: 'start',
        service: 'markets',
        actor,
        cause: 'stored state, or a first record',
        decision: `${count} instruments started, ${this.#live(actor)} live in this shard`,
        budget_left: null,
      });
    }
    this.#started.clear();
  }
}
