// A window as the log keeps it. A small coverage stands within the window's own value; a large one, such as a
// day of all nodes, is compressed and cut into parts with keys of their own, because a broker takes no value
// above its `max.message.bytes`. No value here exceeds VALUE_BYTES_MAX. All of a window is one transaction.
//
//   window:<path>:<id>          what is known of it, and how many parts its coverage has
//   coverage:<path>:<id>:<n>    part n; parts of an earlier, larger coverage are removed

import { readCoverage, type StoredCoverage, storeCoverage } from '../../actors/live/coverage.ts';
import type { WindowState } from '../../actors/live/plan.ts';
import type { StateChange } from '../log/log.ts';

/** Of any value that is stored of a window; Kafka's brokers refuse more than 1 MB unless told otherwise. */
export const VALUE_BYTES_MAX = 400_000;
/** A coverage up to this is stored as it is. */
const INLINE_CHARS_MAX = 16_384;

/** Of windows that were remembered before these were. */
const ADDED = { failures: 0, freshMs: 0, askedMs: 0, lookedMs: 0, late: null };

type State = Omit<WindowState, 'coverage'>;

interface StoredWindow extends State {
  readonly coverage: StoredCoverage | { readonly parts: number };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function windowKey(path: string, id: string): string {
  return `window:${path}:${id}`;
}

function partKey(path: string, id: string, n: number): string {
  return `coverage:${path}:${id}:${n}`;
}

export interface WindowChanges {
  readonly changes: readonly StateChange[];
  /** Parts that are stored of it from here on. */
  readonly parts: number;
}

/** `path` is `<connector>/<feed>`; `partsBefore`: how many may be stored of it; null: it is forgotten. */
export function windowChanges(
  path: string,
  id: string,
  state: WindowState | null,
  partsBefore: number,
): WindowChanges {
  const values: Uint8Array[] = [];
  let value: Uint8Array | null = null;
  if (state !== null) {
    const coverage = storeCoverage(state.coverage);
    const text = JSON.stringify(coverage);
    if (text.length > INLINE_CHARS_MAX) values.push(...cut(Bun.zstdCompressSync(text, { level: 1 })));
    const of: StoredWindow = {
      ...state,
      coverage: values.length > 0 ? { parts: values.length } : coverage,
    };
    value = encoder.encode(JSON.stringify(of));
  }
  const changes: StateChange[] = [{ key: windowKey(path, id), value }];
  for (let n = 0; n < Math.max(values.length, partsBefore); n += 1) {
    changes.push({ key: partKey(path, id, n), value: values[n] ?? null });
  }
  return { changes, parts: values.length };
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += VALUE_BYTES_MAX) {
    parts.push(bytes.slice(from, from + VALUE_BYTES_MAX));
  }
  return parts;
}

function* below(stored: ReadonlyMap<string, Uint8Array>, path: string): Iterable<[string, StoredWindow]> {
  const prefix = windowKey(path, '');
  for (const [key, value] of stored) {
    if (!key.startsWith(prefix)) continue;
    const of: StoredWindow = JSON.parse(decoder.decode(value));
    yield [key.slice(prefix.length), of];
  }
}

/** Also those that were stored before coverages had parts. Throws when a part is not there. */
export function readWindows(stored: ReadonlyMap<string, Uint8Array>, path: string): Map<string, WindowState> {
  const windows = new Map<string, WindowState>();
  for (const [id, { coverage, ...state }] of below(stored, path)) {
    const whole = 'parts' in coverage ? joined(stored, path, id, coverage.parts) : coverage;
    windows.set(id, { ...ADDED, ...state, coverage: readCoverage(whole) });
  }
  return windows;
}

function joined(
  stored: ReadonlyMap<string, Uint8Array>,
  path: string,
  id: string,
  parts: number,
): StoredCoverage {
  const values = Array.from({ length: parts }, (_, n) => {
    const value = stored.get(partKey(path, id, n));
    if (value === undefined) throw new Error(`${partKey(path, id, n)} of ${parts} is not on the log`);
    return value;
  });
  const read: StoredCoverage = JSON.parse(decoder.decode(Bun.zstdDecompressSync(Buffer.concat(values))));
  return read;
}

/** How many parts are stored of each window that has some. */
export function readParts(stored: ReadonlyMap<string, Uint8Array>, path: string): Map<string, number> {
  const parts = new Map<string, number>();
  for (const [id, { coverage }] of below(stored, path)) {
    if ('parts' in coverage) parts.set(id, coverage.parts);
  }
  return parts;
}
