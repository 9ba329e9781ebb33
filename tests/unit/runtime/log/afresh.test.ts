// One reading for all who ask meanwhile.

import { expect, test } from 'bun:test';
import { afresh } from '../../../../runtime/log/afresh.ts';

test('who asks while a reading is under way gets the next one, and shares it', async () => {
  const begun: PromiseWithResolvers<number>[] = [];
  const read = afresh(() => {
    const one = Promise.withResolvers<number>();
    begun.push(one);
    return one.promise;
  });
  const first = read();
  const [second, third] = [read(), read()];
  expect(begun).toHaveLength(1);
  begun[0]?.reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await Bun.sleep(0);
  expect(begun).toHaveLength(2);
  begun[1]?.resolve(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  const fourth = read();
  expect(begun).toHaveLength(3);
  begun[2]?.resolve(3);
  expect(await fourth).toBe(3);
});
