// CAISO: the market, and its OASIS feed. A response is CSV, XML or a zip of either; what it is shows in its
// content. Rows come unsorted and one component each; times are read from the GMT columns, the labels are
// kept as they stand.

import type { MarketSpec, MarketZone } from '../domain/market.ts';
import { type MarketCalendar, marketCalendar } from '../domain/operating-day.ts';
import { parseInstant } from '../domain/time.ts';
import { GENERIC_RUNS } from '../runs.ts';
import { refusalOf } from './caiso-errors.ts';
import { isOnPeak } from './caiso-peak.ts';
import { csvTable, misfit } from './csv.ts';
import type { Feed, Parsed, RefusedResponse, Response } from './feed.ts';
import { Joiner, refusedResponse } from './joiner.ts';
import { walkXml } from './xml.ts';
import { isZip, type Member, unzip } from './zip.ts';

const ZONE: MarketZone = { kind: 'civil', zone: 'America/Los_Angeles' };
const calendar: MarketCalendar = marketCalendar(ZONE);

export const caiso: MarketSpec = {
  market: 'CAISO',
  zone: ZONE,
  runs: {
    DAM: { intervalMinutes: 60, kind: 'day_ahead', settlement: 'final' },
    HASP: { intervalMinutes: 15, kind: 'real_time', settlement: 'none' },
    RTPD: { intervalMinutes: 15, kind: 'real_time', settlement: 'none' },
    RTM: { intervalMinutes: 5, kind: 'real_time', settlement: 'final' },
    ...GENERIC_RUNS,
  },
  components: {
    LMP: 'price',
    MCE: 'energy_price',
    MCC: 'congestion_price',
    MCL: 'loss_price',
    MGHG: 'ghg_price',
  },
  expects: (location, startMs) => {
    if (location.includes('_ONPEAK')) return isOnPeak(calendar, startMs);
    if (location.includes('_OFFPEAK')) return !isOnPeak(calendar, startMs);
    return true;
  },
};

const FEED = 'caiso.oasis';
const decoder = new TextDecoder();
const HEAD_BYTES = 4_096;

export const caisoOasis: Feed = {
  name: FEED,
  market: caiso,
  recognises({ bytes, name }) {
    if (looksZipped(bytes, name)) return !/^\d{8}_5MIN_LMP/i.test(name);
    const head = decoder.decode(bytes.subarray(0, HEAD_BYTES));
    return head.includes('INTERVALSTARTTIME_GMT') || head.includes('OASISReport') || refusalOf(head) !== null;
  },
  parse(response) {
    const members = looksZipped(response.bytes, response.name)
      ? unzip(response.bytes)
      : [{ name: response.name, bytes: response.bytes }];
    return 'reason' in members ? refusedResponse(members) : parseMembers(response, members);
  },
};

/** A download whose beginning is lost still calls itself a zip; unzipping says what is wrong with it. */
function looksZipped(bytes: Uint8Array, name: string): boolean {
  return isZip(bytes) || /\.zip$/i.test(name);
}

function parseMembers(response: Response, members: readonly Member[]): Parsed {
  const joiner = new Joiner(response, FEED, caiso.market);
  let publicationMs: number | null = null;
  for (const member of members) {
    const text = decoder.decode(member.bytes);
    const refusal = refusalOf(text.slice(0, HEAD_BYTES));
    if (refusal !== null) return refusedResponse(refusal);
    const read = text.trimStart().startsWith('<') ? readXml(text, joiner) : readCsv(text, joiner);
    if ('reason' in read) return refusedResponse(read);
    const said = read.publicationMs ?? fileStamp(member.name);
    if (said !== null) publicationMs = Math.max(said, publicationMs ?? said);
  }
  return joiner.finish(publicationMs ?? fileStamp(response.name));
}

interface Read {
  /** When the operator says it made the report; null when it does not say. */
  readonly publicationMs: number | null;
}

const PRICE_COLUMNS = ['MW', 'PRC', 'VALUE'];

