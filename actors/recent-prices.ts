// The last prices of an instrument by event time, packed: the rolling state of enrichment and of data
// quality. A price of an event time that is known replaces it, so a version that arrives twice distorts
// nothing.
//
//   bytes: [count u16] then [event time f64][price f64] ascending by event time

import { Defect } from './domain/invariant.ts';
import { seal, unseal } from './domain/sealed.ts';

const FORMAT = 1;
const HEAD = 2;
const ROW = 16;

/** Ascending by event time; parallel arrays. Never mutated after it was made. */
export interface RecentPrices {
  readonly times: readonly number[];
  readonly prices: readonly number[];
}

export const NO_PRICES: RecentPrices = { times: [], prices: [] };

/** Adds or replaces one price; at most `most` newest are kept. */
export function withPrice(of: RecentPrices, timeMs: number, price: number, most: number): RecentPrices {
  let at = of.times.length;
  while (at > 0 && (of.times[at - 1] ?? 0) > timeMs) at -= 1;
  const known = at > 0 && of.times[at - 1] === timeMs;
  if (known && of.prices[at - 1] === price) return of;
  const times = [...of.times];
  const prices = [...of.prices];
  if (known) prices[at - 1] = price;
  else {
    times.splice(at, 0, timeMs);
    prices.splice(at, 0, price);
  }
  const extra = times.length - most;
  return extra <= 0 ? { times, prices } : { times: times.slice(extra), prices: prices.slice(extra) };
}

/** Values of earlier event time than `timeMs`, ascending by it. */
export function valuesBefore(of: RecentPrices, timeMs: number): readonly number[] {
  let end = of.times.length;
  while (end > 0 && (of.times[end - 1] ?? 0) >= timeMs) end -= 1;
  return end === of.prices.length ? of.prices : of.prices.slice(0, end);
}

export function packPrices(of: RecentPrices): Uint8Array {
  const bytes = new Uint8Array(HEAD + of.times.length * ROW);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, of.times.length);
  for (const [n, time] of of.times.entries()) {
    view.setFloat64(HEAD + n * ROW, time);
    view.setFloat64(HEAD + n * ROW + 8, of.prices[n] ?? Number.NaN);
  }
  return seal(FORMAT, bytes);
}

/** Inverse of packPrices; a Defect on bytes it did not write. */
export function unpackPrices(bytes: Uint8Array): RecentPrices {
  const { view, count } = opened(bytes);
  const times = Array.from({ length: count }, (_, n) => view.getFloat64(HEAD + n * ROW));
  const prices = Array.from({ length: count }, (_, n) => view.getFloat64(HEAD + n * ROW + 8));
  return { times, prices };
}

/** The same check as unpackPrices, without reading them. */
export function checkPrices(bytes: Uint8Array): void {
  opened(bytes);
}

function opened(bytes: Uint8Array): { readonly view: DataView; readonly count: number } {
  const { body } = unseal(bytes, [FORMAT]);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const count = view.getUint16(0);
  if (body.length !== HEAD + count * ROW) throw new Defect('packed prices have the wrong length');
  return { view, count };
}

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation; 0 for fewer than two. */
  readonly deviation: number;
  readonly count: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const count = values.length;
  if (count === 0) return { mean: 0, deviation: 0, count };
  let total = 0;
  for (const value of values) total += value;
  const mean = total / count;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: count < 2 ? 0 : Math.sqrt(squares / (count - 1)), count };
}
