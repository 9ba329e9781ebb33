// Conformance of a log: what a commit does as one, and the state that it keeps.

import { expect, test } from 'bun:test';
import type { Outgoing, StateChange, TopicPartition } from '../../runtime/log/log.ts';
import { until } from '../support/until.ts';
import { everything, Reader, recordsOf } from './log-reader.ts';
import { type LogHarness, put, type Rig, text } from './log-rig.ts';

interface Pipe {
  readonly input: TopicPartition;
  readonly output: TopicPartition;
  readonly group: string;
  readonly reader: Reader;
}

async function pipe(rig: Rig): Promise<Pipe> {
  const [input, output, group] = [await rig.topic(1), await rig.topic(1), rig.name('group')];
  await rig.fill(input, ['1', '2', '3', '4']);
  const reader = await Reader.join(rig.opened, group, [input]);
  return { input: { topic: input, partition: 0 }, output: { topic: output, partition: 0 }, group, reader };
}

async function standing(rig: Rig, { input, output, group }: Pipe): Promise<unknown> {
  const reader = await Reader.join(rig.opened, group, [input.topic]);
  await until('the partition', () => reader.owns(input));
  const found = {
    outputs: (await everything(rig.opened, output)).map((each) => each.value),
    state: await reader.state(input),
    position: await reader.member.committed(input),
  };
  await reader.member.leave();
  return found;
}

