// Topics grow while the pipeline runs on the embedded log, and somebody who knows nothing of layouts writes a
// tick where it belonged before: it is brought to where its instrument lives.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyHash } from '../../actors/domain/murmur2.ts';
import { asOf, placed } from '../../actors/layout.ts';
import { addLedgers, EMPTY_LEDGER, type Ledger } from '../../actors/ledger.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import type { OracleBar } from '../oracle/bars.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { rowsOf } from '../support/gold.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { readTopic, readTopics, topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const FILES = ['20261001', '20240418', '20221025', 'lmp1Day', '13_35_13', '13_30_51'];
const dir = mkdtempSync(join(tmpdir(), 'carbon-increase-'));
const priced = FILES.map(recording).flatMap(readRecording);
const told: string[] = [];
let bench: Bench;

const counted = async (group: 'enrichment-service' | 'data-quality-service'): Promise<Ledger> =>
  [...(await bench.pipeline.ledger(group)).values()].reduce(addLedgers, EMPTY_LEDGER);
const idle = (): Promise<void> => bench.pipeline.caughtUp(new AbortController().signal);

beforeAll(async () => {
  const record = ({ cause, decision }: { cause: string; decision: string }) =>
    void told.push(`${cause}: ${decision}`);
  bench = await openBench({ dir, record, batchMax: 100, chunkMax: 100 });
  let done = false;
  const feeding = bench.feed(FILES.map((name) => responseOf(recording(name)))).finally(() => {
    done = true;
  });
  const steps = [
    [TOPIC.ticks, 10],
    [rawTopic('CAISO'), 11],
    [TOPIC.enriched, 9],
    [TOPIC.ticks, 13],
  ] as const;
  for (const [n, [topic, partitions]] of steps.entries()) {
    const goal = (priced.length * (n + 1)) / (steps.length + 2);
    await until(`${goal} ticks`, () => done || bench.pipeline.meter.ticks > goal, MINUTES);
    await bench.log.increase(topic, partitions);
  }
  await feeding;
  await idle();
}, 3 * MINUTES);

afterAll(async () => {
  await bench?.close();
  rmSync(dir, { recursive: true, force: true });
}, MINUTES);

test("nothing is lost, doubled or out of order, and gold is the oracle's", async () => {
  const bars = rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars');
  expect(await barDifferences(bars, observe(priced))).toEqual([]);
  expect(topicFaults(await readTopics(bench.log))).toEqual([]);
  expect((await bench.conservation()).checks.filter((each) => each.off !== 0)).toEqual([]);
  expect(told.filter((each) => / [1-9]\d* instruments were handed over/.test(each)).length).toBeGreaterThan(
    0,
  );
  expect(told.filter((each) => each.includes('is whole')).length).toBeGreaterThan(0);
});

test('an instrument is in one partition of a group, and its actor holds one slot of it', () => {
  for (const { slots, id } of bench.pipeline.platform.directory.all().values()) {
    const groups = [...slots.keys()].map((key) => key.slice(0, key.indexOf('/')));
    expect({ id, groups: groups.sort() }).toEqual({ id, groups: [...new Set(groups)].sort() });
  }
});

test('a straggler is forwarded, counted as that, and revises what it speaks of once', async () => {
  const layout = await bench.log.layout(TOPIC.ticks);
  if (layout === null) throw new Error('the ticks have a layout');
  const ticks = await readTopic(bench.log, TOPIC.ticks);
  const moved = ticks.findLast(({ partition }) => partition >= 8);
  if (moved === undefined) throw new Error('an instrument has moved');
  const old = placed(asOf(layout, 1), keyHash(moved.key));
  const value = {
    ...moved.value,
    event_id: 'e'.repeat(32),
    version_hash: 'f'.repeat(16),
    publication: Number(moved.value.publication) + 3_600_000_000,
    price: 4_321.25,
  };
  const before = {
    enrichment: await counted('enrichment-service'),
    quality: await counted('data-quality-service'),
  };
  const wrong = { topic: TOPIC.ticks, key: moved.key, value: JSON.stringify(value), partition: old };
  await bench.log.append('stranger', [wrong], []);
  await idle();
  const stands = (await readTopic(bench.log, TOPIC.ticks)).filter((each) => each.value.price === 4_321.25);
  expect(stands.map(({ partition }) => partition)).toEqual([old, placed(layout, keyHash(moved.key))]);
  const enriched = (await readTopic(bench.log, TOPIC.enriched)).filter(
    (each) => each.value.price === 4_321.25,
  );
  expect(enriched.length).toBe(1);
  // Two were read, of which one was brought on and one taken.
  const [enrichment, quality] = [await counted('enrichment-service'), await counted('data-quality-service')];
  expect(enrichment.read - before.enrichment.read).toBe(2);
  expect(enrichment.emitted.ticks).toBe(1);
  expect((enrichment.emitted.enriched ?? 0) - (before.enrichment.emitted.enriched ?? 0)).toBe(1);
  expect(quality.read - before.quality.read).toBe(2);
  expect(quality.emitted.ticks).toBeUndefined();
  expect((quality.emitted.scores ?? 0) - (before.quality.emitted.scores ?? 0)).toBe(1);
  const off = (await bench.conservation()).checks.filter((each) => each.off !== 0);
  // One tick that no stage of ours has written: each reader of the ticks has it besides.
  expect(off.map((each) => each.off)).toEqual([-1, -1, -1]);
  expect(off.every(({ what }) => what.endsWith('(ticks)'))).toBe(true);
  const high = rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars', 'high_price = 4321.25');
  const sizes: string[] = [];
  for await (const bar of high) sizes.push(bar.bar_size);
  expect(sizes.length).toBeGreaterThan(0);
  expect(told.some((each) => each.includes('forwarded'))).toBe(true);
});
