// Conformance of a log: partitions that are added while writers write and groups read. Whatever happens at
// the same time, each record stands on the side of the barriers that its layout says.

import { expect, test } from 'bun:test';
import { keyHash } from '../../actors/domain/murmur2.ts';
import {
  asOf,
  barrierOf,
  bornAt,
  LAYOUT_KEY,
  type Layout,
  partitionsOf,
  placed,
} from '../../actors/layout.ts';
import type { Log, WriterOf } from '../../runtime/log/log.ts';
import { until } from '../support/until.ts';
import { everything, Reader, type ReadRecord, recordsOf } from './log-reader.ts';
import { put, type Rig, spec } from './log-rig.ts';

const KEYS = Array.from({ length: 40 }, (_, n) => `X:R:${n}`);

async function keyed(rig: Rig, partitions: number, writers: readonly WriterOf[]): Promise<string> {
  const name = rig.name('keyed.v1');
  await rig.opened.bootstrap([{ ...spec(name, partitions), writers }]);
  return name;
}

async function layoutOf(log: Log, topic: string): Promise<Layout> {
  const layout = await log.layout(topic);
  if (layout === null) throw new Error(`${topic} has no layout`);
  return layout;
}

async function standing(log: Log, topic: string): Promise<ReadRecord[]> {
  const found: ReadRecord[] = [];
  for (let partition = 0; partition < partitionsOf(await layoutOf(log, topic)); partition += 1)
    found.push(...(await everything(log, { topic, partition })));
  return found;
}

/** Records on the wrong side of a barrier, and partitions without one of theirs. */
function misplaced(records: readonly ReadRecord[], layout: Layout): string[] {
  const faults: string[] = [];
  for (let partition = 0; partition < partitionsOf(layout); partition += 1) {
    let version = bornAt(layout, partition) ?? 0;
    for (const { offset, key } of records.filter((each) => each.partition === partition)) {
      if (key === LAYOUT_KEY) version += 1;
      else if (placed(asOf(layout, version), keyHash(key)) !== partition)
        faults.push(`${key} at ${partition}@${offset} is not of version ${version}`);
    }
    if (version !== layout.steps.length + 1) faults.push(`${partition} ends at version ${version}`);
  }
  return faults;
}

