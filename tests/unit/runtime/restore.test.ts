// Restore: the state's own position counts, whatever became of the group's offset, and a damaged entry of the
// router is never read as a number.

import { expect, test } from 'bun:test';
import { sealJson } from '../../../actors/domain/sealed.ts';
import { baseLayout, grown } from '../../../actors/layout.ts';
import { EMPTY_LEDGER } from '../../../actors/ledger.ts';
import type { Member } from '../../../runtime/log/log.ts';
import { restorePartition } from '../../../runtime/restore.ts';

const OF = { topic: 'in', partition: 0 };

function member(committed: number, state: readonly (readonly [string, Uint8Array])[]): Member {
  return {
    group: 'g',
    assigned: () => {},
    poll: async () => null,
    seek: () => {},
    committed: async () => committed,
    commit: async () => 'committed',
    async *state() {
      yield* state;
    },
    async *stored() {
      yield* state;
    },
    leave: async () => {},
  };
}

test('an offset that was torn from its state, ahead or behind, gives way to the state', async () => {
  for (const committed of [0, 5, 10, 12]) {
    const { router } = await restorePartition(member(committed, [['r:position', sealJson(1, 10)]]), OF, null);
    expect(router.position).toBe(10);
  }
  expect((await restorePartition(member(7, []), OF, null)).router.position).toBe(7);
});

test('every flipped bit and every cut of a router entry is found', async () => {
  const entries = {
    'r:position': sealJson(1, 10),
    'r:ledger': sealJson(1, { X: { ...EMPTY_LEDGER, read: 3, first: 3 } }),
    'r:calendar:X:R': sealJson(1, 9_000),
    'r:quarantine:X:R:A': sealJson(1, { active: true, fromOffset: 3, parked: 2, sinceMs: 7 }),
  };
  for (const [key, bytes] of Object.entries(entries)) {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(restorePartition(member(0, [[key, flipped]]), OF, null)).rejects.toThrow('stored part');
    }
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = bytes.slice(0, length);
      await expect(restorePartition(member(0, [[key, cut]]), OF, null)).rejects.toThrow('stored part');
    }
  }
});

test('a partition that a layout adds is whole with the mark of each older one', async () => {
  const layout = grown(baseLayout(2), 3);
  const mark = (ms: number) => sealJson(1, { layout, calendar: { 'X:R': ms } });
  const of = { topic: 'in', partition: 2 };
  const entries = [
    ['h:2:0', mark(5)],
    ['i:X:R:A\u0000head', sealJson(1, 1)],
    ['h:2:1', mark(9)],
  ] as const;
  for (const [count, awaits] of [
    [0, [0, 1]],
    [2, [1]],
    [3, []],
  ] as const) {
    const restored = await restorePartition(member(0, entries.slice(0, count)), of, layout);
    expect(restored.awaits).toEqual([...awaits]);
  }
  const { router, store } = await restorePartition(member(0, entries), of, layout);
  expect(router).toMatchObject({ layout, calendar: new Map([['X:R', 9]]) });
  expect([...store.ids()]).toEqual(['X:R:A']);
  const early = await restorePartition(member(0, []), { topic: 'in', partition: 3 }, layout);
  expect(early.awaits).toEqual([0, 1, 2]);
});
