// Conformance of a log: members of a group, fencing, and positions.

import { expect, test } from 'bun:test';
import { until } from '../support/until.ts';
import { everything, Reader, recordsOf } from './log-reader.ts';
import { type LogHarness, put, type Rig } from './log-rig.ts';

export function memberTests(rig: Rig): void {
  test('two of a group share its partitions, and each record is read once', async () => {
    const [topic, group] = [await rig.topic(4), rig.name('g')];
    for (let partition = 0; partition < 4; partition += 1) await rig.fill(topic, ['a', 'b'], partition);
    const one = await Reader.join(rig.opened, group, [topic]);
    const two = await Reader.join(rig.opened, group, [topic]);
    await until('two partitions each', () => one.partitions.length === 2 && two.partitions.length === 2);
    const owned = [...one.partitions, ...two.partitions].map((of) => of.partition).sort();
    expect(owned).toEqual([0, 1, 2, 3]);
    const read = [...(await one.take(4)), ...(await two.take(4))];
    expect(read.map((each) => `${each.partition}${each.value}`).sort()).toEqual(
      [0, 1, 2, 3].flatMap((n) => [`${n}a`, `${n}b`]),
    );
    for (const reader of [one, two]) await reader.member.leave();
  });

  test('who lost a partition is fenced there; the new owner does the batch, state follows it', async () => {
    const [topic, output, group] = [await rig.topic(2), await rig.topic(1), rig.name('g')];
    for (const partition of [0, 1]) await rig.fill(topic, ['a', 'b'], partition);
    const old = await Reader.join(rig.opened, group, [topic]);
    await until('both partitions', () => old.partitions.length === 2);
    for (const of of [...old.partitions]) {
      const { nextOffset } = await old.next(of, 1);
      const state = [put('at', `${of.partition}`)];
      await old.member.commit(of, { outputs: [], state, nextOffset });
    }
    const inFlight = new Map<number, number>();
    for (const of of [...old.partitions]) inFlight.set(of.partition, (await old.next(of, 1)).nextOffset);
    const before = old.generation;
    const fresh = await Reader.join(rig.opened, group, [topic]);
    await until('one partition each', () => old.partitions.length === 1 && fresh.partitions.length === 1);
    expect(old.generation).toBeGreaterThan(before);
    const [moved] = fresh.partitions;
    if (moved === undefined) throw new Error('nothing moved');
    const commit = (what: string) => ({
      outputs: [{ topic: output, key: 'k', value: what }],
      state: [put('at', what)],
      nextOffset: inFlight.get(moved.partition) ?? -1,
    });
    expect(await fresh.state(moved)).toEqual([['at', `${moved.partition}`]]);
    expect(recordsOf(await fresh.next(moved)).map((each) => each.value)).toEqual(['b']);
    expect(await old.member.commit(moved, commit('from the old'))).toBe('fenced');
    expect(await fresh.state(moved)).toEqual([['at', `${moved.partition}`]]);
    expect(await fresh.member.commit(moved, commit('from the new'))).toBe('committed');
    expect(await fresh.state(moved)).toEqual([['at', 'from the new']]);
    const written = await everything(rig.opened, { topic: output, partition: 0 });
    expect(written.map((each) => each.value)).toEqual(['from the new']);
    for (const reader of [old, fresh]) await reader.member.leave();
  });

  test('who stays takes over what the leaver had, from the last commit', async () => {
    const [topic, group] = [await rig.topic(2), rig.name('g')];
    for (const partition of [0, 1]) await rig.fill(topic, ['a', 'b', 'c'], partition);
    const one = await Reader.join(rig.opened, group, [topic]);
    const two = await Reader.join(rig.opened, group, [topic]);
    await until('one partition each', () => one.partitions.length === 1 && two.partitions.length === 1);
    const [left] = two.partitions;
    if (left === undefined) throw new Error('nothing was assigned');
    const { nextOffset } = await two.next(left, 1);
    await two.member.commit(left, { outputs: [], state: [put('done', 'a')], nextOffset });
    await two.next(left, 1);
    await two.member.leave();
    await until('both partitions', () => one.partitions.length === 2);
    expect(await one.state(left)).toEqual([['done', 'a']]);
    expect(recordsOf(await one.next(left)).map((each) => each.value)).toEqual(['b', 'c']);
    await one.member.leave();
  });

  test('a partition that went and came back is read from the last commit', async () => {
    const [topic, group] = [await rig.topic(2), rig.name('g')];
    for (const partition of [0, 1]) await rig.fill(topic, ['a', 'b', 'c'], partition);
    const one = await Reader.join(rig.opened, group, [topic]);
    await until('both partitions', () => one.partitions.length === 2);
    for (const of of [...one.partitions]) await one.next(of, 1);
    const two = await Reader.join(rig.opened, group, [topic]);
    await until('one partition each', () => one.partitions.length === 1 && two.partitions.length === 1);
    const [moved] = two.partitions;
    if (moved === undefined) throw new Error('nothing moved');
    const { nextOffset } = await two.next(moved, 2);
    await two.member.commit(moved, { outputs: [], state: [], nextOffset });
    await two.member.leave();
    await until('both partitions again', () => one.partitions.length === 2);
    expect(recordsOf(await one.next(moved)).map((each) => each.value)).toEqual(['c']);
    await one.member.leave();
  });

  test('who has a partition again is fenced there until it has read its state', async () => {
    const [topic, group] = [await rig.topic(2), rig.name('g')];
    for (const partition of [0, 1]) await rig.fill(topic, ['a', 'b', 'c'], partition);
    const one = await Reader.join(rig.opened, group, [topic]);
    await until('both partitions', () => one.partitions.length === 2);
    for (const of of [...one.partitions]) await one.state(of);
    const two = await Reader.join(rig.opened, group, [topic]);
    await until('one partition each', () => one.partitions.length === 1 && two.partitions.length === 1);
    const [moved] = two.partitions;
    if (moved === undefined) throw new Error('nothing moved');
    await two.state(moved);
    const { nextOffset } = await two.next(moved, 1);
    await two.member.commit(moved, { outputs: [], state: [put('done', 'a')], nextOffset });
    await two.member.leave();
    await until('both partitions again', () => one.partitions.length === 2);
    expect(await one.member.committed(moved)).toBe(nextOffset);
    const commit = { outputs: [], state: [put('done', 'b')], nextOffset: nextOffset + 1 };
    expect(await one.member.commit(moved, commit)).toBe('fenced');
    expect(await one.state(moved)).toEqual([['done', 'a']]);
    expect(await one.member.commit(moved, commit)).toBe('committed');
    await one.member.leave();
  });

  test('of different groups do not touch each other', async () => {
    const topic = await rig.topic(1);
    const of = { topic, partition: 0 };
    await rig.fill(topic, ['a', 'b']);
    const one = await Reader.join(rig.opened, rig.name('g1'), [topic]);
    const two = await Reader.join(rig.opened, rig.name('g2'), [topic]);
    const { nextOffset } = await one.next(of);
    await one.member.commit(of, { outputs: [], state: [], nextOffset });
    expect(await two.member.committed(of)).toBe(0);
    expect((await two.take(2)).map((each) => each.value)).toEqual(['a', 'b']);
    for (const reader of [one, two]) await reader.member.leave();
  });
}

