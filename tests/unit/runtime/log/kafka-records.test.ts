// Record batches, against the client's own encoder and decoder, and what read_committed leaves out.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { crc32c } from '../../../../runtime/log/crc32c.ts';
import { COMPRESSIONS } from '../../../../runtime/log/kafka-codecs.ts';
import {
  batchOver,
  decodeBatches,
  encodeBatch,
  type NewRecord,
  type Run,
  recordValue,
} from '../../../../runtime/log/kafka-records.ts';

const stamp = { producerId: 7n, producerEpoch: 1, firstSequence: 0, nowMs: 1_700_000_000_123 };
const of = { topic: 't', partition: 0 };

/** A stored batch as the broker gives it out: with its base offset, and as a control batch if wished. */
function at(baseOffset: number, batch: Uint8Array, producerId = 7n, control = false): Uint8Array {
  const copy = batch.slice();
  const view = new DataView(copy.buffer);
  view.setBigInt64(0, BigInt(baseOffset));
  view.setBigInt64(43, producerId);
  if (control) view.setInt16(21, view.getInt16(21) | 0x20);
  return copy;
}

function together(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function plain(records: readonly NewRecord[]): Uint8Array {
  return encodeBatch(records, { ...stamp, compression: 'none' });
}

function values(runs: readonly Run[]): (string | null)[] {
  return runs.flatMap((run) =>
    Array.from({ length: run.count }, (_, n) => {
      const value = recordValue(run, n);
      return value === null ? null : Buffer.from(value).toString();
    }),
  );
}

const record = fc.record({
  key: fc.string({ unit: 'binary', maxLength: 40 }),
  value: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary' }), fc.constant(null)),
});

describe('record batches', () => {
  test('come back as they were written, whatever the compression', () => {
    const property = fc.property(
      fc.array(record, { minLength: 1, maxLength: 30 }),
      fc.constantFrom(...COMPRESSIONS),
      fc.nat(1e12),
      (records, compression, base) => {
        const bytes = at(base, encodeBatch(records, { ...stamp, compression }));
        const { runs, nextOffset } = decodeBatches(bytes, [], base);
        expect(nextOffset).toBe(base + records.length);
        const [run] = runs;
        const batch = batchOver(of, { runs, nextOffset }, 0, 1_000);
        expect(batch.count).toBe(records.length);
        for (const [n, { key, value }] of records.entries()) {
          expect(batch.key(n)).toBe(Buffer.from(key).toString());
          expect(batch.offset(n)).toBe(base + n);
          expect(batch.timestampMs(n)).toBe(stamp.nowMs);
          const found = run === undefined ? undefined : recordValue(run, n);
          if (value === null) expect(found).toBeNull();
          else expect(Buffer.compare(Buffer.from(found ?? []), Buffer.from(value))).toBe(0);
        }
      },
    );
    fc.assert(property);
  });

  test('leave out what is aborted, and markers, and go on behind them', () => {
    const one = (value: string) => plain([{ key: 'k', value }]);
    const bytes = together(
      at(0, one('a'), 1n),
      at(1, one('aborted'), 2n),
      at(2, one('b'), 1n),
      at(3, one('marker'), 2n, true),
      at(4, one('c'), 2n),
      at(5, one('marker'), 1n, true),
    );
    const aborted = [{ producerId: 2n, firstOffset: 1 }];
    const { runs, nextOffset } = decodeBatches(bytes, aborted, 0);
    expect(values(runs)).toEqual(['a', 'b', 'c']);
    expect(nextOffset).toBe(6);
    expect(values(decodeBatches(bytes, [], 0).runs)).toEqual(['a', 'aborted', 'b', 'c']);
  });

  test('two aborted transactions of two producers that overlap are both left out', () => {
    const one = (value: string) => plain([{ key: 'k', value }]);
    const bytes = together(
      at(10, plain(['x', 'y'].map((value) => ({ key: 'k', value }))), 1n),
      at(12, one('z'), 2n),
      at(13, one('marker'), 1n, true),
      at(14, one('w'), 2n),
      at(15, one('marker'), 2n, true),
      at(16, one('good'), 1n),
    );
    const aborted = [
      { producerId: 2n, firstOffset: 12 },
      { producerId: 1n, firstOffset: 10 },
    ];
    expect(values(decodeBatches(bytes, aborted, 11).runs)).toEqual(['good']);
  });

  test('begin within a batch, and leave one that is cut off to the next fetch', () => {
    const three = plain(['a', 'b', 'c'].map((value) => ({ key: 'k', value })));
    const bytes = together(at(5, three), at(8, three).subarray(0, 40));
    const { runs, nextOffset } = decodeBatches(bytes, [], 6);
    expect(values(runs)).toEqual(['b', 'c']);
    expect(nextOffset).toBe(8);
  });

  test('a view over runs takes what is asked; its end passes the markers only with the last', () => {
    const three = plain(['a', 'b', 'c'].map((value) => ({ key: 'k', value })));
    const decoded = decodeBatches(together(at(0, three), at(5, three), at(8, three, 7n, true)), [], 0);
    const batch = batchOver(of, decoded, 1, 3);
    expect(Array.from({ length: batch.count }, (_, n) => batch.offset(n))).toEqual([1, 2, 5]);
    expect(batch.nextOffset).toBe(6);
    expect(() => batch.offset(3)).toThrow(RangeError);
    expect(batchOver(of, decoded, 4, 10).nextOffset).toBe(11);
  });
});

describe('the checksum', () => {
  test('is CRC-32C', () => {
    // The check values of RFC 3720, B.4.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, n) => n))).toBe(0x46dd794e);
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });
});
