// When rows leave for the sink: at once after a pause, then about once a second, sooner when many wait, and
// never held up by an insert that failed.

import { expect, test } from 'bun:test';
import type { Batch } from '../../../actors/batch.ts';
import { ProjectionWriter } from '../../../runtime/projection-writer.ts';
import { Fault } from '../../../sinks/sink.ts';

/** Time that moves when it is told to, and a sink that notes the rows of each insert. */
function rig() {
  const timers: { at: number; done: () => void }[] = [];
  const inserts: { at: number; rows: number }[] = [];
  const world = { now: 0, broken: false, inserts };
  const writer = new ProjectionWriter({
    topic: 'aggregation.ohlc.bars.v1',
    rowsMax: 50_000,
    timeoutMs: 30_000,
    clock: {
      nowMs: () => world.now,
      after(ms, done) {
        const timer = { at: world.now + ms, done };
        timers.push(timer);
        return () => timers.splice(timers.indexOf(timer), 1);
      },
    },
    sink: {
      async write(rows) {
        world.inserts.push({ at: world.now, rows: rows.count });
        if (world.broken) throw new Fault('away', 'clickhouse_unreachable', true);
        return { rows: rows.count, millis: 1 };
      },
      health: async () => null,
      close: async () => {},
    },
    wrote: () => {},
    failed: () => {},
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const pass = async (ms: number): Promise<void> => {
    await settle();
    for (const to = world.now + ms; ; ) {
      const due = timers.filter(({ at }) => at <= to).sort((a, b) => a.at - b.at)[0];
      world.now = due?.at ?? to;
      if (due === undefined) return;
      timers.splice(timers.indexOf(due), 1);
      due.done();
      await settle();
    }
  };
  // Each of a partition of its own.
  let partition = 0;
  const write = (rows: number, of?: number) => {
    partition += 1;
    return writer.write(batchOf(rows, of ?? partition));
  };
  return { world, pass, write };
}

function batchOf(count: number, partition: number): Batch {
  return {
    topic: 'aggregation.ohlc.bars.v1',
    partition,
    count,
    nextOffset: count,
    offset: (index) => index,
    key: () => 'CAISO:DAM:A',
    value: () => new Uint8Array(),
    timestampMs: () => 0,
    lines: () => [],
  };
}

test('the first rows leave at once, those that follow once a second and together', async () => {
  const { world, pass, write } = rig();
  const written = [write(3)];
  for (let n = 0; n < 4; n += 1) {
    await pass(200);
    written.push(write(10));
  }
  await pass(5_000);
  await Promise.all(written);
  expect(world.inserts).toEqual([
    { at: 0, rows: 3 },
    { at: 1_000, rows: 40 },
  ]);
});

test('a clock that is set back holds up nobody', async () => {
  const { world, pass, write } = rig();
  await Promise.all([write(3), pass(0)]);
  world.now = -7_200_000;
  const written = write(10);
  await pass(1_000);
  await written;
  expect(world.inserts.map(({ rows }) => rows)).toEqual([3, 10]);
});

test('ten thousand rows wait for nothing', async () => {
  const { world, pass, write } = rig();
  const written = [write(1)];
  await pass(10);
  written.push(write(9_999));
  await pass(10);
  expect(world.inserts).toHaveLength(1);
  written.push(write(1));
  await pass(0);
  await Promise.all(written);
  expect(world.inserts).toEqual([
    { at: 0, rows: 1 },
    { at: 20, rows: 10_000 },
  ]);
});

test('after a failure, whoever asks again is served at once', async () => {
  const { world, pass, write } = rig();
  world.broken = true;
  const failed = write(5).catch((error: Error) => error.message);
  await pass(0);
  expect(await failed).toBe('away');
  world.broken = false;
  const again = write(5);
  await pass(0);
  await again;
  expect(world.inserts.map(({ at }) => at)).toEqual([0, 0]);
});

test('what a router that is gone left waiting makes room for its successor', async () => {
  const { world, pass, write } = rig();
  await Promise.all([write(1), pass(0)]);
  const left = write(10, 7).catch((error: Error) => error.message);
  const written = [write(4, 8), write(10, 7)];
  await pass(1_000);
  await Promise.all(written);
  expect(await left).toBe('its partition has another router by now');
  expect(world.inserts.map(({ rows }) => rows)).toEqual([1, 14]);
});
