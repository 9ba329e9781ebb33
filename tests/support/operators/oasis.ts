// OASIS as it answers, from its own rules and words, apart from the code under test: it knows which prices it
// has published by when and in which version, counts how close requests come, and refuses what it refuses.

import { readFileSync } from 'node:fs';
import { type OasisReport, type OasisRow, oasisCsv, REPORTS } from '../oasis.ts';
import { recording } from '../recordings.ts';
import { zipOf } from '../zips.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What the operator has to say of an interval: when each version is out, and its price in cents. */
export interface Version {
  readonly outMs: number;
  readonly cents: number;
}

export interface OasisBook {
  /** Versions in the order they come out; empty: this interval never gets a price. */
  versions(run: string, node: string, startMs: number): readonly Version[];
  /** The answer to a request for a bulk download; absent: there is none. */
  bulk?(url: URL, nowMs: number): Answer;
}

/** Length of an interval by run. */
export const MINUTES: Readonly<Record<string, number>> = { DAM: 60, HASP: 15, RTPD: 15, RTM: 5 };
const THROTTLE = readFileSync(recording('AUP_429.html'));
const NO_DATA = readFileSync(recording('NO_DATA_1000.xml'), 'utf8');
export const RATE_MS = 5_000;

const encoder = new TextEncoder();
const ok = (body: Uint8Array): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/x-zip-compressed' },
  body,
});

export function throttlePage(status: 200 | 429, retryAfter?: string): Answer {
  const headers = {
    'content-type': 'text/html',
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  };
  return { status, headers, body: THROTTLE };
}

/** An error as OASIS sends it: a zip under 200 with the recorded document, its code replaced. */
export function oasisError(code: number): Answer {
  return ok(zipOf({ 'INVALID_REQUEST.xml': NO_DATA.replace('1000', String(code)) }));
}

export class Oasis {
  /** When each request came. */
  readonly asked: number[] = [];
  throttled = 0;
  readonly #book: OasisBook;

  constructor(book: OasisBook) {
    this.#book = book;
  }

  answer(url: URL, nowMs: number): Answer {
    const last = this.asked.at(-1) ?? Number.NEGATIVE_INFINITY;
    this.asked.push(nowMs);
    if (nowMs - last < RATE_MS) {
      this.throttled += 1;
      return throttlePage(this.throttled % 2 === 0 ? 200 : 429);
    }
    const of = url.searchParams;
    if (url.pathname.endsWith('/GroupZip') && this.#book.bulk !== undefined) {
      return this.#book.bulk(url, nowMs);
    }
    const run = of.get('market_run_id') ?? '';
    const report = REPORTS.find((each) => each.query === of.get('queryname') && each.run === run);
    if (report === undefined || !url.pathname.endsWith('/SingleZip')) return oasisError(1001);
    const startMs = instant(of.get('startdatetime'));
    const endMs = instant(of.get('enddatetime'));
    const nodes = (of.get('node') ?? '').split(',');
    if (nodes.length > 10) return oasisError(1017);
    if ((endMs - startMs) / 86_400_000 > 31) return oasisError(1004);
    const rows = this.#rows(run, nodes, startMs, endMs, nowMs);
    return rows.length === 0 ? oasisError(1000) : ok(archive(report, rows, nowMs));
  }

  /** The value of an interval as of a moment; null: none is out. */
  cents(run: string, node: string, startMs: number, nowMs: number): number | null {
    const out = this.#book.versions(run, node, startMs).filter((each) => each.outMs <= nowMs);
    return out.at(-1)?.cents ?? null;
  }

  #rows(run: string, nodes: readonly string[], startMs: number, endMs: number, nowMs: number): OasisRow[] {
    const minutes = MINUTES[run] ?? 60;
    const rows: OasisRow[] = [];
    for (const node of nodes) {
      for (let at = startMs; at < endMs; at += minutes * 60_000) {
        const cents = this.cents(run, node, at, nowMs);
        if (cents === null) continue;
        const of = { node, startMs: at, minutes };
        rows.push({ ...of, component: 'LMP', text: (cents / 100).toFixed(2) });
        rows.push({ ...of, component: 'MCC', text: '0' });
      }
    }
    // Unsorted, as in every recorded file.
    return rows.reverse();
  }
}

/** `20261101T07:00-0000` */
export function instant(text: string | null): number {
  const [, year, month, day, hour, minute] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2}):(\d{2})-0000$/.exec(text ?? '') ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
}

const wall = new Intl.DateTimeFormat('en-CA', {
  timeZone: 'America/Los_Angeles',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

function archive(report: OasisReport, rows: readonly OasisRow[], nowMs: number): Uint8Array {
  const of = Object.fromEntries(wall.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  const stamp = `${of.year}${of.month}${of.day}_${of.hour}_${of.minute}_${of.second}`;
  const name = `20260101_20260102_${report.query}_${report.run}_${stamp}_v3.csv`;
  return zipOf({ [name]: encoder.encode(oasisCsv(report, rows)) });
}
