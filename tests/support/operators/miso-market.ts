// MISO as it answers, from its own rules and words, apart from the code under test: whole reports and weekly
// archives that are there or are not, five-minute prices of today and yesterday, a keyed exchange by page. It
// knows which prices it has published by when, and writes them the way its recordings are written.

import { zipOf } from '../zips.ts';
import type { Answer, Version } from './oasis.ts';

export interface MisoBook {
  readonly nodes: Readonly<Record<string, readonly string[]>>;
  /** Versions in the order they come out; empty: this interval never gets a price. */
  versions(run: string, node: string, startMs: number): readonly Version[];
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const EST = 5 * HOUR;
const PAGE_ROWS = 25;
export const MISO_KEY = 'key';

const encoder = new TextEncoder();
const answer = (status: number, type: string, body: string | Uint8Array): Answer => ({
  status,
  headers: { 'content-type': type },
  body: typeof body === 'string' ? encoder.encode(body) : body,
});
const json = (of: unknown, status = 200): Answer => answer(status, 'application/json', JSON.stringify(of));
const NOT_FOUND = answer(
  404,
  'application/xml',
  '<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobNotFound</Code>' +
    '<Message>The specified blob does not exist.</Message></Error>',
);
const EMPTY = json({ statusCode: 404, message: 'Empty data returned for date' }, 404);

const wall = (ms: number): string => new Date(ms - EST).toISOString();
const midnight = (date: string): number => Date.parse(`${date}T00:00:00Z`) + EST;
const dated = (compact: string): string => compact.replace(/(\d{4})(\d\d)(\d\d)/, '$1-$2-$3');
/** 9/26/2026 */
const plain = (date: string): string => {
  const [year, month, day] = date.split('-').map(Number);
  return `${month}/${day}/${year}`;
};
const REPORTS: Readonly<Record<string, readonly [run: string, title: string]>> = {
  da_exante_lmp: ['DA_EXANTE', 'Day Ahead Market ExAnte LMPs'],
  da_expost_lmp: ['DA_EXPOST', 'Day Ahead Market ExPost LMPs'],
  rt_lmp_prelim: ['RT_PRELIM', 'Realtime Market LMPs'],
  rt_lmp_final: ['RT_FINAL', 'Realtime Market LMPs'],
};

interface Parts {
  readonly LMP: string;
  readonly MCC: string;
  readonly MLC: string;
}

export class MisoMarket {
  /** When each request came, by host. */
  readonly asked = new Map<string, number[]>();
  unkeyed = 0;
  readonly #book: MisoBook;

  constructor(book: MisoBook) {
    this.#book = book;
  }

  answer(url: URL, nowMs: number, headers: Readonly<Record<string, string>>): Answer {
    const asked = this.asked.get(url.hostname) ?? [];
    this.asked.set(url.hostname, asked);
    asked.push(nowMs);
    const report = /\/marketreports\/(\d{8})_(\w+)\.csv$/.exec(url.pathname);
    if (report !== null) return this.#report(dated(report[1] ?? ''), report[2] ?? '', nowMs);
    const week = /\/marketreports\/(\d{8})_5MIN_LMP\.zip$/.exec(url.pathname);
    if (week !== null) return this.#archive(dated(week[1] ?? ''), nowMs);
    const five = /\/api\/MarketPricing\/GetRealTimeFiveMinExPost\/(\w+)$/.exec(url.pathname);
    if (five !== null) return this.#fiveMinutes(five[1] ?? '', nowMs);
    const exchange = /\/pricing\/v1\/(?:real-time|day-ahead)\/(\d{4}-\d\d-\d\d)\/lmp-(\w+)$/.exec(
      url.pathname,
    );
    if (exchange === null) return NOT_FOUND;
    if (headers['Ocp-Apim-Subscription-Key'] !== MISO_KEY) {
      this.unkeyed += 1;
      return json({ statusCode: 401, message: 'Access denied due to missing subscription key.' }, 401);
    }
    return this.#page(exchange[1] ?? '', url.searchParams, nowMs);
  }

  /** Null: none is out by then. */
  #parts(run: string, node: string, startMs: number, nowMs: number): Parts | null {
    const cents = this.#book
      .versions(run, node, startMs)
      .filter((each) => each.outMs <= nowMs)
      .at(-1)?.cents;
    if (cents === undefined) return null;
    // The energy component is one for all nodes of an interval.
    const energy = 2_000 + (Bun.hash.xxHash32(`energy|${run}|${startMs}`) % 3_000);
    const text = (of: number): string => (of / 100).toFixed(2).replace(/^(-?)0\./, '$1.');
    return { LMP: text(cents), MLC: text(25), MCC: text(cents - energy - 25) };
  }

