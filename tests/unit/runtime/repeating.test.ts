// Rounds on a clock that is wound by hand: one at a time, a period apart, and none once it was stopped, also
// from within a round.

import { expect, test } from 'bun:test';
import { repeating } from '../../../runtime/repeating.ts';

function rounds(round: () => unknown, firstMs?: number) {
  const timers = new Set<{ readonly atMs: number; readonly action: () => void }>();
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    after(delayMs: number, action: () => void) {
      const timer = { atMs: nowMs + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  const stop = repeating(clock, 100, round, firstMs);
  return {
    stop,
    due: () => [...timers].map(({ atMs }) => atMs),
    async fire(): Promise<void> {
      const [timer] = timers;
      if (timer === undefined) throw new Error('nothing is due');
      timers.delete(timer);
      nowMs = timer.atMs;
      timer.action();
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    },
  };
}

test('the first round and each next are a period away, until it is stopped', async () => {
  let count = 0;
  const of = rounds(() => {
    count += 1;
  });
  expect([count, of.due()]).toEqual([0, [100]]);
  await of.fire();
  await of.fire();
  expect([count, of.due()]).toEqual([2, [300]]);
  of.stop();
  expect(of.due()).toEqual([]);
});

test('the first may be at once', async () => {
  const of = rounds(() => {}, 0);
  expect(of.due()).toEqual([0]);
  await of.fire();
  expect(of.due()).toEqual([100]);
});

test('the next waits for the one under way', async () => {
  const under = Promise.withResolvers<void>();
  const of = rounds(() => under.promise);
  await of.fire();
  expect(of.due()).toEqual([]);
  under.resolve();
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  expect(of.due()).toEqual([200]);
});

test('one that is stopped from within a round, or while it is under way, has no next', async () => {
  const at = rounds(() => at.stop());
  await at.fire();
  expect(at.due()).toEqual([]);
  const under = Promise.withResolvers<void>();
  const of = rounds(() => under.promise);
  await of.fire();
  of.stop();
  under.resolve();
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  expect(of.due()).toEqual([]);
});
