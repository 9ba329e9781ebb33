// Operating days and hours as a reader of the market's own clock sees them: by asking the time zone for every
// hour, never by arithmetic on offsets. Slow, remembered by hour.

const HOUR = 3_600_000;

interface Wall {
  /** YYYY-MM-DD. */
  readonly day: string;
  /** 0–23. */
  readonly hour: number;
}

const known = new Map<string, Wall>();

/** Etc/GMT+5 is five hours behind UTC all year. */
const ZONE: Record<string, string> = { CAISO: 'America/Los_Angeles', MISO: 'Etc/GMT+5' };

function wallOf(market: string, ms: number): Wall {
  const key = `${market}|${Math.floor(ms / HOUR)}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const text = new Date(ms).toLocaleString('sv-SE', { timeZone: ZONE[market] ?? 'UTC' });
  const wall = { day: text.slice(0, 10), hour: Number(text.slice(11, 13)) };
  known.set(key, wall);
  return wall;
}

export function dayOf(market: string, ms: number): string {
  return wallOf(market, ms).day;
}

/** Start and end of the operating day around an instant. */
export function dayBounds(market: string, ms: number): readonly [number, number] {
  const day = dayOf(market, ms);
  let start = Math.floor(ms / HOUR) * HOUR;
  while (dayOf(market, start - HOUR) === day) start -= HOUR;
  let end = start + HOUR;
  while (dayOf(market, end) === day) end += HOUR;
  return [start, end];
}

/** 1–24; 25 for an hour that the clock showed an hour before. */
export function hourEnding(market: string, ms: number): number {
  const { hour } = wallOf(market, ms);
  return wallOf(market, ms - HOUR).hour === hour ? 25 : hour + 1;
}

/** `2022-09-01T07:00:00Z`. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
