// Exact prices and quantities: whole millionths ($/MWh or MWh) as safe integers. Sums of them are exact; a
// result is one division, so it is the double nearest to the true quotient and equals what an exact oracle
// gives.

import { invariant } from './invariant.ts';

export const MICROS = 1_000_000;
/** Largest magnitude of one value, in millionths: a billion. */
const MICROS_MAX = 1e15;

/**
 * A value with at most six decimals, as millionths. Throws a Defect for what normalization should have
 * refused.
 */
export function toMicros(value: number): number {
  const micros = Math.round(value * MICROS);
  invariant(Math.abs(micros) <= MICROS_MAX, `${value} is out of the range of prices and quantities`);
  return micros === 0 ? 0 : micros;
}

/** The double nearest to micros/10⁶; inverse of toMicros. */
export function fromMicros(micros: number): number {
  return micros / MICROS;
}

/** The double nearest to numerator/denominator; denominator > 0. */
export function quotient(numerator: bigint, denominator: bigint): number {
  const safe = BigInt(Number.MAX_SAFE_INTEGER);
  const magnitude = numerator < 0n ? -numerator : numerator;
  if (magnitude <= safe && denominator <= safe) return Number(numerator) / Number(denominator);
  const scaled = ((magnitude * 10n ** 30n) / denominator).toString().padStart(31, '0');
  return Number(`${numerator < 0n ? '-' : ''}${scaled.slice(0, -30)}.${scaled.slice(-30)}`);
}
