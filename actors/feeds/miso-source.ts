// What can be asked of MISO without a key: daily market reports and weekly five-minute archives by file name,
// the public API of today and yesterday, and its tables of the newest interval. Days are Eastern Standard all
// year. When each is published:
//
//   day-ahead, ex-ante and ex-post   the day before, 14:00 EST     looked at again after 1 and 5 days
//   real-time hourly, preliminary    2 h after the day's end        after 2 days; kept for 4
//   real-time hourly, final          4 days after the day's end     after 7 and 14 days
//   five minutes, public API         2 min after each interval      after 6 h; today and yesterday only
//   five minutes, final archive      7 days after the week's end    after 14 days; 3 calendar years
//   tables                           2 min after each interval      the newest interval only
//
// Never tried against the live endpoints: paths are those of the operator's description and other clients.

import type { MarketCalendar, OperatingDay } from '../domain/operating-day.ts';
import { marketCalendar } from '../domain/operating-day.ts';
import { DAY_MS, MINUTE_MS } from '../domain/time.ts';
import type { RefusedResponse } from './feed.ts';
import { miso } from './miso.ts';
import type { Nodes, Publication, Reply, Source, Window } from './source.ts';

const HEAD_BYTES = 4_096;
const decoder = new TextDecoder();
export const calendar: MarketCalendar = marketCalendar(miso.zone);

/** A file or a day that is not there: an answer, whatever the status says besides. */
export function recognise({ status, bytes }: Reply): RefusedResponse | null {
  if (status === 200) return null;
  const head = decoder.decode(bytes.subarray(0, HEAD_BYTES));
  if (status === 404 && head.includes('BlobNotFound')) {
    return { reason: 'no_data', detail: 'MISO has not published this report (BlobNotFound)', code: '404' };
  }
  if (status === 404 && /Empty data/i.test(head)) {
    return { reason: 'no_data', detail: 'MISO says: Empty data returned', code: '404' };
  }
  return null;
}

export function dayWindow({ date, startMs, endMs }: OperatingDay, nodes: Nodes): readonly Window[] {
  return [{ id: date, date, startMs, endMs, nodes }];
}

/** `20261001` */
function compact(date: string): string {
  return date.replaceAll('-', '');
}

/** Of a source whose window is an operating day. */
export interface Common {
  readonly name: string;
  readonly run: string;
  readonly publication: Publication;
  readonly correctionDays: readonly number[];
  readonly oldestMs: (nowMs: number) => number | null;
}

function report(of: Common, suffix: string): Source {
  return {
    ...of,
    market: miso,
    recognise,
    windows: dayWindow,
    request({ date }) {
      const file = `${compact(date)}_${suffix}.csv`;
      return { base: 'reports', path: file, secret: null, name: file };
    },
  };
}

export const AT_14: Publication = { kind: 'day_before', hour: 14 };
export const AFTER = (hours: number): Publication => ({ kind: 'after', hours });
const LAG = { kind: 'lag', minutes: 2 } as const;
export const KEPT = () => null;
const daysAgo = (days: number) => (nowMs: number) => calendar.dayOf(nowMs - days * DAY_MS).startMs;

const REPORTS: readonly Source[] = [
  report(
    {
      name: 'miso.da-exante',
      run: 'DA_EXANTE',
      publication: AT_14,
      correctionDays: [1, 5],
      oldestMs: KEPT,
    },
    'da_exante_lmp',
  ),
  report(
    {
      name: 'miso.da-expost',
      run: 'DA_EXPOST',
      publication: AT_14,
      correctionDays: [1, 5],
      oldestMs: KEPT,
    },
    'da_expost_lmp',
  ),
  report(
    {
      name: 'miso.rt-prelim',
      run: 'RT_PRELIM',
      publication: AFTER(2),
      correctionDays: [2],
      oldestMs: daysAgo(4),
    },
    'rt_lmp_prelim',
  ),
  report(
    {
      name: 'miso.rt-final',
      run: 'RT_FINAL',
      publication: AFTER(4 * 24),
      correctionDays: [7, 14],
      oldestMs: KEPT,
    },
    'rt_lmp_final',
  ),
];

/** Today by `Rolling` (the newest interval alone by `Current`), yesterday by `Previous`; no day before. */
const fiveMinute: Source = {
  name: 'miso.rt5-expost',
  market: miso,
  run: 'RT5_EXPOST',
  publication: LAG,
  // Yesterday once more and whole, for what was published late or again after it was asked for.
  correctionDays: [0.25],
  oldestMs: (nowMs) => calendar.dayOf(calendar.dayOf(nowMs).startMs - 1).startMs,
  recognise,
  windows: dayWindow,
  request(window, span, nowMs) {
    const which = whichDay(window, nowMs);
    if (which === null) return null;
    const newest = which === 'Rolling' && nowMs - span.startMs < 9 * 60_000;
    const name = `GetRealTimeFiveMinExPost/${newest ? 'Current' : which}`;
    return { base: 'public', path: `MarketPricing/${name}`, secret: null, name };
  },
};

function whichDay({ startMs, endMs }: Window, nowMs: number): 'Rolling' | 'Previous' | null {
  if (nowMs >= startMs && nowMs < endMs) return 'Rolling';
  return nowMs >= endMs && nowMs - endMs < endMs - startMs ? 'Previous' : null;
}

/**
 * A table that holds the newest interval of its run and nothing before: what was missed is missed, and is
 * found in what is published later. It is asked for while the interval that ended last is wanted.
 */
function newest(name: string, run: string, table: string): Source {
  const intervalMs = (miso.runs[run]?.intervalMinutes ?? 0) * MINUTE_MS;
  const lagMs = LAG.minutes * MINUTE_MS;
  return {
    name,
    market: miso,
    run,
    publication: LAG,
    correctionDays: [],
    // Just after midnight the newest interval is the last of the day before.
    oldestMs: (nowMs) => calendar.dayOf(nowMs - lagMs - intervalMs).startMs,
    recognise,
    windows: dayWindow,
    request(_window, span, nowMs) {
      const endMs = Math.floor((nowMs - lagMs) / intervalMs) * intervalMs;
      if (span.endMs < endMs) return null;
      return { base: 'public', path: `MarketPricing/${table}`, secret: null, name: table };
    },
  };
}

const TABLES: readonly Source[] = [
  newest('miso.rt5-exante', 'RT5_EXANTE', 'GetExAnteLmp'),
  newest('miso.table-rt5', 'RT5_EXPOST', 'GetLmpConsolidatedTable'),
  newest('miso.table-hour', 'RT_PRELIM', 'GetLmpConsolidatedTable'),
];

/** Monday to Sunday; the file carries the Monday two weeks after its first. */
const weekly: Source = {
  name: 'miso.rt5-final',
  market: miso,
  run: 'RT5_FINAL',
  publication: AFTER(7 * 24),
  correctionDays: [14],
  oldestMs: (nowMs) => Date.UTC(new Date(nowMs).getUTCFullYear() - 3, 0, 1) + 5 * 3_600_000,
  recognise,
  windows({ date, startMs }, nodes) {
    if (new Date(`${date}T00:00:00Z`).getUTCDay() !== 1) return [];
    return [{ id: `${date}/week`, date, startMs, endMs: startMs + 7 * DAY_MS, nodes }];
  },
  request({ startMs }) {
    const file = `${compact(calendar.dayOf(startMs + 14 * DAY_MS).date)}_5MIN_LMP.zip`;
    return { base: 'reports', path: file, secret: null, name: file };
  },
};

export const misoSources: readonly Source[] = [...REPORTS, fiveMinute, ...TABLES, weekly];
