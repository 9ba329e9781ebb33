// Counts of what the services did in this process, for the line of progress, the rates and the replay's
// summary.

import type { Done } from './done.ts';
import type { Clock } from './host.ts';
import { TOPIC } from './services.ts';
import type { ServiceName } from './views.ts';

const RATE_MS = 10_000;

interface Sample {
  readonly atMs: number;
  readonly ticks: number;
  readonly byMarket: ReadonlyMap<string, number>;
}

export class Meter {
  readonly #clock: Clock;
  readonly #records = new Map<ServiceName, number>();
  readonly #byMarket = new Map<string, number>();
  readonly #rows = new Map<string, number>();
  #samples: Sample[] = [];
  extracted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  batch({ service, records, ticks }: Done): void {
    this.#records.set(service, this.records(service) + records);
    if (service !== 'enrichment') return;
    for (const [market, count] of ticks) {
      this.#byMarket.set(market, (this.#byMarket.get(market) ?? 0) + count);
    }
    this.#sample();
  }

  wrote(topic: string, rows: number): void {
    this.#rows.set(topic, this.rows(topic) + rows);
  }

  records(service: ServiceName): number {
    return this.#records.get(service) ?? 0;
  }

  /** Rows written to ClickHouse from a topic. */
  rows(topic: string): number {
    return this.#rows.get(topic) ?? 0;
  }

  /** Ticks that enrichment took; calendar messages are none. */
  get ticks(): number {
    return [...this.#byMarket.values()].reduce((sum, each) => sum + each, 0);
  }

  get bars(): number {
    return this.rows(TOPIC.bars);
  }

  /** Ticks a second over the last ten seconds; of one market, or of all. */
  rate(market: string | null): number {
    const nowMs = this.#clock.nowMs();
    const first = this.#samples.find((each) => nowMs - each.atMs <= RATE_MS);
    if (first === undefined) return 0;
    const seconds = Math.max(1, (nowMs - first.atMs) / 1_000);
    const before = market === null ? first.ticks : (first.byMarket.get(market) ?? 0);
    const now = market === null ? this.ticks : (this.#byMarket.get(market) ?? 0);
    return Math.round((now - before) / seconds);
  }

  #sample(): void {
    const atMs = this.#clock.nowMs();
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < 500) return;
    this.#samples = this.#samples.filter((each) => atMs - each.atMs <= RATE_MS);
    this.#samples.push({ atMs, ticks: this.ticks, byMarket: new Map(this.#byMarket) });
  }
}
