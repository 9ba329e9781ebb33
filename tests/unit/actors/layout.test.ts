// Layouts: version 1 is Kafka's partitioner, a step moves keys to what it adds and to nowhere else and keeps
// them spread evenly, and what is written beside a place reaches every key of it.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  asLayout,
  asOf,
  barrierValue,
  baseLayout,
  besides,
  bornAt,
  chosen,
  grown,
  type Layout,
  partitionsOf,
  placed,
  readBarrier,
  versionOf,
} from '../../../actors/layout.ts';

const hash = fc.integer({ min: 0, max: 0x7fffffff });
const layouts = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }))
  .map(([base, steps]) => steps.reduce((of, more) => grown(of, partitionsOf(of) + more), baseLayout(base)));

test('version 1 takes the hash modulo the partitions', () => {
  fc.assert(
    fc.property(hash, fc.integer({ min: 1, max: 64 }), (of, partitions) => {
      expect(placed(baseLayout(partitions), of)).toBe(of % partitions);
    }),
  );
});

test('a step leaves a key where it was, or moves it to a partition that it adds', () => {
  fc.assert(
    fc.property(hash, layouts, (of, layout) => {
      for (let version = 2; version <= versionOf(layout); version += 1) {
        const [before, after] = [asOf(layout, version - 1), asOf(layout, version)];
        const [from, to] = [placed(before, of), placed(after, of)];
        if (to !== from) {
          expect(to).toBeGreaterThanOrEqual(partitionsOf(before));
          expect(to).toBeLessThan(partitionsOf(after));
          expect(bornAt(layout, to)).toBe(version);
        }
      }
    }),
  );
});

test('keys stay spread evenly over any number of steps', () => {
  const layout = [10, 13, 14, 20].reduce(grown, baseLayout(8));
  const counts = new Array<number>(20).fill(0);
  const KEYS = 40_000;
  for (let n = 0; n < KEYS; n += 1) {
    const place = placed(layout, Bun.hash.murmur32v3(`key ${n}`) & 0x7fffffff);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - KEYS / 20)).toBeLessThan(KEYS / 20 / 5);
});

test('what is written beside a place of one topic reaches every key of it in another', () => {
  fc.assert(
    fc.property(hash, layouts, layouts, fc.nat({ max: 5 }), (of, source, other, cut) => {
      const targets: Layout[] = [other, asOf(source, 1 + cut), grown(source, partitionsOf(source) + 1 + cut)];
      for (const target of targets) {
        const places = besides(source, target, placed(source, of));
        expect(places).toContain(placed(target, of));
        for (const place of places) expect(place).toBeLessThan(partitionsOf(target));
      }
      const own = placed(source, of);
      expect(besides(source, source, own)).toEqual([own]);
    }),
  );
});

test('a choice by number is held to the layout', () => {
  const layout = grown(baseLayout(2), 3);
  const choose = (choice: Parameters<typeof chosen>[1]) =>
    chosen(
      't',
      choice,
      () => 5,
      () => layout,
    );
  expect(choose(2)).toEqual([2]);
  expect(choose('every')).toEqual([0, 1, 2]);
  expect(choose(undefined)).toEqual([placed(layout, 5)]);
  expect(() => choose(3)).toThrow(RangeError);
  expect(() => choose(-1)).toThrow(RangeError);
});

test('a barrier is read as it was written, and nothing else is one', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const barrier = { topic: 'a.v1', layout };
      expect(readBarrier(barrierValue(barrier, 7))).toEqual(barrier);
    }),
  );
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const text of ['', '{', '[]', 'null', '{"topic":"a"}', '{"topic":"a","base":0,"steps":[]}'])
    expect(readBarrier(bytes(text))).toBeNull();
  for (const wrong of [
    { base: 2, steps: [{ from: 3, to: 4 }] },
    { base: 2, steps: [{ from: 2, to: 2 }] },
    { base: 1.5, steps: [] },
    { base: 2, steps: {} },
    null,
  ])
    expect(asLayout(wrong)).toBeNull();
});
