// What a window costs when nobody needs its values one by one any more: counts by interval, what is missing
// by name, and one fingerprint of all values. An answer for the whole window is held against the fingerprint:
// the same, and nothing of it is new; another, and the window is taken in again as if nothing were known,
// which puts unchanged values on the log a second time, where they change nothing.

import type { MarketSpec } from '../domain/market.ts';
import type { RawRecord } from '../domain/wire.ts';
import type { Window } from '../feeds/source.ts';
import { type Coverage, emptyCoverage, merge, missing } from './coverage.ts';

/** Gaps that a packed window keeps by name. */
const GAPS_KEPT = 100;

/** Of a coverage that is not packed. */
export function pack(coverage: Coverage, window: Window, intervalMs: number, market: MarketSpec): Coverage {
  const { slots, locations } = coverage;
  const { gaps } = missing(coverage, window, intervalMs, market, () => true);
  const expected = Array.from({ length: slots }, () => 0);
  const present = Array.from({ length: slots }, () => 0);
  const names = window.nodes === 'all' ? locations.keys() : window.nodes;
  for (const location of names) {
    const hashes = locations.get(location);
    for (let slot = 0; slot < slots; slot += 1) {
      if (!market.expects(location, window.startMs + slot * intervalMs)) continue;
      expected[slot] = (expected[slot] ?? 0) + 1;
      if ((hashes?.[slot] ?? 0) !== 0) present[slot] = (present[slot] ?? 0) + 1;
    }
  }
  const packed = { expected, present, gaps: gaps.slice(0, GAPS_KEPT), fingerprint: fingerprint(coverage) };
  return { slots, locations: new Map(), packed };
}

/** 64 bits, whatever the order of the locations. */
function fingerprint({ locations }: Coverage): string {
  let sum = 0n;
  for (const [location, hashes] of locations) {
    const values = new Uint8Array(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    sum += Bun.hash.xxHash64(values, Bun.hash.xxHash64(location));
  }
  return BigInt.asUintN(64, sum).toString(16);
}

export interface Opened {
  readonly coverage: Coverage;
  /** Still to be taken in. */
  readonly records: readonly RawRecord[];
  /** Found to be there already. */
  readonly unchanged: number;
}

/** A window as an answer for all of it finds it. What is not packed is as it is. */
export function open(
  coverage: Coverage,
  window: Window,
  intervalMs: number,
  records: readonly RawRecord[],
  run: string,
): Opened {
  if (coverage.packed === null) return { coverage, records, unchanged: 0 };
  const empty = emptyCoverage(coverage.slots);
  const all = merge(empty, window, intervalMs, records, run);
  if (all.fresh.length === 0) return { coverage, records: [], unchanged: 0 };
  if (fingerprint(all.coverage) !== coverage.packed.fingerprint) {
    return { coverage: empty, records, unchanged: 0 };
  }
  return { coverage, records: [], unchanged: all.fresh.length };
}