export function commitTests(rig: Rig, harness: LogHarness): void {
  test('makes outputs, state and position visible together, and they survive reopening', async () => {
    const piped = await pipe(rig);
    const { input, output, reader } = piped;
    const batch = await reader.next(input, 2);
    const outputs = recordsOf(batch).map(({ key, value }) => ({
      topic: output.topic,
      key,
      value: `+${value}`,
    }));
    const commit = { outputs, state: [put('sum', '3')], nextOffset: batch.nextOffset };
    expect(await reader.member.commit(input, commit)).toBe('committed');
    await reader.member.leave();
    const expected = { outputs: ['+1', '+2'], state: [['sum', '3']], position: batch.nextOffset };
    expect(await standing(rig, piped)).toEqual(expected);
    await rig.reopen();
    expect(await standing(rig, piped)).toEqual(expected);
    const again = await Reader.join(rig.opened, piped.group, [input.topic]);
    expect((await again.take(2)).map((each) => each.value)).toEqual(['3', '4']);
    await again.member.leave();
  });

  const bad: readonly (readonly [string, (topic: string) => Outgoing])[] = [
    ['an output without a topic', (topic) => ({ topic: `${topic}.missing`, key: 'k', value: 'v' })],
    ['an output over its bound', (topic) => ({ topic, key: 'k', value: 'x'.repeat(harness.valueBytesOver) })],
  ];
  for (const [what, outgoing] of bad) {
    test(`with ${what} leaves nothing of itself, and the batch can be done again`, async () => {
      const piped = await pipe(rig);
      const { input, output, reader } = piped;
      const batch = await reader.next(input);
      const good = { topic: output.topic, key: 'k', value: 'good' };
      const state = [put('a', '1')];
      const commit = { outputs: [good, outgoing(output.topic)], state, nextOffset: batch.nextOffset };
      await expect(reader.member.commit(input, commit)).rejects.toThrow(RangeError);
      reader.member.seek(input, await reader.member.committed(input));
      expect(recordsOf(await reader.next(input))).toEqual(recordsOf(batch));
      expect(await reader.member.commit(input, { ...commit, outputs: [good] })).toBe('committed');
      await reader.member.leave();
      const expected = { outputs: ['good'], state: [['a', '1']], position: batch.nextOffset };
      expect(await standing(rig, piped)).toEqual(expected);
    });
  }

  test('without outputs and state moves the position alone', async () => {
    const piped = await pipe(rig);
    const { input, reader } = piped;
    const { nextOffset } = await reader.next(input);
    expect(await reader.member.commit(input, { outputs: [], state: [], nextOffset })).toBe('committed');
    await reader.member.leave();
    expect(await standing(rig, piped)).toEqual({ outputs: [], state: [], position: nextOffset });
  });

  test('of a member that left changes nothing', async () => {
    const piped = await pipe(rig);
    const { input, output, reader } = piped;
    const batch = await reader.next(input);
    await reader.member.leave();
    const outputs = [{ topic: output.topic, key: 'k', value: 'late' }];
    const commit = { outputs, state: [put('a', 'late')], nextOffset: batch.nextOffset };
    expect(await reader.member.commit(input, commit)).toBe('fenced');
    expect(await standing(rig, piped)).toEqual({ outputs: [], state: [], position: batch.offset(0) });
  });

  test('goes on undisturbed while the state of a neighbour is read', async () => {
    const [input, output, group] = [await rig.topic(2), await rig.topic(1), rig.name('group')];
    const values = Array.from({ length: 20 }, (_, n) => `${n}`);
    await rig.fill(input, values, 0);
    const [busy, other] = [0, 1].map((partition) => ({ topic: input, partition }));
    if (busy === undefined || other === undefined) throw new Error('a topic of two partitions');
    const reader = await Reader.join(rig.opened, group, [input]);
    await until('both partitions', () => reader.partitions.length === 2);
    let done = false;
    const reading = (async () => {
      while (!done) await reader.state(other);
    })();
    for (const value of values) {
      const { nextOffset } = await reader.next(busy, 1);
      const outputs = [{ topic: output, key: 'k', value }];
      const commit = { outputs, state: [put('at', value)], nextOffset };
      const outcome = await reader.member.commit(busy, commit);
      expect(`${value} ${outcome}`).toBe(`${value} committed`);
    }
    done = true;
    await reading;
    await reader.member.leave();
    const written = await everything(rig.opened, { topic: output, partition: 0 });
    expect(written.map((each) => each.value)).toEqual(values);
  });

  test('of a writer without input takes records and cursor together', async () => {
    const [topic, writer] = [await rig.topic(1), rig.name('writer')];
    await rig.opened.append(writer, [{ topic, key: 'k', value: 'one' }], [put('cursor', '1'), put('x', 'y')]);
    await rig.opened.append(writer, [{ topic, key: 'k', value: 'two' }], [put('cursor', '2')]);
    const bad_ = [{ topic: `${topic}.missing`, key: 'k', value: 'no' }];
    const three = { topic, key: 'k', value: 'three' };
    await expect(rig.opened.append(writer, [three, ...bad_], [put('cursor', '3')])).rejects.toThrow(
      RangeError,
    );
    await rig.opened.append(writer, [], [{ key: 'x', value: null }]);
    for (const again of [false, true]) {
      const log = again ? await rig.reopen() : rig.opened;
      expect((await everything(log, { topic, partition: 0 })).map((each) => each.value)).toEqual([
        'one',
        'two',
      ]);
      const state = await log.writerState(writer);
      expect([...state].map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual([
        ['cursor', '2'],
      ]);
    }
    expect((await rig.opened.writerState(rig.name('nobody'))).size).toBe(0);
  });
}

export function stateTests(rig: Rig): void {
  test('is the last value of each key, without the removed, keys in order', async () => {
    const [topic, group] = [await rig.topic(1), rig.name('g')];
    const of = { topic, partition: 0 };
    const values = Array.from({ length: 30 }, (_, n) => `${n}`);
    await rig.fill(topic, values);
    const reader = await Reader.join(rig.opened, group, [topic]);
    const expected = new Map<string, string>();
    for (let round = 0; round < 30; round += 1) {
      const { nextOffset } = await reader.next(of, 1);
      const state: StateChange[] = [];
      for (let n = 0; n < 20; n += 1) {
        const key = `i:${(round * 7 + n * 3) % 50}ü`;
        const value = (round + n) % 4 === 0 ? null : `${round}/${n}`;
        state.push({ key, value: value === null ? null : text(value) });
        if (value === null) expected.delete(key);
        else expected.set(key, value);
      }
      await reader.member.commit(of, { outputs: [], state, nextOffset });
    }
    const sorted = [...expected].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await reader.state(of)).toEqual(sorted);
    await reader.member.leave();
    await rig.reopen();
    const again = await Reader.join(rig.opened, group, [topic]);
    expect(await again.state(of)).toEqual(sorted);
    await again.member.leave();
  });

  test('belongs to its group and its partition', async () => {
    const topic = await rig.topic(2);
    for (const partition of [0, 1]) await rig.fill(topic, ['v'], partition);
    const names = [rig.name('g1'), rig.name('g2')];
    for (const group of names) {
      const reader = await Reader.join(rig.opened, group, [topic]);
      await until('both partitions', () => reader.partitions.length === 2);
      for (const partition of [0, 1]) {
        const of = { topic, partition };
        const { nextOffset } = await reader.next(of);
        const state = [put('whose', `${group}/${partition}`)];
        await reader.member.commit(of, { outputs: [], state, nextOffset });
      }
      for (const partition of [0, 1]) {
        expect(await reader.state({ topic, partition })).toEqual([['whose', `${group}/${partition}`]]);
      }
      await reader.member.leave();
    }
  });

  test('of thousands of keys and of binary values is restored whole', async () => {
    const [topic, group] = [await rig.topic(1), rig.name('g')];
    const of = { topic, partition: 0 };
    await rig.fill(topic, ['v']);
    const reader = await Reader.join(rig.opened, group, [topic]);
    const { nextOffset } = await reader.next(of);
    const key = (n: number): string => `k${String(n).padStart(5, '0')}`;
    const value = (n: number): Uint8Array =>
      Uint8Array.from({ length: n % 40 }, (_, at) => (at * 37 + n) & 255);
    const state = Array.from({ length: 3_000 }, (_, n) => ({ key: key(n), value: value(n) }));
    await reader.member.commit(of, { outputs: [], state, nextOffset });
    await reader.member.leave();
    await rig.reopen();
    const again = await Reader.join(rig.opened, group, [topic]);
    let n = 0;
    for await (const [found, bytes] of again.member.state(of)) {
      expect(found).toBe(key(n));
      expect(Buffer.compare(bytes, value(n))).toBe(0);
      n += 1;
    }
    expect(n).toBe(3_000);
    await again.member.leave();
  });
}
