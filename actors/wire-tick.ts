// A normalized tick as the later stages read it from the topic: decoded once, checked for the shape they rely
// on.

import { type Rejection, reject } from './domain/rejection.ts';
import type { InstrumentType, Tick } from './domain/wire.ts';

export interface ReadableTick {
  readonly event_id: string;
  readonly trace_id: string;
  readonly market: string;
  readonly run: string;
  readonly instrument_type: InstrumentType;
  readonly delivery_location: string;
  readonly interval_start: number;
  readonly interval_end: number;
  readonly publication: number;
  readonly price: number | null;
  readonly quantity: number | null;
  /** All fields, as they were read. */
  readonly record: Tick;
}

const decoder = new TextDecoder();
const TYPES: readonly unknown[] = ['trade', 'curve', 'market_price', 'lmp'];

/** Never throws for bad input. */
export function readWireTick(value: Uint8Array, instrumentId: string): ReadableTick | Rejection {
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
  return { ...pick(parsed), record: parsed };
}

function pick(tick: Tick): Omit<ReadableTick, 'record'> {
  const { event_id, trace_id, market, run, instrument_type, delivery_location } = tick;
  const { interval_start, interval_end, publication, price, quantity } = tick;
  return {
    event_id,
    trace_id,
    market,
    run,
    instrument_type,
    delivery_location,
    interval_start,
    interval_end,
    publication,
    price,
    quantity,
  };
}

function isTick(value: unknown): value is Tick {
  if (typeof value !== 'object' || value === null) return false;
  const of = (field: string): unknown => Reflect.get(value, field);
  const texts = ['event_id', 'trace_id', 'market', 'run', 'instrument_id', 'delivery_location'];
  const times = ['interval_start', 'interval_end', 'publication'];
  const values = ['price', 'quantity'];
  return (
    texts.every((field) => typeof of(field) === 'string') &&
    times.every((field) => Number.isSafeInteger(of(field))) &&
    values.every((field) => of(field) === null || Number.isFinite(of(field))) &&
    TYPES.includes(of('instrument_type')) &&
    Array.isArray(of('quality_flags')) &&
    Array.isArray(of('validation_errors'))
  );
}
