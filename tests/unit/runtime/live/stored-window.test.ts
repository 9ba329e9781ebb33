// Any coverage is read as it was stored, in values that every broker takes, whatever was stored of its window
// before; and so is what an older version stored in one value.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Coverage, emptyCoverage, storeCoverage } from '../../../../actors/live/coverage.ts';
import type { WindowState } from '../../../../actors/live/plan.ts';
import {
  readParts,
  readWindows,
  VALUE_BYTES_MAX,
  windowChanges,
} from '../../../../runtime/live/stored-window.ts';

const BROKER_BYTES_MAX = 512_000;
const PATH = 'miso/rt5';
const ID = '2026-10-01';

function state(coverage: Coverage): WindowState {
  const times = { notBeforeMs: 2, concludedMs: 3, freshMs: 0, askedMs: 0, lookedMs: 0, late: null };
  const counts = { attempts: 1, failures: 0, corrections: 4, ...times };
  return { endMs: 5, coverage, unsettled: false, outcome: 'response', ...counts };
}

/** Values that nothing compresses. */
function coverageOf(slots: number, names: readonly string[], seed: number): Coverage {
  let at = seed;
  const value = () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0;
    return (at ^ (at >>> 15)) >>> 0;
  };
  const locations = new Map(names.map((name) => [name, Uint32Array.from({ length: slots }, value)]));
  return { slots, locations, packed: null };
}

class Log {
  readonly stored = new Map<string, Uint8Array>();

  put(window: WindowState | null, id = ID): void {
    const before = readParts(this.stored, PATH).get(id) ?? 0;
    for (const { key, value } of windowChanges(PATH, id, window, before).changes) {
      if (value === null) this.stored.delete(key);
      else this.stored.set(key, value);
    }
  }

  get largest(): number {
    return Math.max(0, ...[...this.stored.values()].map(({ length }) => length));
  }
}

const coverages = fc
  .record({
    slots: fc.constantFrom(1, 24, 288, 2_016),
    names: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 64, unit: 'binary' }), { maxLength: 60 }),
    seed: fc.nat(),
  })
  .map(({ slots, names, seed }) => coverageOf(slots, names, seed));

test('windows are read as they were stored, in bounded values, and leave nothing behind', () => {
  fc.assert(
    fc.property(fc.array(coverages, { minLength: 1, maxLength: 4 }), (all) => {
      const log = new Log();
      const other = state(coverageOf(288, ['X', 'Y'], 7));
      log.put(other, `${ID}/1`);
      const size = log.stored.size;
      for (const coverage of all) {
        log.put(state(coverage));
        expect(readWindows(log.stored, PATH).get(ID)).toEqual(state(coverage));
        expect(log.largest).toBeLessThan(BROKER_BYTES_MAX);
      }
      log.put(null);
      expect(log.stored.size).toBe(size);
      expect(readWindows(log.stored, PATH)).toEqual(new Map([[`${ID}/1`, other]]));
    }),
    { numRuns: 40 },
  );
});

test('a day of five minutes at every node of MISO, and then packed', () => {
  const names = Array.from({ length: 2_600 }, (_, n) => `NODE.${n}`);
  const coverage = coverageOf(288, names, 1);
  const log = new Log();
  log.put(state(coverage));
  expect(log.largest).toBeLessThanOrEqual(VALUE_BYTES_MAX);
  expect(log.stored.size).toBeGreaterThan(3);
  expect(readWindows(log.stored, PATH).get(ID)).toEqual(state(coverage));
  const packed = { expected: [2_600], present: [2_600], gaps: [], fingerprint: 'f' };
  const small = state({ ...emptyCoverage(288), packed });
  log.put(small);
  expect(log.stored.size).toBe(1);
  expect(readWindows(log.stored, PATH).get(ID)).toEqual(small);
});

test('what an older version stored in one value', () => {
  const old = state(coverageOf(288, ['A', 'B'], 3));
  const { failures, askedMs, lookedMs, ...known } = old;
  expect([failures, askedMs, lookedMs]).toEqual([0, 0, 0]);
  const value = JSON.stringify({ ...known, coverage: storeCoverage(old.coverage) });
  const stored = new Map([[`window:${PATH}:${ID}`, new TextEncoder().encode(value)]]);
  expect(readWindows(stored, PATH).get(ID)).toEqual(old);
  expect(readParts(stored, PATH).size).toBe(0);
});
