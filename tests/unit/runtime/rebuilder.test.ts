// The rebuilder reads silver only when projection has taken the ticks that are on the log: also when that
// joins later than the rebuilder, and when it has taken some partitions and not others.

import { afterAll, expect, test } from 'bun:test';
import { openEmbeddedLog } from '../../../runtime/log/embedded.ts';
import type { Log } from '../../../runtime/log/log.ts';
import { rebuilder } from '../../../runtime/rebuilder.ts';
import { TOPIC } from '../../../runtime/services.ts';
import { temporaryDirectory } from '../../support/product.ts';

const ID = 'CAISO:RTPD:TH_NP15_GEN-APND';
const GROUP = 'projection-service';
const dirs = [temporaryDirectory(), temporaryDirectory()];
const logs: Log[] = [];
afterAll(async () => {
  for (const log of logs) await log.close();
  for (const dir of dirs) dir[Symbol.dispose]();
});

/** A log with a tick in each of two partitions, and one late tick to rebuild. */
async function logWithTicks(dir: string): Promise<Log> {
  const log = openEmbeddedLog({ dir, nowMs: () => 0 });
  logs.push(log);
  const spec = { partitions: 2, retentionMs: null, compacted: false };
  await log.bootstrap([TOPIC.ticks, TOPIC.rebuild].map((name) => ({ ...spec, name })));
  const value = JSON.stringify({ interval_start: 0 });
  const to = [
    { topic: TOPIC.ticks, partition: 0 },
    { topic: TOPIC.ticks, partition: 1 },
    { topic: TOPIC.rebuild, partition: 0 },
  ];
  await log.append(
    'test',
    to.map((of) => ({ ...of, key: ID, value })),
    [],
  );
  return log;
}

/** Takes what is in a partition of the ticks, as projection does. */
async function take(log: Log, partitions: readonly number[]): Promise<void> {
  const member = await log.join(GROUP, [TOPIC.ticks]);
  for (const partition of partitions) {
    const of = { topic: TOPIC.ticks, partition };
    for await (const _ of member.state(of));
    const batch = await member.poll(of, 10);
    const nextOffset = batch?.nextOffset ?? 0;
    expect(await member.commit(of, { nextOffset, outputs: [], state: [] })).toBe('committed');
  }
}

async function readsWhen(log: Log, steps: readonly (() => Promise<void>)[]): Promise<number> {
  const batch = await log.read({ topic: TOPIC.rebuild, partition: 0 }, 0, 10);
  if (batch === null) throw new Error('nothing to rebuild');
  let paused = 0;
  let readAfter = Number.NaN;
  const rebuild = rebuilder<object>({
    log,
    span: () => ({ fromMs: 0, toMs: 1 }),
    silver: async () => {
      readAfter = paused;
      return [];
    },
    refold: () => [],
    pause: async () => {
      await steps[paused]?.();
      paused += 1;
      if (paused > steps.length) throw new Error('it waits for good');
    },
  });
  await rebuild(batch, 0);
  return readAfter;
}

test('silver is not read before projection has joined and taken every tick', async () => {
  const log = await logWithTicks(dirs[0]?.path ?? '');
  const nothing = async (): Promise<void> => {};
  expect(await readsWhen(log, [nothing, nothing, () => take(log, [0, 1])])).toBe(3);
});

test('nor while one of the partitions is not taken', async () => {
  const log = await logWithTicks(dirs[1]?.path ?? '');
  expect(await readsWhen(log, [() => take(log, [0]), () => take(log, [1])])).toBe(2);
});
