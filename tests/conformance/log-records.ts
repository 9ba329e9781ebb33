// Conformance of a log: topics, records as they are stored, and reading them.

import { expect, test } from 'bun:test';
import { Partitioners } from 'kafkajs';
import type { Outgoing } from '../../runtime/log/log.ts';
import { everything, Reader, type ReadRecord, recordsOf } from './log-reader.ts';
import { type LogHarness, type Rig, spec, text } from './log-rig.ts';

/** Where Kafka's own default partitioner puts the key; the implementation is that of its client. */
export function kafkaPartition(key: string, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
    leader: 0,
    partitionErrorCode: 0,
    replicas: [0],
    isr: [0],
  }));
  const message = { key: Buffer.from(key), value: null };
  return Partitioners.DefaultPartitioner()({ topic: 't', partitionMetadata, message });
}

const KEYS = [
  ...['CAISO:RTPD:TH_SP15_GEN-APND', 'MISO:DA_EXPOST:INDIANA.HUB', '21', 'foobar', '', 'a', 'Zürich', '東京'],
  ...['🜁🜂', 'a-little-bit-long-string', 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', 'é', 'x\u0000y'],
];

export function topicTests(rig: Rig): void {
  test('bootstrap creates what is missing, reports what differs and alters nothing', async () => {
    const names = Array.from({ length: 30 }, (_, n) => rig.name(`many${n}`));
    const specs = names.map((name, n) => spec(name, 1 + (n % 4)));
    expect(await rig.opened.bootstrap(specs)).toEqual({ created: names, differing: [] });
    const [first = ''] = names;
    const wanted = [{ ...spec(first, 7), compacted: true }, ...specs.slice(1)];
    expect(await rig.opened.bootstrap(wanted)).toEqual({ created: [], differing: [first] });
    const found = await rig.opened.topics();
    expect(found.find((each) => each.name === first)?.partitions).toBe(1);
    for (const each of specs.slice(1)) expect(found).toContainEqual(each);
  });

  test('a topic that was not created is refused, and so is a partition that it does not have', async () => {
    const topic = await rig.topic(2);
    const missing = rig.name('missing');
    await expect(rig.opened.join(rig.name('g'), [missing])).rejects.toThrow(missing);
    await expect(rig.opened.end({ topic, partition: 2 })).rejects.toThrow();
  });
}

export function recordTests(rig: Rig, harness: LogHarness): void {
  test("a key lands on the partition that Kafka's default partitioner gives it", async () => {
    for (const partitions of [1, 3, 8]) {
      const topic = await rig.topic(partitions);
      const outputs = KEYS.map((key, n) => ({ topic, key, value: String(n) }));
      await rig.opened.append(rig.name('w'), outputs, []);
      const landed = new Map<string, number>();
      for (let partition = 0; partition < partitions; partition += 1) {
        for (const record of await everything(rig.opened, { topic, partition })) {
          landed.set(record.key, record.partition);
        }
      }
      expect(landed).toEqual(new Map(KEYS.map((key) => [key, kafkaPartition(key, partitions)])));
    }
  });

  test('bytes come back as they went in: binary, empty, text of any script', async () => {
    const topic = await rig.topic(1);
    const binary = Uint8Array.from({ length: 1_024 }, (_, n) => (n * 7 + (n >> 3)) & 0xff);
    const values = [binary, new Uint8Array(), text('東京 🜁 \u0000 ü'), text('{"a":1}')];
    const outputs = values.map((value) => ({ topic, key: 'k', value }));
    await rig.opened.append(rig.name('w'), [...outputs, { topic, key: 'k', value: 'as text: ü' }], []);
    const batch = await rig.opened.read({ topic, partition: 0 }, 0, 100);
    const found = Array.from({ length: batch?.count ?? 0 }, (_, n) => Buffer.from(batch?.value(n) ?? []));
    expect(found).toEqual([...values, text('as text: ü')].map((each) => Buffer.from(each)));
  });

  test(`a record of ${harness.valueBytes} bytes is taken; one over the bound is refused`, async () => {
    const topic = await rig.topic(1);
    const of = { topic, partition: 0 };
    const tens = Array.from({ length: harness.valueBytes / 10 }, (_, n) => `${n}`.padStart(10, '0'));
    const large = tens.join('');
    await rig.fill(topic, ['before', large, 'after']);
    const over = 'x'.repeat(harness.valueBytesOver);
    const outputs = ['small', over].map((value) => ({ topic, key: 'k', value }));
    await expect(rig.opened.append(rig.name('w'), outputs, [])).rejects.toThrow(RangeError);
    await rig.fill(topic, ['last']);
    const found = (await everything(rig.opened, of)).map((record) => record.value);
    expect(found.map((value) => value.length)).toEqual([6, large.length, 5, 4]);
    expect(found[1] === large).toBe(true);
    expect(found.at(-1)).toBe('last');
  });

  test('thousands of records over partitions keep their order within each', async () => {
    const topic = await rig.topic(4);
    const sent: Outgoing[] = Array.from({ length: 5_000 }, (_, n) => ({
      topic,
      key: `key ${(n * 31) % 97}`,
      value: `value ${n}`,
    }));
    for (let from = 0; from < sent.length; from += 1_700) {
      await rig.opened.append(rig.name('w'), sent.slice(from, from + 1_700), []);
    }
    for (let partition = 0; partition < 4; partition += 1) {
      const found = await everything(rig.opened, { topic, partition }, 333);
      const expected = sent.filter((each) => kafkaPartition(each.key, 4) === partition);
      expect(found.map((each) => each.value)).toEqual(expected.map((each) => String(each.value)));
      expect(ascending(found)).toBe(true);
    }
  });

  test('lines are the records one by one, and records are read as lines again', async () => {
    const topic = await rig.topic(1);
    const bytes = text('{"a":1}\n{"b":"ü"}\n{}\n');
    const lines = { bytes, count: 3 };
    const outputs = [
      { topic, key: 'x', value: 'first' },
      { topic, key: 'y', value: lines },
    ];
    await rig.opened.append(rig.name('w'), [...outputs, { topic, key: 'z', value: 'last' }], []);
    const batch = await rig.opened.read({ topic, partition: 0 }, 0, 100);
    if (batch === null) throw new Error('nothing was read');
    const values = ['first', '{"a":1}', '{"b":"ü"}', '{}', 'last'];
    const records = recordsOf(batch);
    expect(records.map(({ key, value }) => [key, value])).toEqual(
      values.map((value, n) => [['x', 'y', 'y', 'y', 'z'][n] ?? '', value]),
    );
    for (let from = 0; from < 5; from += 1) {
      for (let to = from + 1; to <= 5; to += 1) {
        const plain = batch
          .lines(from, to)
          .map(({ bytes: of, zstd }) => (zstd ? Bun.zstdDecompressSync(of) : of));
        const expected = values.slice(from, to).map((value) => `${value}\n`);
        expect(Buffer.concat(plain).toString()).toBe(expected.join(''));
      }
    }
  });

  test('nothing appended is nothing', async () => {
    const topic = await rig.topic(1);
    await rig.opened.append(rig.name('w'), [], []);
    expect(await rig.opened.end({ topic, partition: 0 })).toBe(0);
    expect(await rig.opened.read({ topic, partition: 0 }, 0, 10)).toBeNull();
  });
}

function ascending(records: readonly ReadRecord[]): boolean {
  return records.every((record, n) => n === 0 || record.offset > (records[n - 1]?.offset ?? -1));
}

export function readingTests(rig: Rig): void {
  for (const recordsMax of [1, 7, 5_000]) {
    test(`in batches of ${recordsMax} reads each record once, in order`, async () => {
      const topic = await rig.topic(1);
      const of = { topic, partition: 0 };
      const values = Array.from({ length: 40 }, (_, n) => `v${n}`);
      for (let from = 0; from < 40; from += 9) await rig.fill(topic, values.slice(from, from + 9));
      const reader = await Reader.join(rig.opened, rig.name('g'), [topic]);
      const found: ReadRecord[] = [];
      while (found.length < 40) {
        const batch = await reader.next(of, recordsMax);
        expect(batch.count).toBeLessThanOrEqual(recordsMax);
        expect(batch.nextOffset).toBeGreaterThan(batch.offset(batch.count - 1));
        found.push(...recordsOf(batch));
      }
      expect(found.map((each) => each.value)).toEqual(values);
      expect(await reader.member.poll(of, recordsMax)).toBeNull();
      await reader.member.leave();
    });
  }

  test('goes on from where seek puts it, within a stored batch as well', async () => {
    const topic = await rig.topic(1);
    const of = { topic, partition: 0 };
    await rig.fill(topic, ['a', 'b', 'c', 'd', 'e']);
    const reader = await Reader.join(rig.opened, rig.name('g'), [topic]);
    const all = await reader.take(5);
    for (const at of [3, 0, 4]) {
      reader.member.seek(of, all[at]?.offset ?? -1);
      expect(recordsOf(await reader.next(of))).toEqual(all.slice(at));
    }
    await reader.member.leave();
  });

  test('waits until something is appended to its topics, or the signal aborts', async () => {
    const [mine, other] = [await rig.topic(1), await rig.topic(1)];
    let woken = 0;
    const stop = new AbortController();
    const waiting = rig.opened.appended([mine], stop.signal).then(() => {
      woken += 1;
    });
    await rig.fill(other, ['not for us']);
    expect(woken).toBe(0);
    await rig.fill(mine, ['for us']);
    await waiting;
    const aborted = rig.opened.appended([mine], stop.signal);
    stop.abort();
    await aborted;
    await rig.opened.appended([mine], stop.signal);
  });

  test('a partition is read outside of any group from any offset', async () => {
    const topic = await rig.topic(2);
    await rig.fill(topic, ['a', 'b', 'c'], 1);
    const all = await everything(rig.opened, { topic, partition: 1 });
    expect(all.map((each) => each.value)).toEqual(['a', 'b', 'c']);
    const rest = await rig.opened.read({ topic, partition: 1 }, all[1]?.offset ?? -1, 1);
    expect(rest === null ? [] : recordsOf(rest)).toEqual(all.slice(1, 2));
    expect(await everything(rig.opened, { topic, partition: 0 })).toEqual([]);
  });
}