export function layoutTests(rig: Rig): void {
  test('grow by a step for each increase, behind a barrier read alone, and survive reopening', async () => {
    const writer = rig.name('w');
    const topic = await keyed(rig, 3, [{ writer }]);
    const write = (value: string) =>
      rig.opened.append(
        writer,
        KEYS.map((key) => ({ topic, key, value })),
        [],
      );
    expect(await layoutOf(rig.opened, topic)).toEqual({ base: 3, steps: [] });
    await write('1');
    await rig.opened.increase(topic, 5);
    await write('2');
    await rig.opened.increase(topic, 5);
    await rig.opened.increase(topic, 4);
    await rig.opened.increase(topic, 6);
    await write('3');
    const steps = [
      { from: 3, to: 5 },
      { from: 5, to: 6 },
    ];
    const layout = { base: 3, steps };
    expect(await layoutOf(rig.opened, topic)).toEqual(layout);
    const records = await standing(rig.opened, topic);
    expect(misplaced(records, layout)).toEqual([]);
    expect(records.filter(({ key }) => key === LAYOUT_KEY).length).toBe(3 + 5);
    for (const value of ['1', '2', '3'])
      expect(records.filter((each) => each.value === value).length).toBe(KEYS.length);
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(6);
    const reader = await Reader.join(rig.opened, rig.name('g'), [topic]);
    await until('all partitions', () => reader.partitions.length === 6);
    const [first, barrier] = [
      await reader.next({ topic, partition: 0 }),
      reader.next({ topic, partition: 0 }),
    ];
    expect(recordsOf(first).some(({ key }) => key === LAYOUT_KEY)).toBe(false);
    expect(barrierOf(await barrier)).toEqual({ topic, layout: asOf(layout, 2) });
    await reader.member.leave();
    const again = await rig.reopen();
    expect(await layoutOf(again, topic)).toEqual(layout);
    await write('4');
    expect(misplaced(await standing(again, topic), layout)).toEqual([]);
  });

  test('hold while writers with and without input go on: nothing is lost, doubled or misplaced', async () => {
    const writers = [rig.name('w'), rig.name('w')];
    const [group, input] = [rig.name('g'), await rig.topic(2)];
    const declared = [...writers.map((writer) => ({ writer })), { group, inputs: [input] }];
    const topic = await keyed(rig, 2, declared);
    for (const partition of [0, 1])
      await rig.fill(
        input,
        KEYS.map((_, n) => `${partition}/${n}`),
        partition,
      );
    const log = rig.opened;
    const sent: string[] = [];
    const stop = new AbortController();
    const outputs = (what: string) => {
      const values = KEYS.map((key) => ({ topic, key, value: `${what} ${key}` }));
      sent.push(...values.map(({ value }) => value));
      return values;
    };
    const writing = writers.map(async (writer) => {
      for (let n = 0; !stop.signal.aborted; n += 1) await log.append(writer, outputs(`${writer} ${n}`), []);
    });
    const reader = await Reader.join(log, group, [input]);
    await until('both partitions', () => reader.partitions.length === 2);
    const copying = [0, 1].map(async (partition) => {
      const of = { topic: input, partition };
      for (let n = 0; n < KEYS.length; n += 1) {
        const { nextOffset } = await reader.next(of, 1);
        const commit = { outputs: outputs(`copy ${partition} ${n}`), state: [], nextOffset };
        await until('its commit', async () => (await reader.member.commit(of, commit)) === 'committed');
      }
    });
    for (const partitions of [3, 6, 7]) await log.increase(topic, partitions);
    await Promise.all(copying);
    stop.abort();
    await Promise.all(writing);
    const records = await standing(log, topic);
    const layout = await layoutOf(log, topic);
    expect(partitionsOf(layout)).toBe(7);
    expect(misplaced(records, layout)).toEqual([]);
    const values = records.filter(({ key }) => key !== LAYOUT_KEY).map(({ value }) => value);
    expect(values.sort()).toEqual(sent.sort());
    await reader.member.leave();
  });

  test('bring their partitions to the groups that read the topic, which keep what they had', async () => {
    const writer = rig.name('w');
    const topic = await keyed(rig, 2, [{ writer }]);
    const reader = await Reader.join(rig.opened, rig.name('g'), [topic]);
    await until('two partitions', () => reader.partitions.length === 2);
    await rig.opened.increase(topic, 4);
    await until('four partitions', () => reader.partitions.length === 4);
    const values = [0, 1, 2, 3].map((partition) => ({ topic, key: 'k', value: `${partition}`, partition }));
    await rig.opened.append(writer, values, []);
    // Two barriers, and four records.
    const read = await reader.take(6);
    expect(read.map(({ key, value }) => (key === LAYOUT_KEY ? 'barrier' : value)).sort()).toEqual(
      ['0', '1', '2', '3', 'barrier', 'barrier'].sort(),
    );
    const of = { topic, partition: 3 };
    const { offset = 0 } = read.find(({ partition }) => partition === 3) ?? {};
    const commit = { outputs: [], state: [put('a', '1')], nextOffset: offset + 1 };
    expect(await reader.member.commit(of, commit)).toBe('committed');
    expect(await reader.state(of)).toEqual([['a', '1']]);
    const lag = await rig.opened.lag(reader.member.group);
    expect(lag.map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
    await reader.member.leave();
  });

  test('let state change its partition in one commit', async () => {
    const writer = rig.name('w');
    const topic = await keyed(rig, 1, [{ writer }]);
    await rig.opened.append(writer, [{ topic, key: 'k', value: 'v' }], []);
    const group = rig.name('g');
    const reader = await Reader.join(rig.opened, group, [topic]);
    const [old, fresh] = [0, 1].map((partition) => ({ topic, partition }));
    if (old === undefined || fresh === undefined) throw new Error('two places');
    const first = await reader.next(old);
    const state = [put('stays', '1'), put('moves', '2')];
    await reader.member.commit(old, { outputs: [], state, nextOffset: first.nextOffset });
    await rig.opened.increase(topic, 2);
    const barrier = await reader.next(old);
    const moved = [
      { key: 'moves', value: null },
      { ...put('moves', '2'), partition: 1 },
    ];
    await reader.member.commit(old, { outputs: [], state: moved, nextOffset: barrier.nextOffset });
    await until('the new partition', () => reader.owns(fresh));
    const stored: string[] = [];
    for await (const [key] of reader.member.stored(old)) stored.push(key);
    expect(stored).toEqual(['stays']);
    expect(await reader.state(fresh)).toEqual([['moves', '2']]);
    await reader.member.leave();
  });

  test('send a record to every partition, or to those beside a place that may hold its keys', async () => {
    const writer = rig.name('w');
    const [from, to] = [await keyed(rig, 2, [{ writer }]), await keyed(rig, 2, [{ writer }])];
    const tell = async (value: string, beside: number, version: number): Promise<void> => {
      const partition = { beside: { topic: from, partition: beside }, version };
      await rig.opened.append(writer, [{ topic: to, key: '~', value, partition }], []);
    };
    await tell('same', 1, 1);
    await rig.opened.increase(from, 3);
    await tell('old', 0, 2);
    await tell('moved', 2, 2);
    await rig.opened.increase(to, 3);
    await tell('before', 1, 1);
    await tell('behind', 1, 2);
    await rig.opened.append(writer, [{ topic: to, key: '~', value: 'all', partition: 'every' }], []);
    const found = (await standing(rig.opened, to)).filter(({ key }) => key === '~');
    const where = (value: string) =>
      found.filter((each) => each.value === value).map((each) => each.partition);
    expect(
      Object.fromEntries(['same', 'old', 'moved', 'before', 'behind', 'all'].map((v) => [v, where(v)])),
    ).toEqual({ same: [1], old: [0], moved: [0, 1], before: [1, 2], behind: [1], all: [0, 1, 2] });
  });
}
