// A topic grew, retention took records and barriers alike, and only then a group comes to it: its new
// partitions wait for nothing that is gone.

import { expect, test } from 'bun:test';
import type { Batch } from '../../actors/batch.ts';
import { LAYOUT_KEY } from '../../actors/layout.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { DEAD_LETTERS, OUTPUT, oneGroup } from '../support/one-group.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const temporary = temporaryDirs('carbon-missed');

test('a group that comes after retention reads what is left, in every partition', async () => {
  let nowMs = 1_700_000_000_000;
  const log = openEmbeddedLog({ dir: temporary(), nowMs: () => nowMs });
  const sized = { retentionMs: 1_000, compacted: false };
  const names = ['in', OUTPUT, DEAD_LETTERS];
  await log.bootstrap(names.map((name) => ({ ...sized, name, partitions: 2 })));
  const write = (value: string, count: number) => {
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const outputs = partitions.map((partition) => ({ topic: 'in', key: 'k', value, partition }));
    return log.append('w', outputs, []);
  };
  await write('old', 2);
  await log.increase('in', 3);
  await log.increase('in', 5);
  nowMs += 10_000;
  expect(await log.retain(nowMs)).toBeGreaterThan(2);
  await write('new', 5);
  const read: string[] = [];
  const said: string[] = [];
  const deferred = async (batch: Batch) => {
    for (let n = 0; n < batch.count; n += 1) {
      expect(batch.key(n)).not.toBe(LAYOUT_KEY);
      read.push(`${batch.partition} ${new TextDecoder().decode(batch.value(n))}`);
    }
    return { emissions: [], refused: [] };
  };
  const wish = { group: 'late', topics: ['in'], work: { kind: 'deferred' } as const, deferred };
  const group = oneGroup(log, { ...wish, said: (cause) => said.push(cause) });
  await group.join();
  await until('all five', () => read.length === 5);
  expect(read.sort()).toEqual(['0 new', '1 new', '2 new', '3 new', '4 new']);
  expect(said.filter((each) => each.includes('retention took them unread')).length).toBeGreaterThan(0);
  for (const { state } of group.partitions()) expect(state.layout).toEqual(await log.layout('in'));
  await group.drain();
  await log.close();
});
