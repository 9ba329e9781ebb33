// How far a value lies from those before it: z-scores and fences. Negative values are values like any other.

import { spreadOf } from './recent-prices.ts';

/**
 * Distance from the mean in sample standard deviations. Null with fewer than `minSamples` values, and when
 * they are all equal: then nothing can be said in deviations.
 */
export function zScore(
  before: readonly number[],
  value: number,
  minSamples: number,
): { readonly z: number; readonly mean: number } | null {
  if (before.length < minSamples) return null;
  const { mean, deviation } = spreadOf(before);
  return deviation === 0 ? null : { z: Math.abs(value - mean) / deviation, mean };
}

export interface Fence {
  readonly low: number;
  readonly high: number;
}

/** Quartiles (type 7) widened by `threshold` interquartile ranges: Tukey's fences. */
export function iqrFence(values: readonly number[], threshold: number): Fence {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => {
    const position = (sorted.length - 1) * share;
    const below = sorted[Math.floor(position)] ?? 0;
    const above = sorted[Math.ceil(position)] ?? below;
    return below + (position - Math.floor(position)) * (above - below);
  };
  const [lower, upper] = [at(0.25), at(0.75)];
  const reach = threshold * (upper - lower);
  return { low: lower - reach, high: upper + reach };
}

export function zFence(values: readonly number[], threshold: number): Fence {
  const { mean, deviation } = spreadOf(values);
  return { low: mean - threshold * deviation, high: mean + threshold * deviation };
}
