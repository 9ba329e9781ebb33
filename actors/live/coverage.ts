// What of a window is on the log: for each location a hash of its values in each interval, 0 where there is
// none. One structure answers three questions: what is missing, what of a response is new, and what of it was
// corrected. Append only what is new or changed, and each version is on the log once.

import type { MarketSpec } from '../domain/market.ts';
import type { RawRecord } from '../domain/wire.ts';
import type { Span, Window } from '../feeds/source.ts';

export interface Coverage {
  /** Intervals of the window. */
  readonly slots: number;
  readonly locations: ReadonlyMap<string, Uint32Array>;
  /** Instead of locations, where their values are no longer needed one by one; null: they are. */
  readonly packed: Packed | null;
}

export interface Packed {
  /** Locations that were expected in each interval, and those of them that had a value. */
  readonly expected: readonly number[];
  readonly present: readonly number[];
  /** The first of what is missing, by name. */
  readonly gaps: readonly Gap[];
  /** Of all values. */
  readonly fingerprint: string;
}

export interface Gap extends Span {
  readonly location: string;
  readonly intervals: number;
}

export interface Missing {
  readonly expected: number;
  readonly present: number;
  /** Runs of missing intervals, in order of location and time. */
  readonly gaps: readonly Gap[];
}

export interface Merged {
  readonly coverage: Coverage;
  /** To be appended, in the feed's order. */
  readonly fresh: readonly RawRecord[];
  /** Of `fresh`: those whose interval was there with other values. */
  readonly corrected: number;
  readonly unchanged: number;
  /** Of no run, location or interval that the window asks for. */
  readonly unasked: number;
}

export function emptyCoverage(slots: number): Coverage {
  return { slots, locations: new Map(), packed: null };
}

/** Length of one interval of the run, ms. */
export function intervalMsOf(market: MarketSpec, run: string): number {
  const minutes = market.runs[run]?.intervalMinutes ?? 0;
  if (minutes <= 0) throw new RangeError(`${market.market} ${run} has no intervals`);
  return minutes * 60_000;
}

export function slotsOf(window: Span, intervalMs: number): number {
  return Math.round((window.endMs - window.startMs) / intervalMs);
}

/** Never 0. Two versions that differ share it once in 4·10⁹. */
function hashOf({ values }: RawRecord): number {
  const names = Object.keys(values).sort();
  const text = names.map((name) => `${name}=${values[name]}`).join(',');
  return Bun.hash.xxHash32(text) || 1;
}

/**
 * Takes a response's records into a coverage. One that is packed takes none, and stays as it is. Later
 * records of an interval stand over earlier ones.
 */
export function merge(
  before: Coverage,
  window: Window,
  intervalMs: number,
  records: readonly RawRecord[],
  run: string,
): Merged {
  const { slots, packed } = before;
  if (packed !== null && records.length > 0) throw new RangeError(`${window.id} is packed: open it first`);
  const wanted = window.nodes === 'all' ? null : new Set(window.nodes);
  const locations = new Map(before.locations);
  const copied = new Set<string>();
  const fresh: RawRecord[] = [];
  let corrected = 0;
  let unchanged = 0;
  let unasked = 0;
  for (const record of records) {
    const { delivery_location: location } = record;
    const slot = (record.interval_start / 1_000 - window.startMs) / intervalMs;
    const within = Number.isInteger(slot) && slot >= 0 && slot < slots;
    if (!within || record.run !== run || (wanted !== null && !wanted.has(location))) {
      unasked += 1;
      continue;
    }
    const known = locations.get(location);
    const hashes = copied.has(location) && known !== undefined ? known : copyOf(known, slots);
    copied.add(location);
    locations.set(location, hashes);
    const hash = hashOf(record);
    const old = hashes[slot];
    if (old === hash) {
      unchanged += 1;
      continue;
    }
    if (old !== 0) corrected += 1;
    hashes[slot] = hash;
    fresh.push(record);
  }
  return { coverage: { slots, locations, packed }, fresh, corrected, unchanged, unasked };
}

function copyOf(known: Uint32Array | undefined, slots: number): Uint32Array {
  const copy = new Uint32Array(slots);
  if (known !== undefined) copy.set(known);
  return copy;
}

