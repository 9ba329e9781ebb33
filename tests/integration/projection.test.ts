// Projection as it runs: log, router, writer, ClickHouse. Each topic lands in its table; a row that cannot be
// taken is a dead letter of its own and holds up nobody; input is acknowledged only when the rows are there.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { systemClock } from '../../runtime/clock.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import { ProjectionWriter } from '../../runtime/projection-writer.ts';
import { clickhouseSink } from '../../sinks/clickhouse.ts';
import { Fault, type Sink } from '../../sinks/sink.ts';
import { everything } from '../conformance/log-reader.ts';
import { spec } from '../conformance/log-rig.ts';
import { engineForTests } from '../support/engine.ts';
import { DEAD_LETTERS, OUTPUT, oneGroup } from '../support/one-group.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import * as wire from '../support/wire-records.ts';

setDefaultTimeout(120_000);
const running = engineForTests();
const newDir = temporaryDirs('carbon-projection');
const BARS = 'aggregation.ohlc.bars.v1';
const RAW = 'ingestion.caiso.raw.v1';

async function openLog(): Promise<Log> {
  const log = openEmbeddedLog({ dir: newDir(), nowMs: Date.now });
  await log.bootstrap([BARS, RAW, OUTPUT, DEAD_LETTERS, 'projection.parked'].map((name) => spec(name, 3)));
  return log;
}

/** Projects `topic`; resolves when everything on it was acknowledged. */
async function project(log: Log, topic: string, sink: Sink) {
  const keys = new Set<string>();
  const said: string[] = [];
  let rows = 0;
  const writer = new ProjectionWriter({
    sink,
    topic,
    rowsMax: 1_000,
    timeoutMs: 30_000,
    clock: systemClock,
    wrote: (_, receipt, of) => {
      rows += receipt.rows;
      for (const key of of()) keys.add(key);
    },
    failed: () => {},
  });
  const group = oneGroup(log, {
    group: 'projection',
    topics: [topic],
    work: { kind: 'deferred' },
    deferred: async (batch) => ({ emissions: [], refused: await writer.write(batch) }),
    said: (cause) => said.push(cause),
  });
  await group.join();
  await until(
    'an empty lag',
    async () => (await log.lag('projection')).every(({ lag }) => lag === 0),
    60_000,
  );
  await group.drain();
  return { keys, rows, said };
}

async function counted(table: string, where: string): Promise<number> {
  const sql = `SELECT count() AS n FROM carbon_ingestion.${table} WHERE ${where}`;
  const [row] = await running().clickhouse.rows<{ n: number }>(sql);
  return row?.n ?? -1;
}

test('bad rows are refused alone, with their place; all others stand', async () => {
  const log = await openLog();
  const bad = new Map([
    [3, '{"half of'],
    [500, 'not json'],
    [501, JSON.stringify(wire.bar({ delivery_date: 'never' }))],
    [1_999, JSON.stringify({ payload: { open_price: {} } })],
  ]);
  const outputs = Array.from({ length: 2_000 }, (_, n) => {
    const of = { delivery_location: `ALONE${n % 11}`, bar_start: wire.START_US + n };
    return {
      topic: BARS,
      key: `CAISO:RTM:ALONE${n % 11}`,
      value: bad.get(n) ?? JSON.stringify(wire.bar(of)),
    };
  });
  await log.append('w', outputs, []);
  const { keys, rows } = await project(log, BARS, clickhouseSink(running().clickhouse));
  expect(rows).toBe(2_000 - bad.size);
  expect(await counted('gold_ohlc_bars', "startsWith(delivery_location, 'ALONE')")).toBe(2_000 - bad.size);
  expect([...keys].sort()).toEqual(Array.from({ length: 11 }, (_, n) => `CAISO:RTM:ALONE${n}`).sort());
  const letters = (
    await Promise.all([0, 1, 2].map((partition) => everything(log, { topic: DEAD_LETTERS, partition })))
  ).flat();
  const originals = letters.map(({ value }) => JSON.parse(value).original);
  expect(originals.sort()).toEqual([...bad.values()].sort());
  for (const { value } of letters) expect(JSON.parse(value)).toMatchObject({ origin: { topic: BARS } });
  await log.close();
});

test('bronze takes every raw body whole, however large or odd, also those refused elsewhere', async () => {
  const log = await openLog();
  const bodies = ['not json', '{"half of', `{"x":"${'large '.repeat(500_000)}"}`, '{"market":"CAISO"}'];
  await log.append(
    'w',
    bodies.map((value, n) => ({ topic: RAW, key: `WHOLE${n}`, value })),
    [],
  );
  const { said } = await project(log, RAW, clickhouseSink(running().clickhouse));
  expect(said.filter((cause) => cause.includes('attempt'))).toEqual([]);
  for (const body of bodies) {
    const hex = new Bun.CryptoHasher('sha256').update(body).digest('hex').toUpperCase();
    expect(await counted('bronze_raw_market_data', `hex(SHA256(raw_payload)) = '${hex}'`)).toBe(1);
  }
  await log.close();
});

test('while the sink is out of order nothing is acknowledged, and a lost reply doubles nothing', async () => {
  const log = await openLog();
  const real = clickhouseSink(running().clickhouse);
  const positions: number[] = [];
  let calls = 0;
  const flaky: Sink = {
    ...real,
    async write(rows, signal) {
      calls += 1;
      positions.push((await log.lag('projection')).reduce((sum, { committed }) => sum + committed, 0));
      if (calls === 1) throw new Fault('away', 'clickhouse_unreachable', true);
      const receipt = await real.write(rows, signal);
      if (calls === 2) throw new Fault('the reply was lost', 'clickhouse_timeout', true);
      return receipt;
    },
  };
  const outputs = Array.from({ length: 400 }, (_, n) => {
    const of = { delivery_location: 'FLAKY', bar_start: wire.START_US + n };
    return { topic: BARS, key: 'CAISO:RTM:FLAKY', value: JSON.stringify(wire.bar(of)), partition: 0 };
  });
  await log.append('w', outputs, []);
  await project(log, BARS, flaky);
  expect(positions).toEqual([0, 0, 0]);
  expect(await counted('gold_ohlc_bars', "delivery_location = 'FLAKY'")).toBe(400);
  expect(await counted('gold_ohlc_bars', "delivery_location = 'FLAKY' SETTINGS final = 0")).toBe(400);
  await log.close();
});
