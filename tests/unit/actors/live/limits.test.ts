// The one request per interval and the circuit breaker: laws over any moments.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { asking, CLOSED, circuit, failed, opensMs, succeeded } from '../../../../actors/live/breaker.ts';
import { firstCell, grantAt } from '../../../../actors/live/bucket.ts';
import { spread } from '../../../../actors/supervision.ts';

const moments = fc.integer({ min: 0, max: 4_000_000_000_000 });
const lengths = fc.integer({ min: 1, max: 60_000 });

test('requests of different cells leave an interval and a tenth apart', () => {
  fc.assert(
    fc.property(
      moments,
      lengths,
      fc.nat(3),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (at, interval, ahead, late) => {
        const first = grantAt(firstCell(at, interval), interval);
        const second = grantAt(first.cell + 1 + ahead, interval);
        const sentLate = first.startMs + Math.floor((first.endMs - first.startMs) * late);
        expect(second.startMs - sentLate).toBeGreaterThanOrEqual(interval + Math.ceil(interval / 10));
      },
    ),
  );
});

test('the first cell is the first whose request can still leave', () => {
  fc.assert(
    fc.property(moments, lengths, (at, interval) => {
      const cell = firstCell(at, interval);
      expect(grantAt(cell, interval).endMs).toBeGreaterThan(at);
      expect(grantAt(cell - 1, interval).endMs).toBeLessThanOrEqual(at);
    }),
  );
});

const POLICY = { threshold: 3, pauseMs: 1_000, pauseMsMax: 4_000 };

test('it opens at the threshold, probes once after the pause, and doubles it up to the maximum', () => {
  let of = failed(failed(CLOSED, 0, POLICY), 0, POLICY);
  expect(circuit(of, 0)).toBe('closed');
  of = failed(of, 10, POLICY);
  expect([circuit(of, 10), opensMs(of)]).toEqual(['open', 1_010]);
  expect(circuit(of, 1_010)).toBe('half_open');
  of = asking(of);
  expect(opensMs(of)).toBe(Number.POSITIVE_INFINITY);
  for (const pause of [2_000, 4_000, 4_000]) {
    of = failed(asking(of), 5_000, POLICY);
    expect(opensMs(of)).toBe(5_000 + pause);
  }
  expect(circuit(succeeded(), 0)).toBe('closed');
});

test('the pause is spread about its length, and the next one doubles the length and not the spread', () => {
  const opened = failed({ ...CLOSED, failures: 2 }, 0, POLICY, 0.8);
  expect(opensMs(opened)).toBe(800);
  expect(opensMs(failed(asking(opened), 0, POLICY, 1.2))).toBe(2_400);
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (jitter, draw) => {
        const factor = spread(jitter, draw);
        expect(factor).toBeGreaterThanOrEqual(1 - jitter);
        expect(factor).toBeLessThanOrEqual(1 + jitter);
        expect(spread(jitter, 0.5)).toBeCloseTo(1);
      },
    ),
  );
});

test('failures that are not in a row do not open it', () => {
  const of = failed(succeeded(), 0, POLICY);
  expect(circuit(failed(of, 0, POLICY), 0)).toBe('closed');
});