/**
 * What the interval calendar expects and the log lacks, of intervals that end by `untilMs`. Of `all` nodes
 * those are expected that the window has seen in some interval; before the first there is one unnamed (`*`).
 */
export function missing(
  coverage: Coverage,
  window: Window,
  intervalMs: number,
  market: MarketSpec,
  isDue: (startMs: number) => boolean,
): Missing {
  const names = window.nodes === 'all' ? [...coverage.locations.keys()].sort() : window.nodes;
  const due = Array.from({ length: coverage.slots }, (_, slot) => isDue(window.startMs + slot * intervalMs));
  if (coverage.packed !== null) return missingOfPacked(coverage.packed, window, intervalMs, due);
  const gaps: Gap[] = [];
  let expected = 0;
  let absent = 0;
  for (const location of names.length === 0 ? ['*'] : names) {
    const hashes = coverage.locations.get(location);
    let from: number | null = null;
    let count = 0;
    const close = (endMs: number): void => {
      if (from !== null) gaps.push({ location, startMs: from, endMs, intervals: count });
      from = null;
      count = 0;
    };
    for (let slot = 0; slot < coverage.slots; slot += 1) {
      const startMs = window.startMs + slot * intervalMs;
      const wanted = due[slot] === true && market.expects(location, startMs);
      if (wanted) expected += 1;
      if (wanted && (hashes?.[slot] ?? 0) === 0) {
        absent += 1;
        count += 1;
        from ??= startMs;
      } else close(startMs);
    }
    close(window.endMs);
  }
  return { expected, present: expected - absent, gaps };
}

/** What is missing beyond the gaps that are kept by name stands under `*`. */
function missingOfPacked(
  { expected: all, present, gaps: kept }: Packed,
  window: Window,
  intervalMs: number,
  due: readonly boolean[],
): Missing {
  const sum = (of: readonly number[]) =>
    of.reduce((total, n, slot) => total + (due[slot] === true ? n : 0), 0);
  const expected = sum(all);
  const gaps: Gap[] = [];
  for (const { location, startMs, endMs } of kept) {
    let from: number | null = null;
    for (let at = startMs; at <= endMs; at += intervalMs) {
      const isMissing = at < endMs && due[(at - window.startMs) / intervalMs] === true;
      if (isMissing) from ??= at;
      else if (from !== null) {
        gaps.push({ location, startMs: from, endMs: at, intervals: (at - from) / intervalMs });
        from = null;
      }
    }
  }
  const named = gaps.reduce((total, each) => total + each.intervals, 0);
  const unnamed = expected - sum(present) - named;
  const { startMs, endMs } = window;
  if (unnamed > 0) gaps.push({ location: '*', startMs, endMs, intervals: unnamed });
  return { expected, present: sum(present), gaps };
}

/** The span from the first to the last gap; null when there is none. */
export function gapSpan(gaps: readonly Gap[]): Span | null {
  if (gaps.length === 0) return null;
  const startMs = gaps.reduce((least, each) => Math.min(least, each.startMs), Number.POSITIVE_INFINITY);
  const endMs = gaps.reduce((most, each) => Math.max(most, each.endMs), Number.NEGATIVE_INFINITY);
  return { startMs, endMs };
}

/** As it is stored. */
export interface StoredCoverage {
  readonly slots: number;
  readonly locations: Readonly<Record<string, string>>;
  readonly packed?: Packed;
}

export function storeCoverage({ slots, locations, packed }: Coverage): StoredCoverage {
  const stored: Record<string, string> = {};
  for (const [location, hashes] of locations) {
    stored[location] = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('base64');
  }
  return { slots, locations: stored, ...(packed === null ? {} : { packed }) };
}

export function readCoverage({ slots, locations, packed }: StoredCoverage): Coverage {
  const read = new Map<string, Uint32Array>();
  for (const [location, text] of Object.entries(locations)) {
    const bytes = new Uint8Array(Buffer.from(text, 'base64'));
    read.set(location, new Uint32Array(bytes.buffer, 0, slots));
  }
  return { slots, locations: read, packed: packed ?? null };
}
