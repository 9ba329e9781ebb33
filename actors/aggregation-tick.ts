// What aggregation needs of an enriched tick, checked at its edge: the times, the version, the values.
// Everything else passes by unread.

import { toMicros } from './domain/micros.ts';
import { HASH_DIGITS, type Version } from './domain/observation.ts';
import { isRejection, type Rejection, reject } from './domain/rejection.ts';

/** Largest magnitude of a price ($/MWh) or quantity (MWh) that is folded. */
const VALUE_MAX = 1e9;

export interface FoldableTick {
  /** With its microseconds as a fraction: trades of one millisecond keep their order. */
  readonly startMs: number;
  readonly endMs: number;
  readonly tradeId: string | null;
  readonly traceId: string;
  readonly version: Version;
}

const decoder = new TextDecoder();
const TRACE = /^[0-9A-Za-z_-]{1,64}$/;
const HASH = /^[0-9a-f]{16}$/;

/** Decodes and checks one record. Never throws for bad input. */
export function readTick(value: Uint8Array, instrumentId: string): FoldableTick | Rejection {
  let parsed: unknown;
  try {
    parsed = JSON.parse(decoder.decode(value));
  } catch {
    return reject('malformed_json', 'an enriched tick is JSON text');
  }
  if (typeof parsed !== 'object' || parsed === null)
    return reject('not_an_object', 'an enriched tick is an object');
  return checkTick(parsed, instrumentId);
}

/** The same for a row read back from silver. */
export function checkTick(tick: object, instrumentId: string): FoldableTick | Rejection {
  const of = (field: string): unknown => Reflect.get(tick, field);
  if (of('instrument_id') !== instrumentId) {
    return reject('wrong_type', `the record is keyed ${instrumentId} and speaks of another`, 'instrument_id');
  }
  const start = of('interval_start');
  const end = of('interval_end');
  const publication = of('publication');
  if (!isMicroseconds(start))
    return reject('bad_time', 'interval_start is whole microseconds', 'interval_start');
  if (!isMicroseconds(end) || end < start) {
    return reject('bad_interval', 'interval_end is whole microseconds, not before the start', 'interval_end');
  }
  if (!isMicroseconds(publication))
    return reject('bad_time', 'publication is whole microseconds', 'publication');
  const hash = of('version_hash');
  if (typeof hash !== 'string' || !HASH.test(hash)) {
    return reject('wrong_type', 'version_hash is 16 hex digits', 'version_hash');
  }
  const price = value(of('price'), 'price');
  const quantity = value(of('quantity'), 'quantity');
  if (isRejection(price)) return price;
  if (isRejection(quantity)) return quantity;
  const tradeId = of('trade_id') ?? null;
  if (tradeId !== null && typeof tradeId !== 'string')
    return reject('wrong_type', 'trade_id is text', 'trade_id');
  const trace = of('trace_id');
  return {
    startMs: start / 1_000,
    endMs: end / 1_000,
    tradeId,
    traceId: typeof trace === 'string' && TRACE.test(trace) ? trace : hash,
    version: { publication, hash: hash.slice(0, HASH_DIGITS), price, quantity },
  };
}

function isMicroseconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function value(of: unknown, field: string): number | null | Rejection {
  if (of === null || of === undefined) return null;
  if (typeof of !== 'number') return reject('wrong_type', `${field} is a number or null`, field);
  if (!Number.isFinite(of) || Math.abs(of) > VALUE_MAX) {
    return reject('out_of_range', `${field} ${of} is beyond ±${VALUE_MAX}`, field);
  }
  return toMicros(of);
}
