// What CAISO has to say in the simulated months: which prices of which runs come out when, which of them it
// prices anew and announces, which never come; its bulk downloads; and what it does with right requests.

import { caiso } from '../../actors/feeds/caiso.ts';
import { notices, sources } from '../../actors/feeds/markets.ts';
import type { Nodes } from '../../actors/feeds/source.ts';
import type { FetchFault } from '../../runtime/live/fetch-fault.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { dayBounds, dayOf } from '../oracle/wall-clock.ts';
import {
  type Answer,
  instant,
  Oasis,
  oasisError,
  throttlePage,
  type Version,
} from '../support/operators/oasis.ts';
import { correctionList, OasisGroups, type PriceCorrection } from '../support/operators/oasis-groups.ts';
import { DAY, Disturbance, drawn, FAULTS, type Fault, HOUR, PLAN } from './live-month.ts';

const MINUTE = 60_000;
const MINUTES = { DAM: 60, HASP: 15, RTPD: 15, RTM: 5 } as const;
export type Run = keyof typeof MINUTES;
const RUNS: readonly Run[] = ['DAM', 'HASP', 'RTPD', 'RTM'];

const HUB = 'TH_NP15_GEN-APND';
const PEAK_HUB = 'TH_SP15_GEN_ONPEAK-APND';
/** Lists of nodes that are followed, from many a request to one. */
export const NODES = [HUB, 'TH_SP15_GEN-APND', PEAK_HUB];
export const TWO = [HUB, PEAK_HUB];
export const ONE = [HUB];
/** What the bulk download of all nodes holds. */
export const GROUP = Array.from({ length: 6 }, (_, n) => `NODE_${n}_N101`);

export interface Month {
  readonly startMs: number;
  /** The day that has not 24 hours. */
  readonly odd: { readonly date: string; readonly hours: number };
  readonly lateDay: string;
  readonly correctedDays: readonly string[];
  /** Priced anew after the last look at it for its own sake: only PRC_CORR_GRP tells. */
  readonly announcedDay: string;
}

export const AUTUMN: Month = {
  startMs: Date.parse('2026-10-20T18:00:00Z'),
  odd: { date: '2026-11-01', hours: 25 },
  lateDay: '2026-11-05',
  correctedDays: ['2026-10-27', '2026-11-01'],
  announcedDay: '2026-10-23',
};
export const SPRING: Month = {
  startMs: Date.parse('2026-02-25T18:00:00Z'),
  odd: { date: '2026-03-08', hours: 23 },
  lateDay: '2026-03-12',
  correctedDays: ['2026-03-03', '2026-03-08'],
  announcedDay: '2026-02-28',
};

export function minutesOf(run: string): number {
  const of = RUNS.find((each) => each === run);
  if (of === undefined) throw new RangeError(run);
  return MINUTES[of];
}

/** Hours of the on-peak hub by the wall clock; neither month has a holiday. */
export function priced(node: string, startMs: number): boolean {
  if (!node.includes('ONPEAK')) return true;
  const of = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone: 'America/Los_Angeles',
      weekday: 'short',
      hour: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(startMs)
      .map(({ type, value }) => [type, value]),
  );
  return of.weekday !== 'Sun' && Number(of.hour) >= 6 && Number(of.hour) <= 21;
}

/** About one interval in 400 never gets a price. */
const isHole = (run: string, node: string, startMs: number): boolean =>
  drawn('hole', run, node, startMs) % 400 === 0;

/** After an interval's start. */
const OUT_MS: Readonly<Record<Run, number>> = {
  DAM: -12 * HOUR,
  HASP: -30 * MINUTE,
  RTPD: 20 * MINUTE,
  RTM: 9 * MINUTE,
};

/** Ten days and a half: the last look for its own sake is nine after a day's start. */
function announcedMs(startMs: number): number {
  return dayBounds('CAISO', startMs)[0] + 10.5 * DAY;
}

export function versionsIn(month: Month, run: string, node: string, startMs: number): Version[] {
  const { lateDay, correctedDays, announcedDay } = month;
  const date = dayOf('CAISO', startMs);
  const of = RUNS.find((each) => each === run);
  if (of === undefined || !priced(node, startMs) || isHole(run, node, startMs)) return [];
  const outMs = date === lateDay ? startMs + 30 * HOUR : startMs + OUT_MS[of];
  const first = { outMs, cents: (drawn(run, node, startMs) % 20_000) - 5_000 };
  if (drawn('fix', node, startMs) % 3 !== 0) return [first];
  if (correctedDays.includes(date)) return [first, { outMs: startMs + 3 * DAY, cents: first.cents + 123 }];
  if (date === announcedDay) return [first, { outMs: announcedMs(startMs), cents: first.cents + 77 }];
  return [first];
}

