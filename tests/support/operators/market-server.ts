// Both operators behind one loopback port, for the product as a process: OASIS by its stand-in, and MISO's
// day-ahead report. Whatever they served is kept, so that a test can say what should be there, and how close
// requests came.

import { MINUTES, Oasis, type Version } from './oasis.ts';

export const CAISO_NODES = ['TH_NP15_GEN-APND', 'TH_SP15_GEN-APND'];
export const MISO_NODES = ['INDIANA.HUB', 'MICHIGAN.HUB', 'ALTW.WELLS1'];

const HOUR = 3_600_000;
/** Of the 15-minute market, after the end of an interval. */
const LAG_MS = 5 * 60_000;

export interface Asked {
  readonly atMs: number;
  readonly market: 'CAISO' | 'MISO';
  /** `DAM 20261101T07:00-0000`, or the name of a file. */
  readonly what: string;
}

export class MarketServer {
  readonly asked: Asked[] = [];
  /** Called with each request before it is answered. */
  onRequest: () => void = () => {};
  /** Every answer is 500. */
  down = false;
  /** `CAISO|DAM|node|startMs` → when it was published again, with which price in cents. */
  readonly corrections = new Map<string, Version>();
  /** Every observation that was ever in an answer. */
  readonly served = new Set<string>();
  readonly #oasis: Oasis;
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#oasis = new Oasis({ versions: (run, node, startMs) => this.#versions(run, node, startMs) });
    this.#server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => this.#answer(request) });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** `connectors.yaml` that follows this server's day-ahead prices of `CAISO_NODES`. */
  followedDayAhead(daysBack: number): string {
    return `
connectors:
  caiso:
    market: CAISO
    base_urls: { oasis: ${this.url}/oasisapi }
    allow_private_addresses: true
    limits: { request_interval_ms: 200, timeout_ms: 5000, response_mb_max: 8 }
    live:
      dam: { source: caiso.dam, nodes: [${CAISO_NODES.join(', ')}], days_back: ${daysBack} }
`;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  /** Cents, as of now; null: no price is out. */
  cents(market: string, run: string, node: string, startMs: number): number | null {
    if (market === 'CAISO') return this.#oasis.cents(run, node, startMs, Date.now());
    return drawn(run, node, startMs);
  }

  #answer(request: Request): Response {
    const url = new URL(request.url);
    const isOasis = url.pathname.startsWith('/oasisapi/');
    const of = url.searchParams;
    const what = isOasis
      ? `${of.get('market_run_id')} ${of.get('startdatetime')}`
      : (url.pathname.split('/').at(-1) ?? '');
    this.asked.push({ atMs: Date.now(), market: isOasis ? 'CAISO' : 'MISO', what });
    this.onRequest();
    if (this.down) return new Response('down', { status: 500 });
    return isOasis ? this.#oasisAnswer(url) : this.#misoAnswer(what);
  }

  #oasisAnswer(url: URL): Response {
    // The pace of a test is another than the operator's.
    this.#oasis.asked.length = 0;
    const { status, headers, body } = this.#oasis.answer(url, Date.now());
    return new Response(body, { status, headers: { ...headers } });
  }

  #misoAnswer(file: string): Response {
    const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})_da_expost_lmp\.csv$/.exec(file) ?? [];
    if (year === undefined) {
      return new Response('<Error><Code>BlobNotFound</Code></Error>', { status: 404 });
    }
    const midnightMs = Date.parse(`${year}-${month}-${day}T05:00:00Z`);
    return new Response(this.#report(`${month}/${day}/${year}`, midnightMs), {
      headers: { 'content-type': 'text/csv' },
    });
  }

  #report(date: string, midnightMs: number): string {
    const hours = Array.from({ length: 24 }, (_, hour) => midnightMs + hour * HOUR);
    const rows = ['LMP', 'MCC', 'MLC'].flatMap((value) =>
      MISO_NODES.map((node) => {
        // The energy component is the same at every node, as it is in the operator's reports.
        const cents = (at: number): number => {
          const lmp = this.#serve('MISO', 'DA_EXPOST', node, at, drawn('DA_EXPOST', node, at));
          return value === 'LMP' ? lmp : value === 'MCC' ? lmp - 1_000 : 0;
        };
        return `${node},Hub,${value},${hours.map((at) => (cents(at) / 100).toFixed(2)).join(',')}`;
      }),
    );
    const labels = hours.map((_, hour) => `HE ${hour + 1}`).join(',');
    const head = [
      'Day Ahead Market ExPost LMPs',
      date,
      '',
      ',,,All Hours-Ending are Eastern Standard Time (EST)',
    ];
    return `${[...head, `Node,Type,Value,${labels}`, ...rows].join('\n')}\n`;
  }

  #versions(run: string, node: string, startMs: number): readonly Version[] {
    const minutes = MINUTES[run] ?? 60;
    const outMs = run === 'DAM' ? 0 : startMs + minutes * 60_000 + LAG_MS;
    const first = { outMs, cents: drawn(run, node, startMs) };
    if (outMs <= Date.now()) this.#serve('CAISO', run, node, startMs, 0);
    const again = this.corrections.get(`CAISO|${run}|${node}|${startMs}`);
    return again === undefined ? [first] : [first, again];
  }

  #serve(market: string, run: string, node: string, startMs: number, cents: number): number {
    this.served.add(`${market}|${run}|${node}|${startMs}`);
    return cents;
  }
}

function drawn(run: string, node: string, startMs: number): number {
  return (Bun.hash.xxHash32(`${run}|${node}|${startMs}`) % 20_000) - 5_000;
}
