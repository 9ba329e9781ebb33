// Zip archives as tests need them: whole ones, and ones whose bytes say what is not so.

import { type Zippable, zipSync } from 'fflate';

/** An archive of texts by name, packed. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const entries: Zippable = {};
  for (const [name, body] of Object.entries(files)) {
    entries[name] = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  }
  return zipSync(entries, { level: 6 });
}

const ENTRY_MARK = 0x02014b50;

/** The archive with a field of its n-th directory entry overwritten: `at` as counted from the entry. */
export function withEntry(zip: Uint8Array, n: number, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(zip);
  const view = new DataView(copy.buffer);
  let seen = 0;
  for (let from = 0; from + 4 <= copy.length; from += 1) {
    if (view.getUint32(from, true) !== ENTRY_MARK) continue;
    if (seen === n) {
      view.setUint32(from + at, value, true);
      return copy;
    }
    seen += 1;
  }
  throw new Error(`the archive has no entry ${n}`);
}
