// What the connectors' container follows: both markets by a stand-in, with runs that the market of the bed
// has not, so that the calendars of one close nothing of the other.

import type { Priced } from '../oracle/read.ts';
import { CAISO_NODES, MarketServer, MISO_NODES } from '../support/operators/market-server.ts';
import { MINUTES } from '../support/operators/oasis.ts';

const [CAISO_NODE = ''] = CAISO_NODES;

export class Operators {
  readonly #server = new MarketServer();

  get connectorsYaml(): string {
    const common = `
    allow_private_addresses: true
    limits: { request_interval_ms: 200, timeout_ms: 10000, response_mb_max: 8 }`;
    return `
connectors:
  caiso:
    market: CAISO
    base_urls: { oasis: ${this.#server.url}/oasisapi }${common}
    live:
      rtm: { source: caiso.rtm, nodes: [${CAISO_NODE}], days_back: 2 }
  miso:
    market: MISO
    base_urls: { reports: ${this.#server.url}/marketreports }${common}
    live:
      da-expost: { source: miso.da-expost, nodes: [${MISO_NODES.join(', ')}], days_back: 2 }
`;
  }

  /** So many observations were in answers. */
  get served(): number {
    return this.#server.served.size;
  }

  /** From here on nothing new is served. */
  rest(): void {
    this.#server.down = true;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** What was served, as the oracle reads it. */
  priced(): Priced[] {
    return [...this.#server.served].map((key) => {
      const [market = '', run = '', location = '', start = ''] = key.split('|');
      const startMs = Number(start);
      const price = ((this.#server.cents(market, run, location, startMs) ?? Number.NaN) / 100).toFixed(2);
      const endMs = startMs + (MINUTES[run] ?? 60) * 60_000;
      return { market, run, location, startMs, endMs, price, values: price, publishedMs: null };
    });
  }
}
