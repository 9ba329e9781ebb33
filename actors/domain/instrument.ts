// Instruments: market × run × location. The id is the key on every topic after normalization.

import { type Rejection, reject } from './rejection.ts';

export interface Instrument {
  readonly market: string;
  readonly run: string;
  readonly location: string;
}

const NAME = /^[A-Z][A-Z0-9_]{0,31}$/;
const LOCATION = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** `CAISO:RTPD:TH_SP15_GEN-APND`. Inverse of parseInstrumentId. */
export function instrumentId(of: Instrument): string {
  return `${of.market}:${of.run}:${of.location}`;
}

/**
 * The parts of an id, or why it is none. A location is 1–128 printable ASCII characters and may hold a colon.
 */
export function parseInstrumentId(id: string): Instrument | Rejection {
  const first = id.indexOf(':');
  const second = id.indexOf(':', first + 1);
  if (first < 0 || second < 0) {
    return reject('wrong_type', `'${id}' is not <market>:<run>:<location>`, 'instrument_id');
  }
  const parts = {
    market: id.slice(0, first),
    run: id.slice(first + 1, second),
    location: id.slice(second + 1),
  };
  return checkInstrument(parts) ?? parts;
}

/** Null when the three parts can make an id, else why not. */
export function checkInstrument(of: Instrument): Rejection | null {
  if (!NAME.test(of.market)) return reject('wrong_type', `market '${of.market}' is not a name`, 'market');
  if (!NAME.test(of.run)) return reject('wrong_type', `run '${of.run}' is not a name`, 'run');
  if (!LOCATION.test(of.location)) {
    return reject('wrong_type', 'a location is 1–128 printable ASCII characters', 'delivery_location');
  }
  return null;
}
