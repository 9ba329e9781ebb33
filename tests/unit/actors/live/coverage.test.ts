// Coverage against a naive book of (location, interval) → values: what is new, what is corrected, what is
// missing, on days of 23, 24 and 25 hours and for hubs that have prices only on or off peak.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { marketCalendar } from '../../../../actors/domain/operating-day.ts';
import type { RawRecord } from '../../../../actors/domain/wire.ts';
import { caiso } from '../../../../actors/feeds/caiso.ts';
import type { Window } from '../../../../actors/feeds/source.ts';
import {
  emptyCoverage,
  merge,
  missing,
  readCoverage,
  storeCoverage,
} from '../../../../actors/live/coverage.ts';
import { isPriced } from '../../../oracle/peak.ts';
import { rawRecord } from '../../../support/wire-records.ts';

const HOUR = 3_600_000;
const calendar = marketCalendar(caiso.zone);

function dayWindow(date: string, nodes: Window['nodes']): Window {
  const day = calendar.day(date);
  if (day === null) throw new Error(date);
  return { id: date, date, startMs: day.startMs, endMs: day.endMs, nodes };
}

const hoursOf = (window: Window) => (window.endMs - window.startMs) / HOUR;

function price(run: string, location: string, startMs: number, minutes: number, value: string): RawRecord {
  const interval_start = startMs * 1_000;
  const interval_end = interval_start + minutes * 60_000_000;
  return rawRecord({
    run,
    delivery_location: location,
    interval_start,
    interval_end,
    values: { LMP: value },
  });
}

const hourly = (window: Window, location: string, slot: number, value: string): RawRecord =>
  price('DAM', location, window.startMs + slot * HOUR, 60, value);

const ticks = fc.array(
  fc.record({
    location: fc.constantFrom('A', 'B', 'OTHER'),
    slot: fc.integer({ min: -2, max: 26 }),
    value: fc.constantFrom('1', '2', '3'),
  }),
  { maxLength: 40 },
);

test('what is new, corrected, unchanged and unasked, as a naive book says', () => {
  const window = dayWindow('2026-11-01', ['A', 'B']);
  fc.assert(
    fc.property(fc.array(ticks, { maxLength: 4 }), (responses) => {
      const book = new Map<string, string>();
      let coverage = emptyCoverage(hoursOf(window));
      for (const response of responses) {
        const counts = { fresh: 0, corrected: 0, unchanged: 0, unasked: 0 };
        for (const { location, slot, value } of response) {
          const key = `${location}/${slot}`;
          if (location === 'OTHER' || slot < 0 || slot >= 25) counts.unasked += 1;
          else if (book.get(key) === value) counts.unchanged += 1;
          else {
            counts.fresh += 1;
            if (book.has(key)) counts.corrected += 1;
            book.set(key, value);
          }
        }
        const records = response.map((each) => hourly(window, each.location, each.slot, each.value));
        const merged = merge(coverage, window, HOUR, records, 'DAM');
        const { fresh, corrected, unchanged, unasked } = merged;
        expect({ fresh: fresh.length, corrected, unchanged, unasked }).toEqual(counts);
        coverage = readCoverage(JSON.parse(JSON.stringify(storeCoverage(merged.coverage))));
      }
      const { expected, present, gaps } = missing(coverage, window, HOUR, caiso, () => true);
      expect(expected).toBe(50);
      expect(present).toBe(book.size);
      expect(gaps.reduce((sum, each) => sum + each.intervals, 0)).toBe(50 - book.size);
      for (const { location, startMs, endMs } of gaps) {
        for (let ms = startMs; ms < endMs; ms += HOUR) {
          expect(book.has(`${location}/${(ms - window.startMs) / HOUR}`)).toBe(false);
        }
      }
    }),
  );
});

test('a response twice appends nothing twice, and leaves what was known before untouched', () => {
  const window = dayWindow('2026-10-01', ['A']);
  const records = [0, 1, 2].map((slot) => hourly(window, 'A', slot, '5'));
  const before = emptyCoverage(24);
  const once = merge(before, window, HOUR, records, 'DAM');
  const twice = merge(once.coverage, window, HOUR, records, 'DAM');
  expect(once.fresh).toEqual(records);
  expect([twice.fresh.length, twice.unchanged]).toEqual([0, 3]);
  expect(before.locations.size).toBe(0);
});

for (const [date, hours] of [
  ['2019-03-10', 23],
  ['2019-07-03', 24],
  ['2019-07-04', 24],
  ['2019-11-03', 25],
] as const) {
  test(`${date} expects ${hours} hours; on- and off-peak hubs share them`, () => {
    const on = 'TH_SP15_GEN_ONPEAK-APND';
    const off = 'TH_SP15_GEN_OFFPEAK-APND';
    const window = dayWindow(date, ['TH_SP15_GEN-APND', on, off]);
    const found = missing(emptyCoverage(hours), window, HOUR, caiso, () => true);
    expect(found.expected).toBe(2 * hours);
    for (const hub of [on, off]) {
      const starts = Array.from({ length: hours }, (_, n) => window.startMs + n * HOUR);
      const priced = starts.filter((ms) => isPriced(hub, ms));
      const listed = found.gaps.filter((each) => each.location === hub);
      const listedStarts = listed.flatMap(({ startMs, endMs }) =>
        starts.filter((ms) => ms >= startMs && ms < endMs),
      );
      expect(listedStarts).toEqual(priced);
    }
  });
}

test('287 of 288: the one gap is named', () => {
  const window = dayWindow('2026-10-01', ['A']);
  const step = 300_000;
  const records = Array.from({ length: 288 }, (_, n) => n)
    .filter((n) => n !== 100)
    .map((n) => price('RTM', 'A', window.startMs + n * step, 5, '1'));
  const { coverage } = merge(emptyCoverage(288), window, step, records, 'RTM');
  const found = missing(coverage, window, step, caiso, () => true);
  expect([found.present, found.expected]).toEqual([287, 288]);
  const startMs = window.startMs + 100 * step;
  expect(found.gaps).toEqual([{ location: 'A', startMs, endMs: startMs + step, intervals: 1 }]);
});
