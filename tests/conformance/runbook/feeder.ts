// A producer like any other around the platform: generic JSON prices of fifty made-up nodes on the raw topic
// of CAISO, quarter hour after quarter hour, each once; and the oracle's view of what it has sent.

import { openKafkaLog } from '../../../runtime/log/kafka.ts';
import type { Log } from '../../../runtime/log/log.ts';
import { rawTopic } from '../../../runtime/services.ts';
import { type Observed, observe } from '../../oracle/observe.ts';
import type { Priced } from '../../oracle/read.ts';
import { kafkaOptions } from '../../support/kafka-log.ts';

export const NODES = 50;
export const MARKET = 'CAISO';
export const RUN = 'RTPD';
const FROM_MS = Date.UTC(2026, 0, 15, 8);
const QUARTER_MS = 900_000;

export class Feeder {
  readonly log: Log;
  readonly #sent: Priced[] = [];
  #quarters = 0;

  constructor(brokers: string) {
    this.log = openKafkaLog(kafkaOptions(brokers, { worker: 'runbook' }));
  }

  get count(): number {
    return this.#sent.length;
  }

  instruments(): Observed[] {
    return observe(this.#sent);
  }

  /** The next so many quarter hours of every node, in one transaction; what went onto the log. */
  async quarters(count: number): Promise<readonly Priced[]> {
    const priced = Array.from({ length: count * NODES }, (_, n) => this.#priced(n));
    this.#quarters += count;
    const outputs = priced.map((each) => ({
      topic: rawTopic(MARKET),
      key: each.location,
      value: JSON.stringify(wireOf(each)),
    }));
    await this.log.append('runbook', outputs, []);
    this.#sent.push(...priced);
    return priced;
  }

  #priced(n: number): Priced {
    const quarter = this.#quarters + Math.floor(n / NODES);
    const startMs = FROM_MS + quarter * QUARTER_MS;
    const cents = ((quarter * 7_919 + (n % NODES) * 104_729) % 20_011) - 4_000;
    const price = (cents / 100).toFixed(2);
    const location = nodeName(n % NODES);
    const endMs = startMs + QUARTER_MS;
    return { market: MARKET, run: RUN, location, startMs, endMs, price, values: price, publishedMs: startMs };
  }
}

/** `NODE_07`. */
export function nodeName(n: number): string {
  return `NODE_${String(n).padStart(2, '0')}`;
}

export function eventId({ location, startMs }: Priced): string {
  return `runbook-${location}-${startMs}`;
}

function wireOf(of: Priced): object {
  const { market, run, location, startMs, endMs, price, publishedMs } = of;
  return {
    data_type: 'market_price',
    event_id: eventId(of),
    trace_id: eventId(of),
    market,
    run,
    delivery_location: location,
    interval_start: new Date(startMs).toISOString(),
    interval_end: new Date(endMs).toISOString(),
    publication: (publishedMs ?? 0) * 1_000,
    price: Number(price),
  };
}
