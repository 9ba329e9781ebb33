// CAISO's price corrections: a report a trade date that says which intervals of which market were priced
// anew, when, and why. It holds no prices. What it names is asked for again where it was published, and what
// comes is a newer version of each observation.
//
// Never tried against the live endpoint: the columns are those that another open client reads.

import { DAY_MS } from '../domain/time.ts';
import { caiso } from './caiso.ts';
import { refusalOf } from './caiso-errors.ts';
import { monthsBefore, oasisTime, recogniseOasis, SINGLE_MONTHS } from './caiso-source.ts';
import { csvTable, misfit } from './csv.ts';
import type { Correction, Feed, Parsed, RefusedResponse, RefusedRow, Response } from './feed.ts';
import { refusedResponse } from './joiner.ts';
import type { Notices } from './source.ts';
import { unzip } from './zip.ts';

const GROUP = 'PRC_CORR_GRP';
const COLUMNS = ['TRADE_DATE', 'MARKET', 'CORRECTION_REASON', 'REPORT_GENERATED'] as const;
/** Stands in the reason of a market without corrections. */
const NONE = 'No records found';
/** As the report calls the markets. */
const RUN_OF: Readonly<Record<string, string>> = {
  DAM: 'DAM',
  HASP: 'HASP',
  RTPD: 'RTPD',
  RTD: 'RTM',
  RTM: 'RTM',
};
const ROW_CHARS_MAX = 400;
const decoder = new TextDecoder();

export const caisoCorrectionNotices: Notices = {
  name: 'caiso.corrections',
  market: caiso,
  // Made from some days to two weeks after the trade date, and read once a day.
  firstMs: DAY_MS,
  everyMs: DAY_MS,
  request: ({ date, startMs }) => ({
    base: 'oasis',
    path: `GroupZip?groupid=${GROUP}&resultformat=6&version=1&startdatetime=${oasisTime(startMs)}`,
    secret: null,
    name: `${GROUP}_${date}`,
  }),
  oldestMs: (nowMs) => monthsBefore(nowMs, SINGLE_MONTHS),
  recognise: recogniseOasis,
};

export const caisoCorrections: Feed = {
  name: 'caiso.corrections',
  market: caiso,
  recognises: ({ name, bytes }) =>
    name.includes(GROUP) || COLUMNS.every((each) => decoder.decode(bytes.subarray(0, 400)).includes(each)),
  parse(response) {
    const members = textsOf(response);
    if ('reason' in members) return refusedResponse(members);
    const found = new Reading();
    for (const text of members) {
      const refusal = refusalOf(text.slice(0, 4_096)) ?? found.read(text);
      if (refusal !== null) return refusedResponse(refusal);
    }
    return found.parsed();
  },
};

function textsOf({ bytes }: Response): readonly string[] | RefusedResponse {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return [decoder.decode(bytes)];
  const members = unzip(bytes);
  return 'reason' in members ? members : members.map((member) => decoder.decode(member.bytes));
}

class Reading {
  readonly #latest = new Map<string, Correction>();
  readonly #refused: RefusedRow[] = [];
  #rows = 0;

  /** Null, or why it is no such report. */
  read(text: string): RefusedResponse | null {
    const { columns, width, rows } = csvTable(text);
    const lacking = COLUMNS.filter((each) => !columns.has(each));
    if (lacking.length > 0) {
      return { reason: 'unknown_format', detail: `a list of corrections lacks ${lacking.join(', ')}` };
    }
    for (const cells of rows) {
      this.#rows += 1;
      const cell = (name: (typeof COLUMNS)[number]) => (cells[columns.get(name) ?? -1] ?? '').trim();
      const wrong = misfit(cells, width) ?? this.#take(cell);
      if (wrong === null) continue;
      const original = cells.join(',').slice(0, ROW_CHARS_MAX);
      this.#refused.push({ reason: 'wrong_type', detail: wrong, row: this.#rows, text: original });
    }
    return null;
  }

  /** Null, or why the row cannot be used. */
  #take(cell: (name: (typeof COLUMNS)[number]) => string): string | null {
    if (cell('CORRECTION_REASON').startsWith(NONE)) return null;
    const date = dateOf(cell('TRADE_DATE'));
    const run = RUN_OF[cell('MARKET').toUpperCase()];
    const issued = cell('REPORT_GENERATED');
    if (date === null) return `'${cell('TRADE_DATE').slice(0, 40)}' is no trade date`;
    if (run === undefined) return `'${cell('MARKET').slice(0, 40)}' is no market with prices here`;
    if (issued === '') return 'it does not say when it was made';
    const key = `${run} ${date}`;
    const known = this.#latest.get(key);
    if (known === undefined || known.issued < issued) {
      this.#latest.set(key, { market: caiso.market, run, date, issued: issued.slice(0, 40) });
    }
    return null;
  }

  parsed(): Parsed {
    const rowsRefused = this.#refused.length;
    return {
      records: [],
      corrections: [...this.#latest.values()],
      refused: this.#refused,
      ledger: { rowsRead: this.#rows, rowsUsed: this.#rows - rowsRefused, rowsRefused },
      warnings: [],
    };
  }
}

/** `2026-10-27`, `2026-10-27T00:00:00`, `10/27/2026`. */
function dateOf(text: string): string | null {
  const iso = /^\d{4}-\d{2}-\d{2}/.exec(text)?.[0];
  const [, month, day, year] = /^(\d{2})\/(\d{2})\/(\d{4})/.exec(text) ?? [];
  const date = iso ?? (year === undefined ? '' : `${year}-${month}-${day}`);
  try {
    return Temporal.PlainDate.from(date).toString();
  } catch {
    return null;
  }
}
