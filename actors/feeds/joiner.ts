// Joins the rows of one response into observations: one raw record a (run, location, interval) with every
// component that was found, values verbatim, and a ledger in which each row is used or refused.

import { hash64 } from '../domain/hash.ts';
import { checkInstrument } from '../domain/instrument.ts';
import { type Rejection, type RejectionReason, reject } from '../domain/rejection.ts';
import type { RawRecord } from '../domain/wire.ts';
import { SCHEMA_VERSION } from '../domain/wire.ts';
import type { Parsed, RefusedResponse, RefusedRow, Response } from './feed.ts';

/** One row of a response: one component of one observation. */
export interface ComponentRow {
  /** 1 = first data row. */
  readonly row: number;
  readonly run: string;
  readonly location: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The operator's name, such as `MCC`. */
  readonly component: string;
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Gathered {
  readonly first: ComponentRow;
  readonly values: Record<string, string>;
  readonly rows: number[];
}

/** As operators write prices: `81.90019`, `.92`, `-.16`, `-7e-05`. */
const NUMBER = /^[+-]?(\d{1,12}\.?\d{0,12}|\.\d{1,12})([eE][+-]?\d{1,2})?$/;
const ROW_CHARS_MAX = 400;
const LABEL_CHARS_MAX = 64;

export class Joiner {
  readonly #response: Response;
  readonly #feed: string;
  readonly #market: string;
  readonly #sha256: string;
  readonly #gathered = new Map<string, Gathered>();
  readonly #refused: RefusedRow[] = [];
  readonly #warnings: string[] = [];
  #rowsRead = 0;

  constructor(response: Response, feed: string, market: string) {
    this.#response = response;
    this.#feed = feed;
    this.#market = market;
    this.#sha256 = new Bun.CryptoHasher('sha256').update(response.bytes).digest('hex');
  }

  /** Number of the next row. */
  nextRow(): number {
    this.#rowsRead += 1;
    return this.#rowsRead;
  }

  warn(text: string): void {
    this.#warnings.push(text);
  }

  refuse(row: number, reason: RejectionReason, detail: string, text: string, field?: string): void {
    this.#refused.push({ ...reject(reason, detail, field), row, text: text.slice(0, ROW_CHARS_MAX) });
  }

  /**
   * Uses a row, or refuses it: text that is no plain number, a bad interval, a component given twice and
   * unlike.
   */
  add(row: ComponentRow, original: () => string): void {
    if (!NUMBER.test(row.text)) {
      const detail = `${row.component} is '${row.text.slice(0, 40)}', expected a plain decimal number`;
      this.refuse(row.row, 'wrong_type', detail, original(), row.component);
      return;
    }
    if (row.endMs <= row.startMs) {
      this.refuse(row.row, 'bad_interval', 'the interval ends before it starts', original());
      return;
    }
    const key = `${row.run}|${row.location}|${row.startMs}`;
    const found = this.#gathered.get(key);
    if (found === undefined) {
      const unfit = this.#unfit(row);
      if (unfit !== null) {
        this.#refused.push({ ...unfit, row: row.row, text: original().slice(0, ROW_CHARS_MAX) });
        return;
      }
      this.#gathered.set(key, { first: row, values: { [row.component]: row.text }, rows: [row.row] });
      return;
    }
    const known = Object.hasOwn(found.values, row.component) ? found.values[row.component] : undefined;
    if (known !== undefined && known !== row.text) {
      const detail = `${row.component} is given twice: '${known}' and '${row.text}'`;
      this.refuse(row.row, 'validation_rule', detail, original(), row.component);
      return;
    }
    if (found.first.endMs !== row.endMs) {
      this.refuse(row.row, 'bad_interval', 'the rows of one observation end at different times', original());
      return;
    }
    found.values[row.component] = row.text;
    found.rows.push(row.row);
  }

  /** Why a row cannot begin an observation: its location is no name, or a label is no label. */
  #unfit({ run, location, labels }: ComponentRow): Rejection | null {
    for (const [name, label] of Object.entries(labels)) {
      if (label.length <= LABEL_CHARS_MAX) continue;
      const detail = `${name} has ${label.length} characters; a label has at most ${LABEL_CHARS_MAX}`;
      return reject('wrong_type', detail, name);
    }
    return checkInstrument({ market: this.#market, run, location });
  }

  /** Every observation gathered, in the order of first rows: for checks over the whole file. */
  observations(): Iterable<{
    readonly first: ComponentRow;
    readonly values: Readonly<Record<string, string>>;
  }> {
    return this.#gathered.values();
  }

  /**
   * Records in interval order, then by location. `publicationMs`: what the operator says, else when it was
   * taken.
   */
  finish(publicationMs: number | null): Parsed {
    const publication = (publicationMs ?? this.#response.takenMs) * 1_000;
    const records = [...this.#gathered.values()].map((each) => this.#record(each, publication));
    records.sort(
      (a, b) =>
        a.interval_start - b.interval_start ||
        compare(a.run, b.run) ||
        compare(a.delivery_location, b.delivery_location),
    );
    const rowsRefused = new Set(this.#refused.map((each) => each.row)).size;
    const ledger = { rowsRead: this.#rowsRead, rowsUsed: this.#rowsRead - rowsRefused, rowsRefused };
    return { records, refused: this.#refused, ledger, warnings: this.#warnings };
  }

  #record({ first, values, rows }: Gathered, publication: number): RawRecord {
    const start = first.startMs * 1_000;
    const names = Object.keys(values).sort();
    const content = names.map((name) => `${name}=${values[name]}`).join(',');
    const identity = `${this.#market}|${first.run}|${first.location}|${start}|${publication}|${content}`;
    const id = hash64(identity);
    const { feed, name, sha256 } = { feed: this.#feed, name: this.#response.name, sha256: this.#sha256 };
    return {
      event_id: id,
      trace_id: id,
      occurred_at: start,
      tenant_id: this.#response.tenantId,
      schema_version: SCHEMA_VERSION,
      producer: 'connectors',
      data_type: 'lmp',
      market: this.#market,
      run: first.run,
      delivery_location: first.location,
      interval_start: start,
      interval_end: first.endMs * 1_000,
      publication,
      values,
      labels: first.labels,
      source: { feed, name, sha256, rows },
    };
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A response that gives nothing, and why. */
export function refusedResponse(refusal: RefusedResponse): Parsed {
  const ledger = { rowsRead: 0, rowsUsed: 0, rowsRefused: 0 };
  return { records: [], refused: [], ledger, warnings: [], refusal };
}
