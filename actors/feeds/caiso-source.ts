// What can be asked of CAISO's OASIS: prices of hubs or listed nodes (at most ten a request), of all APnodes
// (an operating day of day-ahead, an operating hour of real time), and whole groups. Windows are cut on the
// market's own days and hours, which have 23 to 25 hours, and are written in UTC.
//
// Never tried against the live endpoint: URLs and versions are those of recorded responses and other clients.

import { marketCalendar, type OperatingDay } from '../domain/operating-day.ts';
import { HOUR_MS } from '../domain/time.ts';
import { caiso } from './caiso.ts';
import { refusalOf } from './caiso-errors.ts';
import type { RefusedResponse } from './feed.ts';
import type { Nodes, Publication, Reply, Source, Span, Window } from './source.ts';

/** Above it OASIS answers ERR 1017. */
const NODES_MAX = 10;
const HEAD_BYTES = 4_096;
const decoder = new TextDecoder();
const calendar = marketCalendar(caiso.zone);

interface Report {
  readonly run: 'DAM' | 'HASP' | 'RTPD' | 'RTM';
  readonly query: string;
  readonly version: number;
  readonly publication: Publication;
  /** Id of the bulk download. */
  readonly group: string;
}

/** Day-ahead results are out at 13:00; real time a while after each interval, and HASP before it. */
const REPORTS: readonly Report[] = [
  {
    run: 'DAM',
    query: 'PRC_LMP',
    version: 12,
    publication: { kind: 'day_before', hour: 13 },
    group: 'DAM_LMP_GRP',
  },
  {
    run: 'HASP',
    query: 'PRC_HASP_LMP',
    version: 3,
    publication: { kind: 'lag', minutes: -15 },
    group: 'HASP_LMP_GRP',
  },
  {
    run: 'RTPD',
    query: 'PRC_RTPD_LMP',
    version: 3,
    publication: { kind: 'lag', minutes: 5 },
    group: 'RTPD_LMP_GRP',
  },
  {
    run: 'RTM',
    query: 'PRC_INTVL_LMP',
    version: 3,
    publication: { kind: 'lag', minutes: 5 },
    group: 'RTM_LMP_GRP',
  },
];

/** Corrections come within five business days, and late ones with the settlement statements. */
const CORRECTION_DAYS = [1, 4, 8];
export const SINGLE_MONTHS = 39;
const GROUP_MONTHS = 64;

/** `20261101T07:00-0000` */
export function oasisTime(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')}T${iso.slice(11, 16)}-0000`;
}

export function monthsBefore(nowMs: number, months: number): number {
  const now = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO('America/Los_Angeles');
  return now.subtract({ months }).startOfDay().epochMilliseconds;
}

function dayWindows(day: OperatingDay, nodes: Nodes): readonly Window[] {
  const { date, startMs, endMs } = day;
  if (nodes === 'all') return [{ id: `${date}/all`, date, startMs, endMs, nodes }];
  const windows: Window[] = [];
  for (let from = 0; from < nodes.length; from += NODES_MAX) {
    const id = `${date}/${from / NODES_MAX}`;
    windows.push({ id, date, startMs, endMs, nodes: nodes.slice(from, from + NODES_MAX) });
  }
  return windows;
}

/** Hours by their labels: 3 is absent in spring, 25 stands after 2 in fall. */
function hourWindows({ date, startMs, endMs }: OperatingDay): readonly Window[] {
  const windows: Window[] = [];
  for (let from = startMs; from < endMs; from += HOUR_MS) {
    const id = `${date}/he${String(calendar.hourEnding(from)).padStart(2, '0')}`;
    windows.push({ id, date, startMs: from, endMs: from + HOUR_MS, nodes: 'all' });
  }
  return windows;
}

export function recogniseOasis({ bytes }: Reply): RefusedResponse | null {
  return bytes[0] === 0x50 && bytes[1] === 0x4b
    ? null
    : refusalOf(decoder.decode(bytes.subarray(0, HEAD_BYTES)));
}

function common({ run, publication }: Report) {
  return { market: caiso, run, publication, correctionDays: CORRECTION_DAYS, recognise: recogniseOasis };
}

/** `caiso.dam`, `caiso.rtpd`, `caiso.rtm`, `caiso.hasp`: listed nodes, or all APnodes. */
function single(report: Report): Source {
  const { run, query, version } = report;
  const perHour = run !== 'DAM';
  return {
    ...common(report),
    name: `caiso.${run.toLowerCase()}`,
    windows: (day, nodes) => (nodes === 'all' && perHour ? hourWindows(day) : dayWindows(day, nodes)),
    request: ({ id, nodes }, span) => {
      const which =
        nodes === 'all' ? 'grp_type=ALL_APNODES' : `node=${nodes.map(encodeURIComponent).join(',')}`;
      const what = `resultformat=6&queryname=${query}&version=${version}&market_run_id=${run}`;
      return ask(`SingleZip?${what}&${times(span)}&${which}`, `${query}_${run}_${id}`);
    },
    oldestMs: (nowMs) => monthsBefore(nowMs, SINGLE_MONTHS),
  };
}

/** `caiso.dam-group` and alike: every node in one archive of several files. */
function bulk(report: Report): Source {
  const { run, group, version } = report;
  return {
    ...common(report),
    name: `caiso.${run.toLowerCase()}-group`,
    windows: (day) => (run === 'DAM' ? dayWindows(day, 'all') : hourWindows(day)),
    request: ({ id }, span) =>
      ask(`GroupZip?groupid=${group}&resultformat=6&version=${version}&${times(span)}`, `${group}_${id}`),
    oldestMs: (nowMs) => monthsBefore(nowMs, GROUP_MONTHS),
  };
}

function times({ startMs, endMs }: Span): string {
  return `startdatetime=${oasisTime(startMs)}&enddatetime=${oasisTime(endMs)}`;
}

function ask(path: string, name: string) {
  return { base: 'oasis', path, secret: null, name };
}

export const caisoSources: readonly Source[] = [...REPORTS.map(single), ...REPORTS.map(bulk)];
