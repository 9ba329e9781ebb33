// Operating days and hour endings over every hour of 2015–2035 in both zones, against a clock on the wall:
// Intl says what it shows, and the operators' rule for its labels is written down here a second time.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type MarketCalendar, marketCalendar } from '../../../../actors/domain/operating-day.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const HOUR = 3_600_000;
const FROM = Date.UTC(2015, 0, 1);
const TO = Date.UTC(2036, 0, 2);

interface Hour {
  readonly startMs: number;
  readonly date: string;
  /** As the clock on the wall shows it, 0–23. */
  readonly shown: number;
}

/** Every hour, as a clock in the zone shows it. */
function hoursOf(timeZone: string): Hour[] {
  const clock = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    hourCycle: 'h23',
  });
  const out: Hour[] = [];
  for (let startMs = FROM; startMs < TO; startMs += HOUR) {
    const part = new Map(clock.formatToParts(startMs).map(({ type, value }) => [type, value]));
    const date = `${part.get('year')}-${part.get('month')}-${part.get('day')}`;
    out.push({ startMs, date, shown: Number(part.get('hour')) });
  }
  return out;
}

/** Whole days only: the first and the last are cut by the range. */
function daysOf(hours: readonly Hour[]): Map<string, Hour[]> {
  const days = new Map<string, Hour[]>();
  for (const hour of hours) days.set(hour.date, [...(days.get(hour.date) ?? []), hour]);
  const [first = '', last = ''] = [hours[0]?.date, hours.at(-1)?.date];
  days.delete(first);
  days.delete(last);
  return days;
}

/** An hour that the clock shows a second time on its day is 25; any other is one more than it shows. */
function labelsOf(day: readonly Hour[]): number[] {
  const seen = new Set<number>();
  return day.map(({ shown }) => {
    const again = seen.has(shown);
    seen.add(shown);
    return again ? 25 : shown + 1;
  });
}

const ZONES = [
  ['CAISO', 'America/Los_Angeles', marketCalendar({ kind: 'civil', zone: 'America/Los_Angeles' })],
  ['MISO', 'Etc/GMT+5', marketCalendar({ kind: 'fixed', utcOffsetMinutes: -300 })],
] as const;

describe.each(ZONES)('%s', (market, zone, calendar: MarketCalendar) => {
  const days = daysOf(hoursOf(zone));

  test('every day of 2015–2035 is there', () => {
    expect(days.size).toBe(7_670);
  });

  test('days begin and end where the clock turns, and have 23, 24 or 25 hours', () => {
    const lengths = new Map<number, number>();
    for (const [date, hours] of days) {
      const startMs = hours[0]?.startMs ?? 0;
      const wanted = { date, startMs, endMs: startMs + hours.length * HOUR };
      expect(calendar.day(date)).toEqual(wanted);
      expect(calendar.dayOf(startMs)).toEqual(wanted);
      expect(calendar.dayOf(wanted.endMs - 1)).toEqual(wanted);
      lengths.set(hours.length, (lengths.get(hours.length) ?? 0) + 1);
    }
    expect(lengths).toEqual(
      market === 'MISO'
        ? new Map([[24, 7_670]])
        : new Map([
            [24, 7_628],
            [23, 21],
            [25, 21],
          ]),
    );
  });

  test('every hour has the operators’ label, and label and date lead back to it', () => {
    for (const [date, hours] of days) {
      const labels = labelsOf(hours);
      for (const [n, { startMs }] of hours.entries()) {
        const label = labels[n] ?? 0;
        for (const ms of [startMs, startMs + 1, startMs + HOUR - 1]) {
          if (calendar.hourEnding(ms) !== label) expect([ms, calendar.hourEnding(ms)]).toEqual([ms, label]);
          if (calendar.hourOf(ms) !== startMs) expect([ms, calendar.hourOf(ms)]).toEqual([ms, startMs]);
        }
        const back = calendar.hourStart(date, label);
        if (back !== startMs) expect([date, label, back]).toEqual([date, label, startMs]);
      }
    }
  });

  test('a label that the day does not have leads nowhere', () => {
    for (const [date, hours] of days) {
      const labels = new Set(labelsOf(hours));
      for (let label = -1; label <= 27; label += 1) {
        if (labels.has(label)) continue;
        const found = calendar.hourStart(date, label);
        if (found !== null) throw new Error(`${date} has an hour ${label} at ${found}`);
      }
      expect(labels.size).toBe(hours.length);
    }
    for (const label of [1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(calendar.hourStart('2024-06-01', label)).toBeNull();
    }
  });

  test('a date that does not exist is no day', () => {
    for (const date of ['2023-02-29', '2024-02-30', '2024-13-01', '2024-00-10', '2024-1-1', '', 'today']) {
      expect(calendar.day(date)).toBeNull();
      expect(calendar.hourStart(date, 1)).toBeNull();
    }
    expect(calendar.day('2024-02-29')).not.toBeNull();
  });
});

test('CAISO’s spring day lacks hour ending 3 and its fall day has 25 between 2 and 3', () => {
  const [[, zone, calendar]] = ZONES;
  const days = daysOf(hoursOf(zone));
  const labels = (date: string) => (days.get(date) ?? []).map(({ startMs }) => calendar.hourEnding(startMs));
  expect(labels('2019-03-10')).toEqual([1, 2, ...Array.from({ length: 21 }, (_, n) => n + 4)]);
  expect(labels('2022-11-06')).toEqual([1, 2, 25, ...Array.from({ length: 22 }, (_, n) => n + 3)]);
});
