// The moment that a table of MISO's public API means, `02-Oct-2026 - Interval 16:50 EST`, and the instants
// that clock times and hours ending beside it stand for. A table carries one date; a label belongs to the
// latest such time that the table can know of: shortly after midnight that is one of the day before.

import { DAY_MS, HOUR_MS, MINUTE_MS } from '../domain/time.ts';
import { EST_BEHIND_MS, estInstant, FIVE_MINUTES_MS } from './miso.ts';
import type { Span } from './source.ts';

const REF_ID = /^(\d{2})-([A-Z][a-z]{2})-(\d{4}) - Interval (\d{2}):(\d{2}) EST$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** When the interval of a RefId ends; null when it is no such text. */
export function refInstant(refId: unknown): number | null {
  const [, day, name = '', year, hour, minute] = (typeof refId === 'string' && REF_ID.exec(refId)) || [];
  const month = String(MONTHS.indexOf(name) + 1).padStart(2, '0');
  return estInstant(`${year}-${month}-${day}T${hour}:${minute}:00`);
}

/** `16:50`: the five minutes that end then, by `refMs` at the latest; null when it is no time of a day. */
export function fiveMinutes(label: string, refMs: number): Span | null {
  const [, hour, minute] = /^(\d{1,2}):(\d{2})$/.exec(label) ?? [];
  const ofDayMs = Number(hour) * HOUR_MS + Number(minute) * MINUTE_MS;
  if (Number.isNaN(ofDayMs) || ofDayMs > DAY_MS || Number(minute) > 59) return null;
  const endMs = latest(ofDayMs, refMs);
  return { startMs: endMs - FIVE_MINUTES_MS, endMs };
}

/** `HE 16`: the hour of that name which had begun, or was over, by `refMs`; null when it is no hour. */
export function hourOf(label: string, refMs: number, known: 'over' | 'begun'): Span | null {
  const hour = Number(/^HE (\d{1,2})$/.exec(label)?.[1]);
  if (!(hour >= 1 && hour <= 24)) return null;
  const endMs =
    known === 'over' ? latest(hour * HOUR_MS, refMs) : latest((hour - 1) * HOUR_MS, refMs) + HOUR_MS;
  return { startMs: endMs - HOUR_MS, endMs };
}

/** The last instant by `refMs` that is so long after a midnight. */
function latest(ofDayMs: number, refMs: number): number {
  const behindMs = EST_BEHIND_MS + ofDayMs;
  return Math.floor((refMs - behindMs) / DAY_MS) * DAY_MS + behindMs;
}