  #nodes(run: string): readonly string[] {
    return this.#book.nodes[run] ?? [];
  }

  #report(date: string, kind: string, nowMs: number): Answer {
    const [run = '', title = ''] = REPORTS[kind] ?? [];
    const hours = Array.from({ length: 24 }, (_, n) => midnight(date) + n * HOUR);
    const rows: string[] = [];
    for (const component of ['LMP', 'MCC', 'MLC'] as const) {
      for (const node of this.#nodes(run)) {
        const cells = hours.map((at) => this.#parts(run, node, at, nowMs)?.[component] ?? '');
        if (cells.some((cell) => cell !== '')) rows.push([node, 'Hub', component, ...cells].join(','));
      }
    }
    if (rows.length === 0) return NOT_FOUND;
    const header = ['Node', 'Type', 'Value', ...hours.map((_, n) => `HE ${n + 1}`)].join(',');
    const notice = ',,,All Hours-Ending are Eastern Standard Time (EST)';
    return answer(200, 'text/csv', `${[title, plain(date), '', notice, header, ...rows].join('\n')}\n`);
  }

  /** `date`: Monday two weeks after the one that the week begins with. */
  #archive(date: string, nowMs: number): Answer {
    const from = midnight(date) - 14 * DAY;
    const rows: string[] = [];
    for (let at = from; at < from + 7 * DAY; at += 5 * MINUTE) {
      for (const node of this.#nodes('RT5_FINAL')) {
        const parts = this.#parts('RT5_FINAL', node, at, nowMs);
        if (parts === null) continue;
        const [day, time] = [plain(wall(at).slice(0, 10)), wall(at).slice(11, 16)];
        rows.push(`${day} ${time},${node},${parts.LMP},${parts.MCC},${parts.MLC}`);
      }
    }
    if (rows.length === 0) return NOT_FOUND;
    const head = ['MISO', 'Real-Time 5-Minute Final', `Week of ${plain(date)}`, ''];
    const lines = [...head, 'MKTHOUR_EST,PNODENAME,LMP,CON_LMP,LOSS_LMP', ...rows, 'For information only'];
    const name = `${date.replaceAll('-', '')}_5MIN_LMP`;
    return answer(200, 'application/zip', zipOf({ [`${name}.csv`]: `${lines.join('\n')}\n` }));
  }

  #fiveMinutes(which: string, nowMs: number): Answer {
    const today = midnight(wall(nowMs).slice(0, 10));
    const [from, to] = which === 'Previous' ? [today - DAY, today] : [today, today + DAY];
    const intervals: [at: number, rows: string[][]][] = [];
    for (let at = from; at < to; at += 5 * MINUTE) {
      const rows = this.#nodes('RT5_EXPOST').flatMap((node) => {
        const parts = this.#parts('RT5_EXPOST', node, at, nowMs);
        const ends = wall(at + 5 * MINUTE).slice(0, 19);
        return parts === null ? [] : [[ends, node, parts.LMP, parts.MLC, parts.MCC]];
      });
      // Another order in each interval.
      if (rows.length > 0) intervals.push([at, (at / MINUTE) % 2 === 0 ? rows : rows.reverse()]);
    }
    const told = which === 'Current' ? intervals.slice(-1) : intervals;
    const data = told.flatMap(([, rows]) => rows);
    return json({ headers: ['INTERVAL', 'CPNODE', 'LMP', 'MLC', 'MCC'], data });
  }

  #page(date: string, of: URLSearchParams, nowMs: number): Answer {
    const settlement = of.get('preliminaryFinal') ?? '';
    const run = `RT_${settlement === 'Final' ? 'FINAL' : 'PRELIM'}`;
    const rows: object[] = [];
    for (let hour = 1; hour <= 24; hour += 1) {
      // `01` is no interval of it.
      if (of.has('interval') && of.get('interval') !== String(hour)) continue;
      const at = midnight(date) + (hour - 1) * HOUR;
      for (const node of this.#nodes(run)) {
        const parts = of.has('node') && of.get('node') !== node ? null : this.#parts(run, node, at, nowMs);
        if (parts === null) continue;
        const [start, end] = [wall(at).slice(0, 19), wall(at + HOUR).slice(0, 19)];
        const timeInterval = { resolution: 'hourly', start, end, value: String(hour) };
        const [lmp, mcc, mlc] = [Number(parts.LMP), Number(parts.MCC), Number(parts.MLC)];
        rows.push({ timeInterval, preliminaryFinal: settlement, node, lmp, mcc, mlc });
      }
    }
    const totalPages = Math.ceil(rows.length / PAGE_ROWS);
    const pageNumber = Number(of.get('pageNumber') ?? 1);
    const data = rows.slice((pageNumber - 1) * PAGE_ROWS, pageNumber * PAGE_ROWS);
    if (data.length === 0) return EMPTY;
    const totalElements = rows.length;
    const lastPage = pageNumber >= totalPages;
    return json({ data, page: { pageNumber, pageSize: PAGE_ROWS, totalElements, totalPages, lastPage } });
  }
}
