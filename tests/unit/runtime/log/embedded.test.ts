// What only the embedded log promises: retention that waits for every group, damage that is found and said, a
// full disk that loses nothing, one owner of a directory.

import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { openEmbeddedLog } from '../../../../runtime/log/embedded.ts';
import type { Log } from '../../../../runtime/log/log.ts';
import { LogFault } from '../../../../runtime/log/log-fault.ts';
import { everything } from '../../../conformance/log-reader.ts';
import { spec } from '../../../conformance/log-rig.ts';
import { temporaryDirs } from '../../../support/temporary.ts';

const newDir = temporaryDirs('carbon-embedded');
const OF = { topic: 'records', partition: 0 };

/** A log whose topic `records` keeps its records for 100 ms; its clock is `now.ms`. */
async function aged(dir = newDir()) {
  const now = { ms: 1_000 };
  const log = openEmbeddedLog({ dir, nowMs: () => now.ms });
  await log.bootstrap([{ ...spec('records', 1), retentionMs: 100 }]);
  const add = (...values: string[]) => {
    return log.append(
      'w',
      values.map((value) => ({ ...OF, key: 'k', value })),
      [],
    );
  };
  return { dir, log, now, add };
}

async function values(log: Log): Promise<string[]> {
  return (await everything(log, OF)).map((each) => each.value);
}