/** The operator of a month: single requests, a group of all nodes, the list of what it priced anew. */
function operator(month: Month): Oasis {
  const groups = new OasisGroups(4 * MINUTE);
  const oasis: Oasis = new Oasis({
    versions: (run, node, startMs) => versionsIn(month, run, node, startMs),
    bulk(url, nowMs) {
      const startMs = instant(url.searchParams.get('startdatetime'));
      if (url.searchParams.get('groupid') === 'PRC_CORR_GRP') return corrected(month, startMs, nowMs);
      if (url.searchParams.get('groupid') !== 'DAM_LMP_GRP') return oasisError(1001);
      const endMs = instant(url.searchParams.get('enddatetime'));
      const prices = GROUP.flatMap((node) =>
        Array.from({ length: (endMs - startMs) / HOUR }, (_, n) => {
          const at = startMs + n * HOUR;
          return { node, startMs: at, minutes: 60, cents: oasis.cents('DAM', node, at, nowMs) };
        }),
      ).filter(({ cents }) => cents !== null);
      if (prices.length === 0) return oasisError(1000);
      return groups.dayAhead(url, nowMs, (component) =>
        prices.map(({ cents, ...of }) => ({
          ...of,
          component,
          text: component === 'LMP' ? (Number(cents) / 100).toFixed(2) : '0',
        })),
      );
    },
  });
  return oasis;
}

function corrected({ announcedDay }: Month, startMs: number, nowMs: number): Answer {
  const date = dayOf('CAISO', startMs);
  const isOut = date === announcedDay && nowMs >= announcedMs(startMs);
  const issued = new Date(announcedMs(startMs)).toISOString().slice(0, 19).replace('T', ' ');
  const said: PriceCorrection[] = isOut ? ['DAM', 'RTPD'].map((market) => ({ date, market, issued })) : [];
  return correctionList(date, said, issued);
}

/** A cache that gives the last file of a report out again, within an hour, whatever of it is asked for. */
class Copies {
  readonly #last = new Map<string, { readonly answer: Answer; readonly atMs: number }>();

  keep(answer: Answer, url: URL, nowMs: number): void {
    if (!Buffer.from(answer.body).includes('INVALID_REQUEST')) {
      this.#last.set(reportOf(url), { answer, atMs: nowMs });
    }
  }

  last(url: URL, nowMs: number): Answer | null {
    const last = this.#last.get(reportOf(url));
    return last !== undefined && nowMs - last.atMs < HOUR ? last.answer : null;
  }
}

const reportOf = ({ searchParams: of }: URL): string => of.get('queryname') ?? of.get('groupid') ?? '';

const faultsWith = (copies: Copies): Readonly<Record<string, Fault>> => ({
  ...FAULTS,
  duplicate: (whole, url, nowMs) => copies.last(url, nowMs) ?? whole,
  throttled429: () => throttlePage(429),
  throttled200: () => throttlePage(200),
  retryAfter: () => throttlePage(429, '30'),
  1000: () => oasisError(1000),
  1001: () => oasisError(1001),
  1004: () => oasisError(1004),
  1010: () => oasisError(1010),
  1015: () => oasisError(1015),
});

/** The operator and what stands between. */
export function disturbedOasis(month: Month, draw: () => number) {
  const oasis = operator(month);
  const copies = new Copies();
  const disturbance = new Disturbance(draw, faultsWith(copies));
  const answer = (url: URL, nowMs: number): Answer | FetchFault => {
    const whole = oasis.answer(url, nowMs);
    const said = disturbance.of(whole, url, nowMs);
    if (said === whole) copies.keep(whole, url, nowMs);
    return said;
  };
  return { oasis, disturbance, answer };
}

export type Followed = readonly [source: string, nodes: Nodes, daysBack: number];

export function planOf(name: string, feeds: readonly Followed[]): ConnectorPlan {
  return {
    ...PLAN,
    name,
    market: caiso,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    feeds: feeds.map(([called, nodes, daysBack]) => {
      const source = sources.find((each) => each.name === `caiso.${called}`);
      if (source === undefined) throw new Error(called);
      return { name: called, source, nodes, daysBack };
    }),
  };
}

export function withNotices(plan: ConnectorPlan): ConnectorPlan {
  return {
    ...plan,
    notices: notices.map((each) => ({ name: 'corrections', notices: each, daysBack: 13 })),
  };
}