export function positionTests(rig: Rig, harness: LogHarness): void {
  test('lag is what stands between the commit and the end, of partitions never read as well', async () => {
    const [topic, group] = [await rig.topic(2), rig.name('g')];
    const of = { topic, partition: 0 };
    await rig.fill(topic, ['a', 'b', 'c'], 0);
    await rig.fill(topic, ['d'], 1);
    const reader = await Reader.join(rig.opened, group, [topic]);
    const lagOf = async (partition: number): Promise<number> => {
      const found = await rig.opened.lag(group);
      expect(found.map((each) => each.partition).sort()).toEqual([0, 1]);
      for (const each of found) expect(each.lag).toBe(each.end - each.committed);
      return found.find((each) => each.partition === partition)?.lag ?? -1;
    };
    expect(await lagOf(0)).toBe(3 + harness.markers);
    expect(await lagOf(1)).toBe(1 + harness.markers);
    const batch = await reader.next(of, 2);
    await reader.member.commit(of, { outputs: [], state: [], nextOffset: batch.nextOffset });
    expect(await lagOf(0)).toBe(1 + harness.markers);
    const rest = await reader.next(of);
    await reader.member.commit(of, { outputs: [], state: [], nextOffset: rest.nextOffset });
    expect(await lagOf(0)).toBeLessThanOrEqual(harness.markers);
    await reader.member.leave();
  });

  test('the offset at a time is the first appended then or later, and the end after all', async () => {
    const topic = await rig.topic(1);
    const of = { topic, partition: 0 };
    for (const values of [['a', 'b'], ['c'], ['d', 'e', 'f']]) {
      await rig.fill(topic, values);
      await rig.open?.advance(10);
    }
    const batch = await rig.opened.read(of, 0, 100);
    if (batch === null) throw new Error('nothing was read');
    const records = recordsOf(batch).map(({ offset }, n) => ({ offset, timestampMs: batch.timestampMs(n) }));
    expect(records).toHaveLength(6);
    expect(new Set(records.map((each) => each.timestampMs)).size).toBe(3);
    const end = await rig.opened.end(of);
    for (const { timestampMs } of records) {
      for (const at of [timestampMs - 1, timestampMs, timestampMs + 1]) {
        const first = records.find((each) => each.timestampMs >= at)?.offset ?? end;
        expect(await rig.opened.offsetAt(of, at)).toBe(first);
      }
    }
    expect(await rig.opened.offsetAt(of, 0)).toBe(0);
  });

  test('the end is the offset that the next record gets', async () => {
    const topic = await rig.topic(1);
    const of = { topic, partition: 0 };
    expect(await rig.opened.end(of)).toBe(0);
    for (const value of ['a', 'b', 'c']) {
      const end = await rig.opened.end(of);
      await rig.fill(topic, [value]);
      const found = await rig.opened.read(of, end, 10);
      expect(found === null ? [] : recordsOf(found)).toMatchObject([{ offset: end, value }]);
    }
  });

  test('a log without a fault is healthy', async () => {
    expect(await rig.opened.health()).toBeNull();
  });
}
