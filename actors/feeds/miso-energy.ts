// MISO does not publish the energy component, but LMP − congestion − loss is the same for every node of an
// interval: the strongest check a file offers. Exact decimal arithmetic; a spread beyond rounding is a
// warning on the file.

import type { Joiner } from './joiner.ts';

/** Three values rounded to cents can differ by this much, in millionths of $/MWh. */
const ROUNDING_MICROS = 20_000;

export function checkEnergy(joiner: Joiner): void {
  const spread = new Map<number, { low: number; high: number }>();
  for (const { first, values } of joiner.observations()) {
    const { LMP, MCC, MLC } = values;
    if (LMP === undefined || MCC === undefined || MLC === undefined) continue;
    const energy = micros(LMP) - micros(MCC) - micros(MLC);
    const found = spread.get(first.startMs);
    if (found === undefined) spread.set(first.startMs, { low: energy, high: energy });
    else {
      found.low = Math.min(found.low, energy);
      found.high = Math.max(found.high, energy);
    }
  }
  for (const [startMs, { low, high }] of spread) {
    if (high - low <= ROUNDING_MICROS) continue;
    const at = new Date(startMs).toISOString();
    joiner.warn(`energy component at ${at} differs between nodes: ${low / 1e6} to ${high / 1e6} $/MWh`);
  }
}

function micros(text: string): number {
  return Math.round(Number(text) * 1e6);
}
