// The packed store against a map of maps: whatever is put, taken and deleted in whatever order, what is
// peeked is what was put.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { PackedStore } from '../../../runtime/packed-store.ts';

type Parts = ReadonlyMap<string, Uint8Array>;

const parts = fc
  .dictionary(fc.constantFrom('head', 'day:1', 'day:2', 'ß'), fc.uint8Array({ maxLength: 40 }))
  .map((of): Parts => new Map(Object.entries(of)));
const large = fc.integer({ min: 500_000, max: 1_500_000 }).map((n): Parts => new Map([['all', filled(n)]]));
const id = fc.constantFrom('X:R:A', 'X:R:B', 'X:R:C');
const step = fc.oneof(
  fc.record({ put: fc.oneof({ weight: 9, arbitrary: parts }, { weight: 1, arbitrary: large }), id }),
  fc.record({ take: fc.boolean(), id }),
);

function filled(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(bytes % 251);
}

const plain = (of: Parts | null | undefined) =>
  of === null || of === undefined
    ? null
    : [...of].map(([part, bytes]) => [part, Buffer.from(bytes).toString('base64')]);

test('holds what was put, and nothing that was taken or deleted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = new PackedStore();
      const naive = new Map<string, Parts>();
      const taken: { readonly got: Parts | null; readonly wanted: Parts | undefined }[] = [];
      for (const each of steps) {
        if ('put' in each) {
          store.put(each.id, each.put);
          naive.set(each.id, each.put);
          continue;
        }
        if (each.take) taken.push({ got: store.take(each.id), wanted: naive.get(each.id) });
        else expect(store.delete(each.id)).toBe(naive.has(each.id));
        naive.delete(each.id);
      }
      expect([...store.ids()].sort()).toEqual([...naive.keys()].sort());
      for (const name of ['X:R:A', 'X:R:B', 'X:R:C']) {
        expect(plain(store.peek(name))).toEqual(plain(naive.get(name)));
      }
      // What was taken is nobody else's: later puts have not written over it.
      for (const { got, wanted } of taken) expect(plain(got)).toEqual(plain(wanted));
    }),
    { numRuns: 200 },
  );
}, 60_000);

test('one that stays does not keep the room of those that left', () => {
  const store = new PackedStore();
  const kept: string[] = [];
  for (let n = 0; n < 300; n += 1) {
    const id = `X:R:${n}`;
    store.put(id, new Map([['all', filled(200_000)]]));
    if (n % 20 === 0) kept.push(id);
    else if (n % 2 === 0) store.take(id);
    else store.delete(id);
  }
  expect([...store.ids()]).toEqual(kept);
  for (const id of kept) expect(store.peek(id)?.get('all')).toEqual(filled(200_000));
  expect(store.bytes).toBeLessThan(3 * kept.length * 200_000 + 6 * 2 ** 20);
});
