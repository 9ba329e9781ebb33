// A group that was away for longer than records are kept says at its start what it has lost, once; one that
// is new to a topic has lost nothing. While a group restores, it tells how far it has come.

import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import type { Batch } from '../../actors/batch.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import { DEAD_LETTERS, OUTPUT, oneGroup } from '../support/one-group.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const temporary = temporaryDirs('carbon-overtaken');
const NOW_MS = 1_700_000_000_000;

async function openLog(dir: string): Promise<Log> {
  const log = openEmbeddedLog({ dir, nowMs: () => NOW_MS });
  const sized = { retentionMs: 1_000, compacted: false, partitions: 2 };
  await log.bootstrap(['in', OUTPUT, DEAD_LETTERS].map((name) => ({ ...sized, name })));
  return log;
}

/** A batch in each partition for each value. */
async function write(log: Log, values: readonly string[]): Promise<void> {
  for (const value of values) {
    const outputs = [0, 1].map((partition) => ({ topic: 'in', key: 'k', value, partition }));
    await log.append('w', outputs, []);
  }
}

function reader(log: Log, group: string) {
  const read: string[] = [];
  const said: string[] = [];
  const deferred = async (batch: Batch) => {
    for (let n = 0; n < batch.count; n += 1)
      read.push(`${batch.partition} ${new TextDecoder().decode(batch.value(n))}`);
    return { emissions: [], refused: [] };
  };
  const wish = { group, topics: ['in'], work: { kind: 'deferred' } as const, deferred };
  return { read, said, of: oneGroup(log, { ...wish, said: (cause) => said.push(cause) }) };
}

test('what retention took unread is told by an event and stays known; the rest is read', async () => {
  const dir = temporary();
  const log = await openLog(dir);
  await write(log, ['a', 'b']);
  const before = reader(log, 'away');
  await before.of.join();
  await until('both partitions', () => before.read.length === 4);
  expect(before.of.gaps.all).toEqual([]);
  await before.of.drain();
  await write(log, ['c', 'd', 'e']);
  await log.close();
  // As a broker does, which keeps to its hours whoever has not read yet.
  using file = new Database(join(dir, 'log.sqlite'));
  const ofPartition = 'tp = 1 + 10000 * (SELECT id FROM topics WHERE name = ?)';
  const gone = file.query(`DELETE FROM batches WHERE base < 4 AND ${ofPartition}`).run('in');
  expect(gone.changes).toBe(4);

  const again = await openLog(dir);
  expect(await again.start({ topic: 'in', partition: 0 })).toBe(0);
  expect(await again.start({ topic: 'in', partition: 1 })).toBe(4);
  const after = reader(again, 'away');
  await after.of.join();
  await until('what is left', () => after.read.length === 4);
  expect(after.read.sort()).toEqual(['0 c', '0 d', '0 e', '1 e']);
  expect(after.of.gaps.all).toEqual([{ topic: 'in', partition: 1, from: 2, to: 4 }]);
  const lost = 'retention took offsets 2 to 3 of in/1 before they were read';
  expect(after.said.filter((each) => each.includes('retention'))).toEqual([lost]);
  await after.of.drain();

  const fresh = reader(again, 'new');
  await fresh.of.join();
  await until('what is left', () => fresh.read.length === 6);
  expect(fresh.of.gaps.all).toEqual([]);
  await fresh.of.drain();
  await again.close();
});

test('a group tells how many of its partitions it has restored, until it has all', async () => {
  const log = await openLog(temporary());
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const held = heldBack(log, async (partition) => gates[partition]?.promise);
  const { of } = reader(held, 'g');
  const joined = of.join();
  await until('an assignment', () => of.restoring?.partitions === 2);
  expect(of.restoring).toMatchObject({ restored: 0, partitions: 2 });
  expect(of.ready).toBe(false);
  gates[0]?.resolve();
  await until('the first', () => of.restoring?.restored === 1);
  gates[1]?.resolve();
  await joined;
  expect(of.restoring).toBeNull();
  expect(of.ready).toBe(true);
  await of.drain();
  await log.close();
});

/** Stored state is read when `gate` lets it. */
function heldBack(log: Log, gate: (partition: number) => Promise<void> | undefined): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name !== 'join') {
        const found: unknown = Reflect.get(target, name);
        return typeof found === 'function' ? found.bind(target) : found;
      }
      const join: Log['join'] = async (...words) => {
        const member = await target.join(...words);
        return {
          ...member,
          async *state(of) {
            await gate(of.partition);
            yield* member.state(of);
          },
        };
      };
      return join;
    },
  });
}
