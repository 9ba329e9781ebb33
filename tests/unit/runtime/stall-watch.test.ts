// The watch on a clock that is wound by hand: what stands still is told once with what it waits for, what
// moves or has nothing to read never is, and what moves again is told again.

import { expect, test } from 'bun:test';
import { StallWatch } from '../../../runtime/stall-watch.ts';

const NOW = Date.UTC(2026, 10, 25, 12);

function watched() {
  let nowMs = NOW;
  let due: (() => void) | null = null;
  const positions = new Map([
    ['a', 5],
    ['b', 0],
  ]);
  const ends = new Map([
    ['a', 9],
    ['b', 0],
  ]);
  const told: string[] = [];
  const state = { owned: true, answers: true };
  const watch = new StallWatch({
    clock: {
      nowMs: () => nowMs,
      after: (_, action) => {
        due = action;
        return () => {
          due = null;
        };
      },
    },
    lag: async () => {
      if (!state.answers) throw new Error('away');
      return [...positions].map(([topic, committed]) => {
        const end = ends.get(topic) ?? 0;
        return { topic, partition: 0, committed, end, lag: end - committed };
      });
    },
    standing: () =>
      state.owned ? { phase: 'committing', waitsFor: 'its commit (a new epoch)', sinceMs: NOW } : null,
    stalled: (cause) => told.push(cause),
    moved: (cause) => told.push(cause),
    afterMs: 60_000,
  });
  watch.start();
  return {
    told,
    state,
    positions,
    ends,
    watch,
    get looks() {
      return due !== null;
    },
    async look(times = 1, setMs = 0): Promise<void> {
      for (let n = 0; n < times; n += 1) {
        nowMs += 15_000 + setMs;
        const action = due;
        due = null;
        action?.();
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      }
    },
  };
}

const STALLED =
  'partitions stand still: a/0 at 5, 4 behind: ' +
  'committing since 2026-11-25T12:00:00.000Z, waits for its commit (a new epoch)';

test('what has a lag and does not move is told once, and shown until it moves', async () => {
  const of = watched();
  await of.look(4);
  expect(of.told).toEqual([]);
  await of.look();
  expect(of.told).toEqual([STALLED]);
  await of.look(10);
  expect(of.told).toHaveLength(1);
  expect([...of.watch.stalled.keys()]).toEqual(['a/0']);
  of.positions.set('a', 6);
  await of.look();
  expect(of.told.slice(1)).toEqual(['partitions moved on: a/0 after 225 s']);
  expect(of.watch.stalled.size).toBe(0);
  await of.look(4);
  expect(of.told).toHaveLength(3);
});

test('what moves, has nothing to read, or is not ours never is', async () => {
  const of = watched();
  for (let n = 0; n < 20; n += 1) {
    of.ends.set('a', 100 + n);
    of.positions.set('a', n);
    await of.look(3);
  }
  of.positions.set('a', 119);
  await of.look(10);
  of.state.owned = false;
  of.ends.set('a', 500);
  await of.look(10);
  expect(of.told).toEqual([]);
});

test('a clock that is set says nothing, and a log that is away neither', async () => {
  const of = watched();
  await of.look(3, 3_600_000);
  of.state.answers = false;
  await of.look(10);
  expect(of.told).toEqual([]);
  of.state.answers = true;
  await of.look(2);
  expect(of.told).toHaveLength(1);
});

test('who leaves looks no more', async () => {
  const of = watched();
  await of.look(5);
  of.watch.stop();
  expect(of.looks).toBe(false);
  expect(of.watch.stalled.size).toBe(0);
});
