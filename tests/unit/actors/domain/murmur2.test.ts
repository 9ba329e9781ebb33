// murmur2 against the vectors of Kafka's own tests, and against the partitioner of Kafka's client on any key.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { keyHash, murmur2 } from '../../../../actors/domain/murmur2.ts';
import { kafkaPartition } from '../../../conformance/log-records.ts';

/** From Kafka's UtilsTest; as its Java has it, signed. */
const VECTORS: readonly (readonly [string, number])[] = [
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
];

for (const [key, signed] of VECTORS) {
  test(`of '${key}' is ${signed}`, () => {
    expect(murmur2(new TextEncoder().encode(key)) | 0).toBe(signed);
    expect(keyHash(key)).toBe(signed & 0x7fffffff);
  });
}

test('half of the vectors and more are negative, where a modulo alone would go wrong', () => {
  expect(VECTORS.filter(([, signed]) => signed < 0).length).toBeGreaterThan(3);
});

test('puts any key, in any script, where the client of Kafka puts it', () => {
  const key = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string());
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: 64 }), (of, partitions) => {
      expect(keyHash(of) % partitions).toBe(kafkaPartition(of, partitions));
    }),
    { numRuns: 2_000 },
  );
});
