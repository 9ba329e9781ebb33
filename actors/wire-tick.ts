// A normalized tick as the later stages read it from the topic: decoded once, checked for the shape they rely
// on. What it does not check stays what it was: a reader of another field treats it as unknown.

import { type Rejection, reject } from './domain/rejection.ts';
import type { Tick } from './domain/wire.ts';
import { isObject } from './normalize-decode.ts';

const decoder = new TextDecoder();
const TEXTS = [
  'event_id',
  'trace_id',
  'market',
  'run',
  'instrument_id',
  'delivery_location',
  'delivery_date',
] as const;
const TIMES = ['occurred_at', 'interval_start', 'interval_end', 'publication'] as const;
const VALUES = ['price', 'quantity'] as const;
const TYPES: readonly unknown[] = ['trade', 'curve', 'market_price', 'lmp'];

/** Never throws for bad input. */
export function readWireTick(value: Uint8Array, instrumentId: string): Tick | Rejection {
  let parsed: unknown;
  try {
    parsed = JSON.parse(decoder.decode(value));
  } catch {
    return reject('malformed_json', 'a tick is JSON text');
  }
  if (!isTick(parsed)) return reject('wrong_type', 'a tick has its identity, its interval and its values');
  if (parsed.instrument_id !== instrumentId) {
    return reject('wrong_type', `the record is keyed ${instrumentId} and speaks of another`, 'instrument_id');
  }
  return parsed;
}

function isTick(of: unknown): of is Tick {
  if (!isObject(of)) return false;
  for (const field of TEXTS) if (typeof of[field] !== 'string') return false;
  for (const field of TIMES) if (!Number.isSafeInteger(of[field])) return false;
  for (const field of VALUES) if (of[field] !== null && !Number.isFinite(of[field])) return false;
  return (
    TYPES.includes(of.instrument_type) &&
    isTexts(of.quality_flags) &&
    isTexts(of.validation_errors) &&
    isObject(of.normalization_metadata)
  );
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
