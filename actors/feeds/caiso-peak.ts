// On-peak hours of the Western power market: hour ending 7 to 22, Monday to Saturday, except the six holidays
// that NERC names. Hubs such as TH_SP15_GEN_ONPEAK-APND are priced only then, and their OFFPEAK twins only
// otherwise.

import type { MarketCalendar } from '../domain/operating-day.ts';

export function isOnPeak(calendar: MarketCalendar, startMs: number): boolean {
  const { date } = calendar.dayOf(startMs);
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay();
  if (weekday === 0 || isHoliday(date)) return false;
  const hourEnding = calendar.hourEnding(startMs);
  return hourEnding >= 7 && hourEnding <= 22;
}

const holidays = new Map<number, ReadonlySet<string>>();

/**
 * New Year, Memorial Day, Independence Day, Labor Day, Thanksgiving, Christmas; a Sunday one moves to Monday.
 */
function isHoliday(date: string): boolean {
  const year = Number(date.slice(0, 4));
  const known = holidays.get(year) ?? new Set(holidaysOf(year));
  holidays.set(year, known);
  return known.has(date);
}

function holidaysOf(year: number): string[] {
  return [
    observed(year, 1, 1),
    lastMonday(year, 5),
    observed(year, 7, 4),
    nth(year, 9, 1, 1),
    nth(year, 11, 4, 4),
    observed(year, 12, 25),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

const DAY = 86_400_000;

function observed(year: number, month: number, day: number): string {
  const ms = Date.UTC(year, month - 1, day);
  return iso(new Date(ms).getUTCDay() === 0 ? ms + DAY : ms);
}

/** The n-th such weekday (0 Sunday) of a month. */
function nth(year: number, month: number, weekday: number, n: number): string {
  const first = Date.UTC(year, month - 1, 1);
  const ahead = (weekday - new Date(first).getUTCDay() + 7) % 7;
  return iso(first + (ahead + 7 * (n - 1)) * DAY);
}

function lastMonday(year: number, month: number): string {
  const last = Date.UTC(year, month, 0);
  return iso(last - ((new Date(last).getUTCDay() + 6) % 7) * DAY);
}
