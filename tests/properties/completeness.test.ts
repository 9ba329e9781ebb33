// The completeness calendar against a naive count, over 2015 to 2035: how many intervals each run of each
// market has on an operating day, by asking a clock in the market for every interval of three days; and which
// of them hubs have that are priced on or off peak, by a calendar of holidays that is counted off by hand.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import { type MarketCalendar, marketCalendar, wallTime } from '../../actors/domain/operating-day.ts';
import { ALL } from '../../actors/feeds/markets.ts';
import type { Source } from '../../actors/feeds/source.ts';
import { emptyCoverage, intervalMsOf, missing, slotsOf } from '../../actors/live/coverage.ts';

/** Two decades of days, on a machine that has other work too. */
setDefaultTimeout(60_000);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FIRST = Date.UTC(2015, 0, 1);
const DAYS = (Date.UTC(2036, 0, 1) - FIRST) / DAY;
const days = fc
  .integer({ min: 0, max: DAYS - 1 })
  .map((n) => new Date(FIRST + n * DAY).toISOString().slice(0, 10));

const clocks: Readonly<Record<string, Intl.DateTimeFormat>> = Object.fromEntries(
  [
    ['CAISO', 'America/Los_Angeles'],
    ['MISO', 'Etc/GMT+5'],
  ].map(([market, timeZone]) => [
    market,
    new Intl.DateTimeFormat('sv-SE', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZoneName: 'longOffset',
    }),
  ]),
);

/** `2026-11-01 01:30:00 GMT-08:00` */
function shown(market: string, ms: number): string {
  const text = clocks[market]?.format(ms) ?? '';
  return text.replace('−', '-');
}

const SOURCES = ALL.flatMap(({ sources }) => sources);
const calendars = new Map(ALL.map(({ spec }) => [spec.market, marketCalendar(spec.zone)]));

/** Starts of the intervals that a source's windows expect on a day, of one location. */
function expectedOf(source: Source, date: string, location: string): number[] {
  const { market, run } = source;
  const calendar: MarketCalendar | undefined = calendars.get(market.market);
  const day = calendar?.day(date);
  if (calendar === undefined || day === null || day === undefined) throw new Error(date);
  const step = intervalMsOf(market, run);
  const starts: number[] = [];
  // A window of a week begins on another day.
  for (let back = 6; back >= 0; back -= 1) {
    for (const window of source.windows(calendar.dayOf(day.startMs - back * DAY), [location])) {
      if (window.endMs <= day.startMs || window.startMs >= day.endMs) continue;
      const within = (ms: number): boolean => ms >= day.startMs && ms < day.endMs;
      const found = missing(emptyCoverage(slotsOf(window, step)), window, step, market, within);
      for (const { startMs, endMs } of found.gaps) {
        for (let at = startMs; at < endMs; at += step) starts.push(at);
      }
      expect(found.gaps.reduce((sum, gap) => sum + gap.intervals, 0)).toBe(found.expected);
    }
  }
  return starts;
}

/** Every interval of three days around the date that the market's clock puts on it. */
function naive(market: string, date: string, step: number): number[] {
  const around = Date.parse(`${date}T00:00:00Z`);
  const starts: number[] = [];
  for (let at = around - DAY; at < around + 2 * DAY; at += step) {
    if (shown(market, at).startsWith(date)) starts.push(at);
  }
  return starts;
}

const stepOf = ({ market, run }: Source): number => intervalMsOf(market, run);

/** One source of each market and length of interval; the others have the same windows. */
const KINDS = [
  ...new Map(SOURCES.map((source) => [`${source.market.market} ${stepOf(source)}`, source])).values(),
];

