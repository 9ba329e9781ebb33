// Instants. Inside the platform a point in time is a whole number of milliseconds since the Unix epoch, in
// UTC, and its name ends in `Ms`; on the wire it is whole microseconds and its name ends in `Us` or is a
// field of the wire schema. Intervals are half-open, [startMs, endMs). Operating days and hour endings live
// in operating-day.ts.

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Milliseconds to the microseconds of the wire. */
export function toUs(ms: number): number {
  return ms * 1_000;
}

/** Microseconds of the wire to milliseconds, rounded towards the past. */
export function toMs(us: number): number {
  return Math.floor(us / 1_000);
}

/** `2022-09-01T07:00:00Z`: UTC, whole seconds (fractions are cut). */
export function formatUtc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

const OFFSET_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * An ISO 8601 time that says its offset (`Z`, `-00:00`, `+05:30`), or null. A time without an offset is
 * refused, and so is a day that its month does not have.
 */
export function parseInstant(text: string): number | null {
  if (!OFFSET_TIME.test(text) || !isDate(text.slice(0, 10))) return null;
  const ms = Date.parse(text.endsWith('-00:00') ? `${text.slice(0, -6)}Z` : text);
  return Number.isNaN(ms) ? null : ms;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Whether text is a date of the calendar, such as 2024-02-29 and not 2023-02-29, which `Date.parse` would
 * take for the first of March.
 */
export function isDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text;
}
