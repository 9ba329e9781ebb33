// Instants: text with an offset to milliseconds and back, against Temporal; days that no month has.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { formatUtc, isDate, parseInstant, toMs, toUs } from '../../../../actors/domain/time.ts';

const instants = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2100, 0, 1) });

test('an instant written with any offset is that instant', () => {
  const offsets = fc.constantFrom('+00:00', '-05:00', '-07:00', '-08:00', '+05:30', '+14:00', '-11:00');
  fc.assert(
    fc.property(instants, offsets, (ms, offset) => {
      const zoned = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(offset);
      const text = zoned.toString({ timeZoneName: 'never', fractionalSecondDigits: 3 });
      expect(parseInstant(text)).toBe(ms);
    }),
  );
  expect(parseInstant('2022-09-01T07:00:00-00:00')).toBe(Date.UTC(2022, 8, 1, 7));
  expect(parseInstant('2022-09-01T07:00Z')).toBe(Date.UTC(2022, 8, 1, 7));
});

test('a time without an offset, a day that is none and anything else is no instant', () => {
  const none = ['2022-09-01T07:00:00', '2022-09-01', '2022-02-30T07:00:00Z', '2022-04-31T00:00:00Z', ''];
  for (const text of [
    ...none,
    '2022-09-01T25:00:00Z',
    '2022-09-01T07:00:60Z',
    '2022-09-01 07:00:00Z',
    'now',
  ]) {
    expect(parseInstant(text)).toBeNull();
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseInstant(text)).toBeNull();
    }),
  );
});

test('a date is one that Temporal takes without bending it', () => {
  const parts = fc.tuple(fc.integer({ min: 1900, max: 2199 }), fc.nat(14), fc.nat(33));
  fc.assert(
    fc.property(parts, ([year, month, day]) => {
      const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
      let exists = true;
      try {
        Temporal.PlainDate.from({ year, month, day }, { overflow: 'reject' });
      } catch {
        exists = false;
      }
      expect(isDate(text)).toBe(exists);
    }),
    { numRuns: 1_000 },
  );
});

test('microseconds and milliseconds, rounded towards the past; text in whole seconds', () => {
  fc.assert(
    fc.property(instants, fc.nat(999), (ms, more) => {
      expect(toMs(toUs(ms) + more)).toBe(ms);
    }),
  );
  expect(toMs(-1)).toBe(-1);
  expect(formatUtc(Date.UTC(2022, 8, 1, 7, 0, 0, 999))).toBe('2022-09-01T07:00:00Z');
});