describe('intervals that are expected on an operating day', () => {
  for (const source of KINDS) {
    test(`${source.market.market} ${source.run}: as many as the market's clock shows, on any day`, () => {
      fc.assert(
        fc.property(days, (date) => {
          expect(expectedOf(source, date, 'A')).toEqual(naive(source.market.market, date, stepOf(source)));
        }),
        { numRuns: 40 },
      );
    });
  }

  test('every day on which a clock is changed, for every source', () => {
    const hours = new Map<number, number>();
    for (let n = 0; n < DAYS; n += 1) {
      const date = new Date(FIRST + n * DAY).toISOString().slice(0, 10);
      const { startMs = 0, endMs = 0 } = calendars.get('CAISO')?.day(date) ?? {};
      const length = (endMs - startMs) / HOUR;
      hours.set(length, (hours.get(length) ?? 0) + 1);
      if (length === 24) continue;
      for (const source of SOURCES) {
        const of = source.market.market === 'CAISO' ? length : 24;
        const found = expectedOf(source, date, 'A');
        expect([source.name, date, found.length]).toEqual([source.name, date, (of * HOUR) / stepOf(source)]);
      }
    }
    expect(Object.fromEntries(hours)).toEqual({ 23: 21, 24: DAYS - 42, 25: 21 });
  });
});

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The n-th such weekday of a month, the last for n = -1, by going through its days. */
function weekday(year: number, month: number, name: string, n: number): string {
  const found: string[] = [];
  for (let day = 1; day <= 31; day += 1) {
    const at = new Date(Date.UTC(year, month - 1, day));
    if (at.getUTCMonth() !== month - 1) continue;
    if (WEEKDAYS[at.getUTCDay()] === name) {
      found.push(at.toISOString().slice(0, 10));
    }
  }
  return found.at(n > 0 ? n - 1 : n) ?? '';
}

const SUNDAY = (date: string): boolean => new Date(`${date}T00:00:00Z`).getUTCDay() === 0;

function isHoliday(date: string): boolean {
  const year = Number(date.slice(0, 4));
  const before = new Date(Date.parse(`${date}T00:00:00Z`) - DAY).toISOString().slice(0, 10);
  const fixed = ['01-01', '07-04', '12-25'];
  if (fixed.includes(date.slice(5)) && !SUNDAY(date)) return true;
  if (fixed.includes(before.slice(5)) && SUNDAY(before)) return true;
  return [
    weekday(year, 5, 'Monday', -1),
    weekday(year, 9, 'Monday', 1),
    weekday(year, 11, 'Thursday', 4),
  ].includes(date);
}

describe('hubs that are priced on and off peak', () => {
  const source = SOURCES.find((each) => each.name === 'caiso.dam');
  if (source === undefined) throw new Error('no source');
  const onPeak = (date: string): number[] =>
    SUNDAY(date) || isHoliday(date)
      ? []
      : naive('CAISO', date, HOUR).filter((at) => {
          const hour = Number(shown('CAISO', at).slice(11, 13));
          return hour >= 6 && hour <= 21;
        });
  const same = (date: string): void => {
    const on = onPeak(date);
    const off = naive('CAISO', date, HOUR).filter((at) => !on.includes(at));
    expect([date, expectedOf(source, date, 'TH_SP15_GEN_ONPEAK-APND')]).toEqual([date, on]);
    expect([date, expectedOf(source, date, 'TH_SP15_GEN_OFFPEAK-APND')]).toEqual([date, off]);
  };

  test('each has its hours and no other, on any day', () => {
    fc.assert(fc.property(days, same), { numRuns: 60 });
  });

  test('holidays, those that move to Monday, and days of 23 and 25 hours', () => {
    for (let year = 2015; year <= 2035; year += 1) {
      for (const date of ['01-01', '01-02', '07-04', '07-05', '12-25', '12-26']) same(`${year}-${date}`);
      same(weekday(year, 3, 'Sunday', 2));
      same(weekday(year, 11, 'Sunday', 1));
      same(weekday(year, 5, 'Monday', -1));
    }
  });
});

test('a gap is told in the time of the market, with the offset that its clock had', () => {
  const instants = fc.integer({ min: 0, max: DAYS * 288 - 1 }).map((n) => FIRST + n * 300_000);
  for (const { spec } of ALL) {
    fc.assert(
      fc.property(instants, (ms) => {
        const [date, time, offset = ''] = shown(spec.market, ms).split(' ');
        expect(wallTime(spec.zone, ms)).toBe(`${date}T${time}${offset.replace('GMT', '')}`);
      }),
      { numRuns: 300 },
    );
  }
  const caiso = ALL[0]?.spec.zone ?? { kind: 'fixed', utcOffsetMinutes: 0 };
  expect(wallTime(caiso, Date.parse('2026-11-01T08:30:00Z'))).toBe('2026-11-01T01:30:00-07:00');
  expect(wallTime(caiso, Date.parse('2026-11-01T09:30:00Z'))).toBe('2026-11-01T01:30:00-08:00');
});
