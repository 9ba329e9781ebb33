// MISO's weekly archive of final five-minute prices: a zip of one CSV with four lines before the header and a
// line of disclaimer after the rows. MKTHOUR_EST is read as the start of its interval, as other clients do;
// it could not be checked against the operator.

import { isDate } from '../domain/time.ts';
import { csvRows, misfit } from './csv.ts';
import type { Feed, Parsed, Response } from './feed.ts';
import { Joiner, refusedResponse } from './joiner.ts';
import { EST_BEHIND_MS, FIVE_MINUTES_MS, miso } from './miso.ts';
import { isZip, unzip } from './zip.ts';

const decoder = new TextDecoder();
const COLUMNS = ['MKTHOUR_EST', 'PNODENAME', 'LMP', 'CON_LMP', 'LOSS_LMP'] as const;

export const misoArchive: Feed = {
  name: 'miso.archive',
  market: miso,
  recognises: ({ name, bytes }) => /^\d{8}_5MIN_LMP/i.test(name) && isZip(bytes),
  parse,
};

function parse(response: Response): Parsed {
  const members = unzip(response.bytes);
  if ('reason' in members) return refusedResponse(members);
  const rows = csvRows(decoder.decode(members[0]?.bytes ?? new Uint8Array()));
  const headerAt = rows.findIndex((row) => COLUMNS.every((name) => row.some((cell) => cell.trim() === name)));
  const header = (rows[headerAt] ?? []).map((cell) => cell.trim());
  if (headerAt < 0) {
    const detail = `the archive lacks a header with ${COLUMNS.join(', ')}`;
    return refusedResponse({ reason: 'unknown_format', detail });
  }
  const joiner = new Joiner(response, misoArchive.name, miso.market);
  const at = (name: string): number => header.indexOf(name);
  const body = rows.slice(headerAt + 1);
  // The last line is prose.
  const footer = body.at(-1)?.length === header.length ? 0 : 1;
  for (const cells of body.slice(0, body.length - footer)) {
    const row = joiner.nextRow();
    const original = (): string => cells.join(',');
    const misfitting = misfit(cells, header.length);
    if (misfitting !== null) {
      joiner.refuse(row, 'missing_field', misfitting, original());
      continue;
    }
    const cell = (name: string): string => (cells[at(name)] ?? '').trim();
    const startMs = estHour(cell('MKTHOUR_EST'));
    const location = cell('PNODENAME');
    if (startMs === null || location === '') {
      joiner.refuse(row, 'bad_time', 'MKTHOUR_EST is no EST time, or PNODENAME is empty', original());
      continue;
    }
    const common = { row, run: 'RT5_FINAL', location, startMs, endMs: startMs + FIVE_MINUTES_MS };
    const labels = { MKTHOUR_EST: cell('MKTHOUR_EST') };
    for (const [component, name] of [
      ['LMP', 'LMP'],
      ['MCC', 'CON_LMP'],
      ['MLC', 'LOSS_LMP'],
    ] as const) {
      joiner.add({ ...common, component, text: cell(name), labels }, original);
    }
  }
  return joiner.finish(null);
}

const HOUR = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2})(?::\d{2})?$/;
const ISO = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::\d{2})?$/;

/** `9/14/2026 0:05`, `09/14/2026 00:05`, `2026-09-14 00:05:00`, Eastern Standard; null when it is none. */
function estHour(text: string): number | null {
  const [, month = '', day = '', year = '', hour = '', minute = ''] = HOUR.exec(text) ?? [];
  const [, date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`, h = hour, m = minute] =
    ISO.exec(text) ?? [];
  if (!isDate(date) || h === '') return null;
  const ms = Date.parse(`${date}T${h.padStart(2, '0')}:${m}:00Z`);
  return Number.isNaN(ms) ? null : ms + EST_BEHIND_MS;
}
