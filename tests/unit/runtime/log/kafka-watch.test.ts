// The watch over the ends of topics: nobody who waits misses an append, whenever he came.

import { expect, test } from 'bun:test';
import { Watch } from '../../../../runtime/log/kafka-watch.ts';
import { until } from '../../../support/until.ts';

test('who begins to wait while a look is under way hears of what that look finds', async () => {
  const end = { now: 1 };
  const asked: PromiseWithResolvers<void>[] = [];
  const watch = new Watch(async () => {
    const gate = Promise.withResolvers<void>();
    asked.push(gate);
    await gate.promise;
    return new Map([['a/0', end.now]]);
  });
  const stop = new AbortController();
  const answer = async (n: number): Promise<void> => {
    await until(`look ${n}`, () => asked.length > n);
    asked[n]?.resolve();
  };
  const first = watch.appended(['a'], stop.signal);
  await answer(0);
  await first;
  void watch.appended(['a'], stop.signal);
  await until('another look', () => asked.length === 2);
  // He finds nothing, and then something is appended: the look that is under way sees it first.
  let woken = false;
  const late = watch.appended(['a'], stop.signal).then(() => {
    woken = true;
  });
  end.now = 2;
  await answer(1);
  await until('the late one', () => woken || asked.length > 3);
  expect(woken).toBe(true);
  await late;
  watch.close();
  for (const gate of asked) gate.resolve();
  stop.abort();
});
