// Instrument ids, watermarks and row versions: round trips and orders over all values.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { rowVersion } from '../../../../actors/domain/bar.ts';
import { checkInstrument, instrumentId, parseInstrumentId } from '../../../../actors/domain/instrument.ts';
import { isRejection } from '../../../../actors/domain/rejection.ts';
import { watermarkMs } from '../../../../actors/domain/watermark.ts';

describe('an instrument id', () => {
  test('leads back to its parts, whatever the location is', () => {
    const name = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,31}$/);
    const location = fc.stringMatching(/^[!-~]([ -~]{0,60}[!-~])?$/);
    fc.assert(
      fc.property(name, name, location, (market, run, of) => {
        const parts = { market, run, location: of };
        expect(checkInstrument(parts)).toBeNull();
        expect(parseInstrumentId(instrumentId(parts))).toEqual(parts);
      }),
    );
    expect(instrumentId({ market: 'CAISO', run: 'RTPD', location: 'TH_SP15_GEN-APND' })).toBe(
      'CAISO:RTPD:TH_SP15_GEN-APND',
    );
    expect(parseInstrumentId('A:B:c:d')).toEqual({ market: 'A', run: 'B', location: 'c:d' });
  });

  test.each([
    '',
    'CAISO',
    'CAISO:RTPD',
    'caiso:RTPD:x',
    'CAISO:rtpd:x',
    'CAISO:RTPD:',
    'CAISO:RTPD: x',
    '::',
  ])('%p is none', (id) => {
    expect(isRejection(parseInstrumentId(id))).toBe(true);
  });

  test('a location has at most 128 printable ASCII characters', () => {
    const of = (location: string) => checkInstrument({ market: 'M', run: 'R', location });
    expect(of('x'.repeat(128))).toBeNull();
    for (const bad of ['x'.repeat(129), 'ä', 'a\nb', 'a\0', ' a', 'a ', '']) expect(of(bad)).not.toBeNull();
  });
});

test('a watermark never goes back, whatever is seen and however the calendar moves it', () => {
  const step = fc.record({ ms: fc.integer({ min: 0, max: 1_000 }), calendar: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), fc.nat(100), (steps, lateness) => {
      let maxEventMs: number | null = null;
      let advancedToMs: number | null = null;
      let before = watermarkMs({ maxEventMs, advancedToMs }, lateness);
      expect(before).toBe(Number.NEGATIVE_INFINITY);
      const [seen, moved]: [number[], number[]] = [[], []];
      for (const { ms, calendar } of steps) {
        if (calendar) advancedToMs = Math.max(advancedToMs ?? ms, ms);
        else maxEventMs = Math.max(maxEventMs ?? ms, ms);
        (calendar ? moved : seen).push(ms);
        const now = watermarkMs({ maxEventMs, advancedToMs }, lateness);
        expect(now).toBeGreaterThanOrEqual(before);
        expect(now).toBe(Math.max(...seen.map((each) => each - lateness), ...moved));
        before = now;
      }
    }),
  );
});

test('row versions are ordered by epoch, then revision, then final, exactly', () => {
  const of = fc.record({ epoch: fc.nat(4_000), revision: fc.nat(500_000_000), final: fc.boolean() });
  fc.assert(
    fc.property(of, of, (a, b) => {
      const value = ({ epoch, revision, final }: typeof a) => rowVersion(epoch, revision, final);
      const exact = BigInt(a.epoch) * (1n << 40n) + 2n * BigInt(a.revision) + (a.final ? 1n : 0n);
      expect(BigInt(value(a))).toBe(exact);
      const order = a.epoch - b.epoch || a.revision - b.revision || Number(a.final) - Number(b.final);
      expect(Math.sign(value(a) - value(b))).toBe(Math.sign(order));
    }),
  );
});
