// Calendar messages: event time of a (market, run) moves on although an instrument has no data. Here is how
// one is read from a topic and remembered with a partition, so that an instrument that appears later knows it
// too.

import { toMs } from './domain/time.ts';

export interface CalendarNews {
  readonly market: string;
  readonly run: string;
  readonly toMs: number;
}

const STATE_PREFIX = 'r:calendar:';

/** Key under which the calendar of a run key is stored. */
export function storedCalendarKey(key: string): string {
  return `${STATE_PREFIX}${key}`;
}

/** `CAISO:RTPD`: the part of an instrument id that a calendar message speaks about. */
export function runKey(of: { readonly market: string; readonly run: string }): string {
  return `${of.market}:${of.run}`;
}

/** Inverse of runKey. */
export function partsOfRun(key: string): { readonly market: string; readonly run: string } {
  const cut = key.indexOf(':');
  return { market: key.slice(0, cut), run: key.slice(cut + 1) };
}

/** The run key in a stored calendar key, or null for another key. */
export function storedRunKey(stateKey: string): string | null {
  return stateKey.startsWith(STATE_PREFIX) ? stateKey.slice(STATE_PREFIX.length) : null;
}

/** `CAISO:RTPD` of `CAISO:RTPD:TH_SP15_GEN-APND`. */
export function runKeyOf(instrumentId: string): string {
  return instrumentId.slice(0, instrumentId.indexOf(':', instrumentId.indexOf(':') + 1));
}

/** Null when the bytes are not a calendar message. */
export function readCalendar(value: Uint8Array): CalendarNews | null {
  const parsed = parse(value);
  if (typeof parsed !== 'object' || parsed === null) return null;
  if (!('market' in parsed) || !('run' in parsed) || !('advance_to' in parsed)) return null;
  const { market, run, advance_to } = parsed;
  if (typeof market !== 'string' || typeof run !== 'string') return null;
  if (typeof advance_to !== 'number' || !Number.isSafeInteger(advance_to)) return null;
  return { market, run, toMs: toMs(advance_to) };
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(value));
  } catch {
    return null;
  }
}
