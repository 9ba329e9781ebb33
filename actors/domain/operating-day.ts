// Operating days and hour endings: the market's labels for time. Labels are computed from instants and never
// used for order. A civil zone has days of 23, 24 and 25 hours; a fixed offset always 24.
//
// The hour ending follows the operators' own labels under US daylight saving: in spring hour 3 is absent, in
// fall the repeated hour is 25 and stands between 2 and 3.

import type { MarketZone } from './market.ts';
import { DAY_MS, HOUR_MS, isDate, MINUTE_MS } from './time.ts';

export interface OperatingDay {
  /** YYYY-MM-DD in the market's zone. */
  readonly date: string;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

export interface MarketCalendar {
  dayOf(ms: number): OperatingDay;
  /** Null for a date that does not exist. */
  day(date: string): OperatingDay | null;
  /** 1–25. */
  hourEnding(ms: number): number;
  /** Start of an hour by its labels; null when the day has no such hour. */
  hourStart(date: string, hourEnding: number): number | null;
  /** Start of the local hour that holds `ms`. */
  hourOf(ms: number): number;
}

const CACHED_DAYS_MAX = 20_000;

export function marketCalendar(zone: MarketZone): MarketCalendar {
  return zone.kind === 'fixed' ? fixedCalendar(zone.utcOffsetMinutes) : civilCalendar(zone.zone);
}

/** As a clock in the market shows it, with its offset: `2026-11-01T01:30:00-08:00`. */
export function wallTime(zone: MarketZone, ms: number): string {
  const name = zone.kind === 'fixed' ? offsetOf(zone.utcOffsetMinutes) : zone.zone;
  const shown = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(name);
  return shown.toString({ timeZoneName: 'never', smallestUnit: 'second' });
}

/** `-05:00` */
function offsetOf(minutes: number): string {
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(hours)}:${two(rest)}`;
}

function fixedCalendar(utcOffsetMinutes: number): MarketCalendar {
  const offsetMs = utcOffsetMinutes * MINUTE_MS;
  const make = (index: number): OperatingDay => {
    const startMs = index * DAY_MS - offsetMs;
    return { date: new Date(index * DAY_MS).toISOString().slice(0, 10), startMs, endMs: startMs + DAY_MS };
  };
  const cache = new Map<number, OperatingDay>();
  return calendarOf(
    (ms) => remember(cache, Math.floor((ms + offsetMs) / DAY_MS), make),
    (date) => remember(cache, Date.parse(`${date}T00:00:00Z`) / DAY_MS, make),
  );
}

function civilCalendar(zone: string): MarketCalendar {
  const byDate = new Map<string, OperatingDay>();
  const make = (date: string): OperatingDay => {
    const plain = Temporal.PlainDate.from(date);
    const startMs = plain.toZonedDateTime(zone).epochMilliseconds;
    const endMs = plain.add({ days: 1 }).toZonedDateTime(zone).epochMilliseconds;
    return { date, startMs, endMs };
  };
  const named = (date: string): OperatingDay => remember(byDate, date, make);
  const hours = new Map<number, OperatingDay>();
  const ofHour = (hour: number): OperatingDay => {
    const instant = Temporal.Instant.fromEpochMilliseconds(hour * HOUR_MS);
    return named(instant.toZonedDateTimeISO(zone).toPlainDate().toString());
  };
  return calendarOf((ms) => remember(hours, Math.floor(ms / HOUR_MS), ofHour), named);
}

function remember<K, V>(cache: Map<K, V>, key: K, make: (key: K) => V): V {
  const found = cache.get(key);
  if (found !== undefined) return found;
  if (cache.size >= CACHED_DAYS_MAX) cache.clear();
  const made = make(key);
  cache.set(key, made);
  return made;
}

function calendarOf(
  dayOf: (ms: number) => OperatingDay,
  named: (date: string) => OperatingDay,
): MarketCalendar {
  const day = (date: string): OperatingDay | null => (isDate(date) ? named(date) : null);
  return {
    dayOf,
    day,
    hourEnding(ms) {
      const { startMs, endMs } = dayOf(ms);
      return labelOf(Math.floor((ms - startMs) / HOUR_MS), (endMs - startMs) / HOUR_MS);
    },
    hourStart(date, hourEnding) {
      const found = day(date);
      if (found === null) return null;
      const hours = (found.endMs - found.startMs) / HOUR_MS;
      for (let index = 0; index < hours; index += 1) {
        if (labelOf(index, hours) === hourEnding) return found.startMs + index * HOUR_MS;
      }
      return null;
    },
    hourOf(ms) {
      const { startMs } = dayOf(ms);
      return startMs + Math.floor((ms - startMs) / HOUR_MS) * HOUR_MS;
    },
  };
}

/** Label of the hour at `index` (0 first) of a day with so many hours. */
function labelOf(index: number, hours: number): number {
  if (hours === 23) return index < 2 ? index + 1 : index + 2;
  if (hours === 25 && index >= 2) return index === 2 ? 25 : index;
  return index + 1;
}
