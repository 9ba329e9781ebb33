// What can be asked of MISO: daily market reports and weekly five-minute archives by file name, the public
// API of today and yesterday, and the keyed Data Exchange by page. Days are Eastern Standard all year.
//
// Never tried against the live endpoints: paths are those of the operator's description and other clients.

import type { MarketCalendar, OperatingDay } from '../domain/operating-day.ts';
import { marketCalendar } from '../domain/operating-day.ts';
import { DAY_MS } from '../domain/time.ts';
import type { RefusedResponse } from './feed.ts';
import { miso } from './miso.ts';
import type { Ask, Nodes, Publication, Reply, Source, Window } from './source.ts';

const HEAD_BYTES = 4_096;
const decoder = new TextDecoder();
const calendar: MarketCalendar = marketCalendar(miso.zone);

/** A file or a day that is not there: an answer, whatever the status says besides. */
function recognise({ status, bytes }: Reply): RefusedResponse | null {
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

function dayWindow({ date, startMs, endMs }: OperatingDay, nodes: Nodes): readonly Window[] {
  return [{ id: date, date, startMs, endMs, nodes }];
}

/** `20261001` */
function compact(date: string): string {
  return date.replaceAll('-', '');
}

interface Common {
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

const AT_14: Publication = { kind: 'day_before', hour: 14 };
const AFTER = (hours: number): Publication => ({ kind: 'after', hours });
const kept = () => null;
const daysAgo = (days: number) => (nowMs: number) => calendar.dayOf(nowMs - days * DAY_MS).startMs;

const REPORTS: readonly Source[] = [
  report(
    {
      name: 'miso.da-exante',
      run: 'DA_EXANTE',
      publication: AT_14,
      correctionDays: [1, 5],
      oldestMs: kept,
    },
    'da_exante_lmp',
  ),
  report(
    {
      name: 'miso.da-expost',
      run: 'DA_EXPOST',
      publication: AT_14,
      correctionDays: [1, 5],
      oldestMs: kept,
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
      oldestMs: kept,
    },
    'rt_lmp_final',
  ),
];

/** Today by `Rolling` (the newest interval alone by `Current`), yesterday by `Previous`; no day before. */
const fiveMinute: Source = {
  name: 'miso.rt5-expost',
  market: miso,
  run: 'RT5_EXPOST',
  publication: { kind: 'lag', minutes: 2 },
  correctionDays: [],
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

const KEY = { name: 'MISO_API_KEY', header: 'Ocp-Apim-Subscription-Key' };

interface Exchange extends Common {
  /** `day-ahead/{date}/lmp-exante` and alike. */
  readonly path: (date: string) => string;
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Keyed. A whole day by page; a single hour by its number without a zero in front: `01` is refused as empty.
 */
function exchange({ path, query, ...of }: Exchange): Source {
  return {
    ...of,
    market: miso,
    recognise,
    windows: dayWindow,
    request({ date, nodes }, span) {
      const parameters = new URLSearchParams(query);
      if (nodes !== 'all' && nodes.length === 1) parameters.set('node', nodes[0] ?? '');
      const hours = (span.endMs - span.startMs) / 3_600_000;
      if (hours === 1) parameters.set('interval', String(calendar.hourEnding(span.startMs)));
      return exchangePage(path(date), parameters, of.run, 1);
    },
    nextPage(ask, reply) {
      const { lastPage, pageNumber } = pageOf(reply);
      if (lastPage || pageNumber === null || pageNumber >= PAGES_MAX) return null;
      const [where = '', search = ''] = ask.path.split('?');
      return exchangePage(where, new URLSearchParams(search), of.run, pageNumber + 1);
    },
  };
}

const PAGES_MAX = 1_000;

function exchangePage(path: string, parameters: URLSearchParams, run: string, page: number): Ask {
  const query = new URLSearchParams(parameters);
  query.set('pageNumber', String(page));
  return { base: 'exchange', path: `${path}?${query}`, secret: KEY, name: `exchange/${run}/${path}/${page}` };
}

/** What the reply says of its page; a body that says nothing is the last. */
function pageOf({ bytes }: Reply): { readonly lastPage: boolean; readonly pageNumber: number | null } {
  try {
    const body: { page?: { lastPage?: unknown; pageNumber?: unknown } } = JSON.parse(decoder.decode(bytes));
    const number = body.page?.pageNumber;
    return {
      lastPage: body.page?.lastPage !== false,
      pageNumber: typeof number === 'number' ? number : null,
    };
  } catch {
    return { lastPage: true, pageNumber: null };
  }
}

const HOURLY = { timeResolution: 'hourly' };

const EXCHANGES: readonly Source[] = [
  exchange({
    name: 'miso.exchange-da-exante',
    run: 'DA_EXANTE',
    publication: AT_14,
    correctionDays: [1, 5],
    oldestMs: kept,
    path: (date) => `day-ahead/${date}/lmp-exante`,
    query: {},
  }),
  exchange({
    name: 'miso.exchange-da-expost',
    run: 'DA_EXPOST',
    publication: AT_14,
    correctionDays: [1, 5],
    oldestMs: kept,
    path: (date) => `day-ahead/${date}/lmp-expost`,
    query: {},
  }),
  exchange({
    name: 'miso.exchange-rt-prelim',
    run: 'RT_PRELIM',
    publication: AFTER(2),
    correctionDays: [2],
    oldestMs: kept,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...HOURLY, preliminaryFinal: 'Preliminary' },
  }),
  exchange({
    name: 'miso.exchange-rt-final',
    run: 'RT_FINAL',
    publication: AFTER(4 * 24),
    correctionDays: [7, 14],
    oldestMs: kept,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...HOURLY, preliminaryFinal: 'Final' },
  }),
];

export const misoSources: readonly Source[] = [...REPORTS, fiveMinute, weekly, ...EXCHANGES];
