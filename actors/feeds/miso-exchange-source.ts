// What can be asked of MISO's Data Exchange: a day by page, or one interval by its number, with a key. The
// days and their publication are those of the public reports.
//
// Never tried against the live endpoint: paths and parameters are those of the operator's description.

import { HOUR_MS, MINUTE_MS } from '../domain/time.ts';
import { miso } from './miso.ts';
import { AFTER, AT_14, type Common, calendar, dayWindow, KEPT, recognise } from './miso-source.ts';
import type { Ask, Reply, Source } from './source.ts';

const decoder = new TextDecoder();

const KEY = { name: 'MISO_API_KEY', header: 'Ocp-Apim-Subscription-Key' };

interface Exchange extends Common {
  /** `day-ahead/{date}/lmp-exante` and alike. */
  readonly path: (date: string) => string;
  readonly query: Readonly<Record<string, string>>;
}

/** A whole day by page; one interval by its number, an hour's without a zero: `01` is refused as empty. */
function exchange({ path, query, ...of }: Exchange): Source {
  return {
    ...of,
    market: miso,
    recognise,
    windows: dayWindow,
    request({ date, nodes }, span) {
      const parameters = new URLSearchParams(query);
      if (nodes !== 'all' && nodes.length === 1) parameters.set('node', nodes[0] ?? '');
      const intervalMs = (miso.runs[of.run]?.intervalMinutes ?? 0) * MINUTE_MS;
      if (span.endMs - span.startMs === intervalMs)
        parameters.set('interval', numberOf(span.startMs, intervalMs));
      return exchangePage(path(date), parameters, of.run, 1);
    },
    nextPage(ask, reply) {
      const [where = '', search = ''] = ask.path.split('?');
      const parameters = new URLSearchParams(search);
      const page = Number(parameters.get('pageNumber'));
      const { lastPage, pageNumber } = pageOf(reply);
      if (lastPage && pageNumber === null) return null;
      // A page again for the next would be asked for without end, and what it stands in for would be missed.
      if (pageNumber !== page)
        return { reason: 'malformed', detail: `page ${pageNumber} came for page ${page}` };
      if (lastPage) return null;
      if (page >= PAGES_MAX) return { reason: 'too_large', detail: `more than ${PAGES_MAX} pages` };
      return exchangePage(where, parameters, of.run, page + 1);
    },
  };
}

/** Hour ending, such as `1`; of five minutes the time at which they start, such as `13:05`. */
function numberOf(startMs: number, intervalMs: number): string {
  const hourEnding = calendar.hourEnding(startMs);
  if (intervalMs === HOUR_MS) return String(hourEnding);
  const minute = (startMs % HOUR_MS) / MINUTE_MS;
  return `${String(hourEnding - 1).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
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
const FIVE_MINUTES = { timeResolution: '5min' };

export const misoExchangeSources: readonly Source[] = [
  exchange({
    name: 'miso.exchange-da-exante',
    run: 'DA_EXANTE',
    publication: AT_14,
    correctionDays: [1, 5],
    oldestMs: KEPT,
    path: (date) => `day-ahead/${date}/lmp-exante`,
    query: {},
  }),
  exchange({
    name: 'miso.exchange-da-expost',
    run: 'DA_EXPOST',
    publication: AT_14,
    correctionDays: [1, 5],
    oldestMs: KEPT,
    path: (date) => `day-ahead/${date}/lmp-expost`,
    query: {},
  }),
  exchange({
    name: 'miso.exchange-rt-prelim',
    run: 'RT_PRELIM',
    publication: AFTER(2),
    correctionDays: [2],
    oldestMs: KEPT,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...HOURLY, preliminaryFinal: 'Preliminary' },
  }),
  exchange({
    name: 'miso.exchange-rt-final',
    run: 'RT_FINAL',
    publication: AFTER(4 * 24),
    correctionDays: [7, 14],
    oldestMs: KEPT,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...HOURLY, preliminaryFinal: 'Final' },
  }),
  exchange({
    name: 'miso.exchange-rt5-prelim',
    run: 'RT5_EXPOST',
    publication: { kind: 'lag', minutes: 10 },
    correctionDays: [1],
    oldestMs: KEPT,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...FIVE_MINUTES, preliminaryFinal: 'Preliminary' },
  }),
  exchange({
    name: 'miso.exchange-rt5-final',
    run: 'RT5_FINAL',
    publication: AFTER(4 * 24),
    correctionDays: [7, 14],
    oldestMs: KEPT,
    path: (date) => `real-time/${date}/lmp-expost`,
    query: { ...FIVE_MINUTES, preliminaryFinal: 'Final' },
  }),
];