async function faultOf(work: () => unknown): Promise<LogFault> {
  try {
    await work();
  } catch (error) {
    if (error instanceof LogFault) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

describe('retention', () => {
  test('drops what is old and read by every group, and nothing else', async () => {
    const { log, now, add } = await aged();
    await add('a', 'b');
    await add('c');
    const [fast, slow] = [await log.join('fast', ['records']), await log.join('slow', ['records'])];
    await fast.commit(OF, { outputs: [], state: [], nextOffset: 3 });
    await slow.commit(OF, { outputs: [], state: [], nextOffset: 2 });
    now.ms = 1_101;
    await add('d');
    expect(await log.retain(now.ms)).toBe(2);
    expect(await values(log)).toEqual(['c', 'd']);
    await slow.commit(OF, { outputs: [], state: [], nextOffset: 3 });
    expect(await log.retain(now.ms)).toBe(1);
    expect(await values(log)).toEqual(['d']);
    expect(await log.end(OF)).toBe(4);
    await log.close();
  });

  test('waits for a group that has joined and never committed, also over a restart', async () => {
    const first = await aged();
    await first.add('a');
    await (await first.log.join('g', ['records'])).leave();
    await first.log.close();
    const { log } = await aged(first.dir);
    expect(await log.retain(10_000)).toBe(0);
    const member = await log.join('g', ['records']);
    expect((await member.poll(OF, 10))?.count).toBe(1);
    await log.close();
  });

  test('drops by age alone where no group reads; offsets go on', async () => {
    const { dir, log, add } = await aged();
    await add('a', 'b');
    expect(await log.retain(1_100)).toBe(0);
    expect(await log.retain(1_101)).toBe(2);
    await add('c');
    expect(await everything(log, OF)).toMatchObject([{ offset: 2, value: 'c' }]);
    expect((await log.read(OF, 0, 10))?.offset(0)).toBe(2);
    expect(await (await log.join('late', ['records'])).committed(OF)).toBe(2);
    await log.close();
    const again = openEmbeddedLog({ dir, nowMs: () => 0 });
    expect(await everything(again, OF)).toMatchObject([{ offset: 2, value: 'c' }]);
    await again.close();
  });

  test('leaves no hole when the clock went back between two batches', async () => {
    const { log, now, add } = await aged();
    now.ms = 5_000;
    await add('young');
    now.ms = 1_000;
    await add('old');
    expect(await log.retain(2_000)).toBe(0);
    expect(await values(log)).toEqual(['young', 'old']);
    await log.close();
  });
});

describe('damage', () => {
  async function filled(): Promise<{ dir: string; whole: string[] }> {
    const { dir, log, add } = await aged();
    for (let n = 0; n < 3; n += 1) await add(...Array.from({ length: 40 }, (_, at) => `value ${n} ${at}`));
    const whole = await values(log);
    await log.close();
    return { dir, whole };
  }

  function alter(dir: string, sql: string, ...of: (number | Uint8Array)[]): void {
    const db = new Database(join(dir, 'log.sqlite'));
    db.query(sql).run(...of);
    db.close();
  }

  function bytesOf(dir: string, column: string, base: number): Uint8Array {
    const db = new Database(join(dir, 'log.sqlite'));
    const row = db.query<{ of: Uint8Array }, [number]>(`SELECT ${column} AS of FROM batches WHERE base = ?`);
    const found = row.get(base)?.of ?? new Uint8Array();
    db.close();
    return found.slice();
  }

  for (const column of ['idx', 'bytes']) {
    test(`one bit of ${column} is found, said with its place, and never a wrong record`, async () => {
      const { dir, whole } = await filled();
      const sound = bytesOf(dir, column, 40);
      const place = fc.tuple(fc.nat(sound.length - 1), fc.nat(7));
      const property = fc.asyncProperty(place, async ([at, bit]) => {
        const bad = sound.slice();
        bad[at] = (bad[at] ?? 0) ^ (1 << bit);
        alter(dir, `UPDATE batches SET ${column} = ? WHERE base = 40`, bad);
        const log = openEmbeddedLog({ dir, nowMs: () => 0 });
        const fault = await faultOf(() => log.read(OF, 0, 120));
        expect(fault).toMatchObject({ code: 'log_corrupt', retryable: false });
        expect(fault.message).toContain('records/0 at offset 40');
        expect(await log.health()).toBe(fault.message);
        expect((await log.read(OF, 0, 40))?.count).toBe(40);
        expect((await log.read(OF, 80, 40))?.count).toBe(40);
        await log.close();
      });
      await fc.assert(property, { numRuns: 25 });
      alter(dir, `UPDATE batches SET ${column} = ? WHERE base = 40`, sound);
      const log = openEmbeddedLog({ dir, nowMs: () => 0 });
      expect(await values(log)).toEqual(whole);
      await log.close();
    });
  }

  const headers: readonly (readonly [string, string])[] = [
    ['count', 'UPDATE batches SET count = 39 WHERE base = 40'],
    ['base', 'UPDATE batches SET base = 41 WHERE base = 40'],
    ['codec', 'UPDATE batches SET codec = 1 - codec WHERE base = 40'],
    ['append time', 'UPDATE batches SET appended_ms = appended_ms + 1 WHERE base = 40'],
    ['checksum', 'UPDATE batches SET checksum = checksum + 1 WHERE base = 40'],
    ['a batch that is gone', 'DELETE FROM batches WHERE base = 40'],
    ['the last batch gone', 'DELETE FROM batches WHERE base = 80'],
  ];
  for (const [what, sql] of headers) {
    test(`${what} is found`, async () => {
      const { dir } = await filled();
      alter(dir, sql);
      const log = openEmbeddedLog({ dir, nowMs: () => 0 });
      const fault = await faultOf(() => everything(log, OF, 7));
      expect(fault).toMatchObject({ code: 'log_corrupt', retryable: false });
      await log.close();
    });
  }

  test('any byte of the file gives the right record or a fault, never a wrong one', async () => {
    const { dir, whole } = await filled();
    const path = join(dir, 'log.sqlite');
    const sound = readFileSync(path);
    const told = { sound: 0, damaged: 0 };
    const property = fc.asyncProperty(
      fc.nat(sound.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, by) => {
        const bad = Buffer.from(sound);
        bad[at] = (bad[at] ?? 0) ^ by;
        writeFileSync(path, bad);
        for (const left of ['-wal', '-shm']) rmSync(`${path}${left}`, { force: true });
        let log: Log | null = null;
        try {
          log = openEmbeddedLog({ dir, nowMs: () => 0 });
          for (const { offset, value } of await everything(log, OF, 7))
            expect(value).toBe(whole[offset] ?? '');
          told.sound += 1;
        } catch (error) {
          const refused = error instanceof LogFault || error instanceof RangeError;
          if (!refused) throw error;
          told.damaged += 1;
        }
        await log?.close();
      },
    );
    await fc.assert(property, { numRuns: 150 });
    expect(Math.min(told.sound, told.damaged)).toBeGreaterThan(3);
  });
});

describe('a full disk', () => {
  const letter = (n: number): string => String.fromCharCode(33 + ((n * n * 7 + n) % 90));
  const big = Array.from({ length: 997 }, (_, n) => letter(n)).join('');

  test('is a retryable fault that is said; the batch is not there, and room makes it good', async () => {
    const now = { ms: 1_000 };
    const log = openEmbeddedLog({ dir: newDir(), nowMs: () => now.ms, bytesMax: 400_000 });
    await log.bootstrap([{ ...spec('records', 1), retentionMs: 100 }, spec('out', 1)]);
    const fill = Array.from({ length: 50 }, (_, n) => ({ ...OF, key: 'k', value: Bun.hash(`${n}`) + big }));
    const fault = await faultOf(async () => {
      for (;;) await log.append('w', fill, []);
    });
    expect(fault).toMatchObject({ code: 'log_disk_full', retryable: true });
    expect(await log.health()).toBe(fault.message);
    const end = await log.end(OF);
    expect(await values(log)).toHaveLength(end);
    const member = await log.join('g', ['records']);
    const outputs = fill.map((each) => ({ ...each, topic: 'out' }));
    const state = [{ key: 'large', value: new Uint8Array(400_000) }];
    const commit = { outputs, state, nextOffset: end };
    const small = { ...commit, outputs: outputs.slice(0, 1) };
    for (const each of [commit, small]) {
      expect((await faultOf(() => member.commit(OF, each))).code).toBe('log_disk_full');
    }
    expect(await member.committed(OF)).toBe(0);
    for await (const entry of member.state(OF)) throw new Error(`half a commit: ${entry[0]}`);
    await member.commit(OF, { outputs: [], state: [], nextOffset: end - 50 });
    expect(await everything(log, { topic: 'out', partition: 0 })).toEqual([]);
    now.ms = 2_000;
    expect(await log.retain(now.ms)).toBe(end - 50);
    expect(await member.commit(OF, { ...commit, state: [] })).toBe('committed');
    expect(await log.health()).toBeNull();
    expect(await everything(log, { topic: 'out', partition: 0 })).toHaveLength(50);
    await log.close();
  });
});

test('a commit under way while its partition goes and comes back is fenced; another is not', async () => {
  const log = openEmbeddedLog({ dir: newDir(), nowMs: () => 0 });
  await log.bootstrap([spec('two', 2), spec('out', 1)]);
  const member = await log.join('g', ['two']);
  const commit = (partition: number) => {
    const outputs = [{ topic: 'out', key: 'k', value: `of ${partition}` }];
    return member.commit({ topic: 'two', partition }, { outputs, state: [], nextOffset: 1 });
  };
  const [kept, moved] = [commit(0), commit(1)];
  const other = log.join('g', ['two']).then((joined) => joined.leave());
  expect(await Promise.all([kept, moved])).toEqual(['committed', 'fenced']);
  await other;
  const outputs = await everything(log, { topic: 'out', partition: 0 });
  expect(outputs.map(({ value }) => value)).toEqual(['of 0']);
  expect(await member.committed({ topic: 'two', partition: 1 })).toBe(0);
  expect(await commit(1)).toBe('fenced');
  expect(await Array.fromAsync(member.state({ topic: 'two', partition: 1 }))).toEqual([]);
  expect(await commit(1)).toBe('committed');
  await log.close();
});

describe('the directory', () => {
  test('has one owner: a second is told which variable to set', async () => {
    const { dir, log } = await aged();
    const fault = await faultOf(() => openEmbeddedLog({ dir, nowMs: () => 0 }));
    expect(fault).toMatchObject({ code: 'data_dir_held', retryable: false });
    expect(fault.message).toContain('DATA_DIR');
    await log.close();
    await openEmbeddedLog({ dir, nowMs: () => 0 }).close();
  });

  test('with a file that is no log is refused, not overwritten', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'log.sqlite'), 'my diary, page one. '.repeat(300));
    const fault = await faultOf(() => openEmbeddedLog({ dir, nowMs: () => 0 }));
    expect(fault).toMatchObject({ code: 'log_corrupt', retryable: false });
    expect(readFileSync(join(dir, 'log.sqlite'), 'utf8')).toStartWith('my diary');
  });

  test('a closed log says so', async () => {
    const { log, add } = await aged();
    await log.close();
    expect(await log.health()).toBe('the log is closed');
    expect((await faultOf(() => add('a'))).code).toBe('log_closed');
  });
});