function readCsv(text: string, joiner: Joiner): Read | RefusedResponse {
  const { columns, width, rows } = csvTable(text);
  const priceColumn = PRICE_COLUMNS.find((each) => columns.has(each));
  const missing = [
    'INTERVALSTARTTIME_GMT',
    'INTERVALENDTIME_GMT',
    'NODE',
    'MARKET_RUN_ID',
    'LMP_TYPE',
    ...(priceColumn === undefined ? ['MW, PRC or VALUE'] : []),
  ].filter((each) => !columns.has(each) && !each.includes(' '));
  if (missing.length > 0 || priceColumn === undefined) {
    const lacking = missing.length > 0 ? missing.join(', ') : PRICE_COLUMNS.join(' or ');
    return { reason: 'unknown_format', detail: `an OASIS price table lacks the column ${lacking}` };
  }
  const column = (name: string): number => columns.get(name) ?? -1;
  const at = {
    start: column('INTERVALSTARTTIME_GMT'),
    end: column('INTERVALENDTIME_GMT'),
    node: column('NODE'),
    run: column('MARKET_RUN_ID'),
    type: column('LMP_TYPE'),
    price: column(priceColumn),
  };
  const labels = ['OPR_DT', 'OPR_HR', 'OPR_INTERVAL'].filter((each) => columns.has(each));
  const instant = instants();
  for (const row of rows) {
    const original = (): string => row.join(',');
    const misfitting = misfit(row, width);
    if (misfitting !== null) {
      joiner.refuse(joiner.nextRow(), 'missing_field', misfitting, original());
      continue;
    }
    const cell = (position: number): string => row[position] ?? '';
    useRow(joiner, {
      start: instant(cell(at.start)),
      end: instant(cell(at.end)),
      run: cell(at.run),
      location: cell(at.node),
      component: cell(at.type),
      text: cell(at.price),
      labels: Object.fromEntries(labels.map((each) => [each, cell(column(each))])),
      original,
    });
  }
  return { publicationMs: null };
}

interface RawRow {
  readonly start: number | null;
  readonly end: number | null;
  readonly run: string;
  readonly location: string;
  readonly component: string;
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly original: () => string;
}

function useRow(joiner: Joiner, of: RawRow): void {
  const row = joiner.nextRow();
  const refuse = (
    reason: 'bad_time' | 'unknown_run' | 'missing_field' | 'unknown_data_type',
    detail: string,
  ): void => joiner.refuse(row, reason, detail, of.original());
  if (of.start === null || of.end === null)
    return refuse('bad_time', 'an interval time is no ISO time with offset');
  if (!Object.hasOwn(caiso.runs, of.run)) return refuse('unknown_run', `'${of.run}' is no run of CAISO`);
  if (of.location === '') return refuse('missing_field', 'the row names no node');
  if (!Object.hasOwn(caiso.components, of.component)) {
    return refuse('unknown_data_type', `'${of.component}' is no component of an LMP`);
  }
  const { run, location, component, text, labels } = of;
  joiner.add({ row, run, location, startMs: of.start, endMs: of.end, component, text, labels }, of.original);
}

/** Parses instants; the same few stand in every row of a response. */
function instants(): (text: string) => number | null {
  const known = new Map<string, number | null>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const ms = parseInstant(text);
    if (known.size < 100_000) known.set(text, ms);
    return ms;
  };
}

const COMPONENT_OF_ITEM: Readonly<Record<string, string>> = {
  LMP_PRC: 'LMP',
  LMP_ENE_PRC: 'MCE',
  LMP_CONG_PRC: 'MCC',
  LMP_LOSS_PRC: 'MCL',
  LMP_GHG_PRC: 'MGHG',
};

function readXml(text: string, joiner: Joiner): Read | RefusedResponse {
  let publicationMs: number | null = null;
  let run = '';
  let fields: Record<string, string> = {};
  const instant = instants();
  const refusal = walkXml(text, {
    open(name) {
      if (name === 'REPORT_DATA') fields = {};
    },
    close(name, value) {
      if (name === 'TimeDate') publicationMs = parseInstant(value);
      else if (name === 'MKT_TYPE') run = value;
      else if (name === 'REPORT_DATA') useRow(joiner, xmlRow(fields, run, instant));
      else fields[name] = value;
    },
  });
  return refusal ?? { publicationMs };
}

function xmlRow(
  fields: Readonly<Record<string, string>>,
  run: string,
  instant: (text: string) => number | null,
): RawRow {
  const of = (name: string): string => (Object.hasOwn(fields, name) ? (fields[name] ?? '') : '');
  const labels: Record<string, string> = {};
  for (const name of ['OPR_DATE', 'INTERVAL_NUM']) if (of(name) !== '') labels[name] = of(name);
  return {
    start: instant(of('INTERVAL_START_GMT')),
    end: instant(of('INTERVAL_END_GMT')),
    run,
    location: of('RESOURCE_NAME'),
    component: COMPONENT_OF_ITEM[of('DATA_ITEM')] ?? of('DATA_ITEM'),
    text: of('VALUE'),
    labels,
    original: () => JSON.stringify(fields),
  };
}

const STAMP = /_(\d{4})(\d{2})(\d{2})_(\d{2})_(\d{2})_(\d{2})_v\d+/;

/** `…_20230213_13_30_51_v3.csv`: Pacific wall clock of the operator, in its own file name. */
export function fileStamp(name: string): number | null {
  const found = STAMP.exec(name);
  if (found === null) return null;
  const [, year, month, day, hour, minute, second] = found;
  try {
    const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
    return Temporal.PlainDateTime.from(wall).toZonedDateTime('America/Los_Angeles').epochMilliseconds;
  } catch {
    return null;
  }
}
