// MISO: the market, and its feeds: the day-ahead and real-time reports (CSV), the five-minute public API and
// the ex-ante hubs (JSON). Times are Eastern Standard all year; five-minute labels are interval-ending.

import type { MarketSpec } from '../domain/market.ts';
import { HOUR_MS, isDate, MINUTE_MS } from '../domain/time.ts';
import { GENERIC_RUNS } from '../runs.ts';
import { csvRows, misfit } from './csv.ts';
import type { Feed, Parsed, Response } from './feed.ts';
import { Joiner, refusedResponse } from './joiner.ts';
import { checkEnergy } from './miso-energy.ts';
import { readJson } from './miso-json.ts';

export const miso: MarketSpec = {
  market: 'MISO',
  zone: { kind: 'fixed', utcOffsetMinutes: -300 },
  runs: {
    DA_EXANTE: { intervalMinutes: 60, kind: 'day_ahead', settlement: 'none' },
    DA_EXPOST: { intervalMinutes: 60, kind: 'day_ahead', settlement: 'final' },
    RT_PRELIM: { intervalMinutes: 60, kind: 'real_time', settlement: 'preliminary' },
    RT_FINAL: { intervalMinutes: 60, kind: 'real_time', settlement: 'final' },
    RT5_EXANTE: { intervalMinutes: 5, kind: 'real_time', settlement: 'none' },
    RT5_EXPOST: { intervalMinutes: 5, kind: 'real_time', settlement: 'preliminary' },
    RT5_FINAL: { intervalMinutes: 5, kind: 'real_time', settlement: 'final' },
    ...GENERIC_RUNS,
  },
  components: { LMP: 'price', MCC: 'congestion_price', MLC: 'loss_price', MEC: 'energy_price' },
  expects: () => true,
};

/** Eastern Standard Time is five hours behind UTC. */
export const EST_BEHIND_MS = 5 * HOUR_MS;

const decoder = new TextDecoder();
const HEAD_BYTES = 2_048;

function headOf(response: Response): string {
  return decoder.decode(response.bytes.subarray(0, HEAD_BYTES));
}

const PUBLIC_WORDS = ['"CPNODE"', '"ExAnteLMP"', '"FiveMinLMP"'];
const TITLE = /^\uFEFF?(Day Ahead Market|Real-?time Market) .{0,20}LMPs/i;

export const misoReport: Feed = {
  name: 'miso.report',
  market: miso,
  recognises: (response) => TITLE.test(headOf(response)),
  parse: parseReport,
};

export const misoPublicApi: Feed = {
  name: 'miso.public-api',
  market: miso,
  recognises(response) {
    const head = headOf(response).trimStart();
    return head.startsWith('{') && PUBLIC_WORDS.some((word) => head.includes(word));
  },
  parse: (response) => readJson(response, new Joiner(response, 'miso.public-api', miso.market)),
};

/** Which run a report is, by its title and, for preliminary and final, its file name. */
function runOf(title: string, name: string): string | null {
  if (/^Day Ahead/i.test(title)) return /ExAnte/i.test(title) ? 'DA_EXANTE' : 'DA_EXPOST';
  if (/prelim/i.test(name) || /prelim/i.test(title)) return 'RT_PRELIM';
  return /^Real/i.test(title) ? 'RT_FINAL' : null;
}

const DATE = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/;
const COMPONENTS = new Set(['LMP', 'MCC', 'MLC']);

function parseReport(response: Response): Parsed {
  const rows = csvRows(decoder.decode(response.bytes));
  const title = (rows[0]?.[0] ?? '').replace(/^\uFEFF/, '');
  const run = runOf(title, response.name);
  const midnightMs = midnightOf((rows[1]?.[0] ?? '').trim());
  const headerAt = rows.findIndex((row) => row[0] === 'Node' && row[1] === 'Type' && row[2] === 'Value');
  if (run === null || midnightMs === null || headerAt < 0) {
    const detail = 'a MISO report has a title, a date and a row that starts Node,Type,Value';
    return refusedResponse({ reason: 'unknown_format', detail });
  }
  const hours = (rows[headerAt] ?? [])
    .slice(3)
    .map((label) => Number(/^HE (\d{1,2})$/.exec(label.trim())?.[1]));
  if (!hours.some(isHour)) {
    return refusedResponse({ reason: 'unknown_format', detail: 'the report has no column HE 1 … HE 24' });
  }
  const body = rows.slice(headerAt + 1);
  const cut = whyCut(body);
  if (cut !== null) return refusedResponse({ reason: 'truncated', detail: cut });
  const joiner = new Joiner(response, misoReport.name, miso.market);
  for (const cells of body) reportRow(joiner, cells, { run, midnightMs, hours });
  checkEnergy(joiner);
  return joiner.finish(null);
}

/**
 * Why a report cannot be whole; null: it may be. Its blocks name the same nodes in the same order, losses
 * last, so one that ends within a block is the beginning of a report: its prices would lack components.
 */
function whyCut(rows: readonly (readonly string[])[]): string | null {
  const nodes = (component: string): string =>
    rows
      .filter((cells) => cells[2] === component)
      .map(([node]) => `${node}\n`)
      .join('');
  const [all, losses] = [nodes('LMP'), nodes('MLC')];
  if (losses === all || !all.startsWith(losses)) return null;
  return 'the report ends before its last node has its losses';
}

/** `07/16/2011` or `9/6/2026` → midnight Eastern Standard; null when the calendar has no such day. */
function midnightOf(text: string): number | null {
  const [, month = '', day = '', year = ''] = DATE.exec(text) ?? [];
  return estInstant(`${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}T00:00:00`);
}

function isHour(hourEnding: number): boolean {
  return hourEnding >= 1 && hourEnding <= 24;
}

interface Report {
  readonly run: string;
  readonly midnightMs: number;
  /** Hour ending of each column after the third; NaN: the column is no hour. */
  readonly hours: readonly number[];
}

function reportRow(joiner: Joiner, cells: readonly string[], { run, midnightMs, hours }: Report): void {
  const row = joiner.nextRow();
  const [location = '', type = '', component = ''] = cells;
  const original = (): string => cells.join(',');
  const misfitting = misfit(cells, hours.length + 3);
  if (misfitting !== null) {
    joiner.refuse(row, 'missing_field', misfitting, original());
    return;
  }
  if (location === '' || !COMPONENTS.has(component)) {
    joiner.refuse(row, 'unknown_data_type', `'${component}' is none of LMP, MCC, MLC`, original());
    return;
  }
  for (const [n, hourEnding] of hours.entries()) {
    if (!isHour(hourEnding)) continue;
    const startMs = midnightMs + (hourEnding - 1) * HOUR_MS;
    const labels = { type, hour_ending: String(hourEnding) };
    const text = cells[n + 3] ?? '';
    joiner.add({ row, run, location, startMs, endMs: startMs + HOUR_MS, component, text, labels }, original);
  }
}

/**
 * Milliseconds of an Eastern Standard wall-clock time without offset, `2026-10-01T00:05:00`; null when it is
 * none.
 */
export function estInstant(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/.test(text) || !isDate(text.slice(0, 10))) return null;
  const ms = Date.parse(`${text}Z`);
  return Number.isNaN(ms) ? null : ms + EST_BEHIND_MS;
}

export const FIVE_MINUTES_MS = 5 * MINUTE_MS;
