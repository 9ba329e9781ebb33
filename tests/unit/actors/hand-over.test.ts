// Handing over: with a barrier everything stored of an instrument changes its partition, and nothing is left;
// a new partition is whole when each older one has left its mark, and not before.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { StateChange } from '../../../actors/batch.ts';
import { keyHash } from '../../../actors/domain/murmur2.ts';
import { sealJson, unsealJson } from '../../../actors/domain/sealed.ts';
import {
  awaited,
  handOver,
  LAYOUT_STATE,
  latestCalendar,
  readMark,
  storedLayout,
} from '../../../actors/hand-over.ts';
import { asOf, baseLayout, grown, type Layout, partitionsOf, placed } from '../../../actors/layout.ts';

type Store = Map<number, Map<string, Uint8Array>>;

const bytes = (text: string) => new TextEncoder().encode(text);

function apply(store: Store, own: number, changes: readonly StateChange[]): void {
  for (const { key, value, partition = own } of changes) {
    const at = store.get(partition) ?? new Map();
    store.set(partition, at);
    if (value === null) at.delete(key);
    else at.set(key, value);
  }
}

/** Two parts and a quarantine of each instrument, where version 1 has it. */
function filled(base: Layout, ids: readonly string[]): Store {
  const store: Store = new Map();
  for (const id of ids) {
    const entry = sealJson(1, { active: true, fromOffset: 4, parked: 2, sinceMs: 9, home: null });
    const state = [
      { key: `i:${id}\u0000head`, value: bytes(`head of ${id}`) },
      { key: `i:${id}\u0000day`, value: bytes(`day of ${id}`) },
      { key: `r:quarantine:${id}`, value: entry },
    ];
    apply(store, placed(base, keyHash(id)), state);
  }
  for (let partition = 0; partition < partitionsOf(base); partition += 1) {
    apply(store, partition, [{ key: 'r:ledger', value: bytes(`ledger of ${partition}`) }]);
  }
  return store;
}

function handAll(store: Store, layout: Layout): void {
  const before = asOf(layout, layout.steps.length);
  for (let partition = 0; partition < partitionsOf(before); partition += 1) {
    const stored = [...(store.get(partition) ?? [])];
    const known = store.get(partition)?.get(LAYOUT_STATE);
    const own = known === undefined ? null : storedLayout(known);
    const calendar = new Map([['X:R', 100 + partition]]);
    apply(store, partition, handOver(stored, { topic: 't', layout }, partition, own, calendar).changes);
  }
}

test('over any increases every instrument is stored once, whole, where the layout places it', () => {
  const ids = Array.from({ length: 60 }, (_, n) => `X:R:${n}`);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
      (base, more) => {
        let layout = baseLayout(base);
        const store = filled(layout, ids);
        for (const each of more) {
          layout = grown(layout, partitionsOf(layout) + 1 + each);
          handAll(store, layout);
        }
        for (const id of ids) {
          const first = placed(baseLayout(base), keyHash(id));
          const last = placed(layout, keyHash(id));
          for (const [partition, held] of store) {
            expect(held.has(`i:${id}\u0000head`)).toBe(partition === last);
            expect(held.has(`r:quarantine:${id}`)).toBe(partition === last);
          }
          const held = store.get(last);
          expect(held?.get(`i:${id}\u0000day`)).toEqual(bytes(`day of ${id}`));
          // What is parked stays in the parking of the partition that parked it.
          const { home }: { home?: unknown } = Object(
            unsealJson(held?.get(`r:quarantine:${id}`) ?? bytes(''), [1]),
          );
          expect(home).toBe(first === last ? null : first);
        }
        for (let n = 0; n < base; n += 1)
          expect(store.get(n)?.get('r:ledger')).toEqual(bytes(`ledger of ${n}`));
      },
    ),
  );
});

test('a partition waits for each older one, and for those of its own step alone', () => {
  const layout = grown(grown(baseLayout(2), 3), 5);
  const store: Store = new Map();
  const marksOf = (partition: number) =>
    [...(store.get(partition) ?? [])].flatMap(([key, value]) => readMark(key, value) ?? []);
  expect(awaited(layout, 1, [])).toEqual([]);
  expect(awaited(asOf(layout, 1), 2, [])).toEqual([0, 1]);
  const first = { topic: 't', layout: asOf(layout, 2) };
  apply(store, 1, handOver([], first, 1, null, new Map([['X:R', 5]])).changes);
  expect(awaited(layout, 2, marksOf(2))).toEqual([0]);
  apply(
    store,
    0,
    handOver(
      [],
      first,
      0,
      null,
      new Map([
        ['X:R', 7],
        ['X:Q', 1],
      ]),
    ).changes,
  );
  expect(awaited(layout, 2, marksOf(2))).toEqual([]);
  expect([...latestCalendar(new Map([['X:Q', 3]]), marksOf(2))]).toEqual([
    ['X:Q', 3],
    ['X:R', 7],
  ]);
  expect(awaited(layout, 4, marksOf(4))).toEqual([0, 1, 2]);
  handAll(store, layout);
  expect(awaited(layout, 4, marksOf(4))).toEqual([]);
});

test('a barrier that was read before changes nothing', () => {
  const layout = grown(baseLayout(2), 3);
  const stored = [[`i:X:R:1\u0000head`, bytes('x')]] as const;
  expect(handOver(stored, { topic: 't', layout }, 0, layout, new Map()).changes).toEqual([]);
});

test('what came from outside the layout stays where it stands', () => {
  const layout = grown(baseLayout(2), 9);
  const ids = Array.from({ length: 50 }, (_, n) => `X:R:${n}`);
  const foreign = ids.filter((id) => placed(baseLayout(2), keyHash(id)) === 1);
  const stored = foreign.map((id) => [`i:${id}\u0000head`, bytes(id)] as const);
  expect(handOver(stored, { topic: 't', layout }, 0, null, new Map()).moved.size).toBe(0);
});
