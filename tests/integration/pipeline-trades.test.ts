// Trades of another producer through the whole pipeline: JSON records put on a market's raw topic become bars
// with volume, vwap and ticks of one millisecond in the order of their own ids. The oracle is a sum over a
// list. A record that cannot be read is a dead letter, and its neighbours are unaffected.

import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, openBench } from '../support/bench.ts';
import { randomOf, seedOf, shuffled } from '../support/random.ts';

const HOUR_START = Date.UTC(2024, 5, 1, 17);
const root = mkdtempSync(join(tmpdir(), 'carbon-trades-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Trade {
  readonly id: string;
  /** Milliseconds after the hour. */
  readonly atMs: number;
  /** Thousandths, so that the oracle sums whole numbers. */
  readonly price: number;
  readonly quantity: number;
}

function trades(count: number, random: () => number): Trade[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `t-${String(n).padStart(4, '0')}`,
    // Few instants, so that many trades share one.
    atMs: Math.floor(random() * 12) * 300_000,
    price: Math.floor(random() * 200_000) - 50_000,
    quantity: 1 + Math.floor(random() * 100_000),
  }));
}

function record({ id, atMs, price, quantity }: Trade): string {
  return JSON.stringify({
    data_type: 'trade',
    event_id: `e-${id}`,
    trade_id: id,
    market: 'CAISO',
    node: 'TH_SP15_GEN-APND',
    occurred_at: (HOUR_START + atMs) * 1_000,
    price: price / 1_000,
    quantity: quantity / 1_000,
  });
}

async function append(bench: Bench, values: readonly string[]): Promise<void> {
  const outputs = values.map((value) => ({
    topic: 'ingestion.caiso.raw.v1',
    key: 'TH_SP15_GEN-APND',
    value,
  }));
  await bench.log.append('producer', outputs, []);
  await bench.pipeline.caughtUp(new AbortController().signal);
}

function hourOf(all: readonly Trade[]) {
  const order = [...all].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
  const volume = all.reduce((sum, each) => sum + each.quantity, 0);
  const turnover = all.reduce((sum, each) => sum + BigInt(each.price) * BigInt(each.quantity), 0n);
  return {
    open_price: (order[0]?.price ?? 0) / 1_000,
    close_price: (order.at(-1)?.price ?? 0) / 1_000,
    high_price: Math.max(...all.map((each) => each.price)) / 1_000,
    low_price: Math.min(...all.map((each) => each.price)) / 1_000,
    volume: volume / 1_000,
    vwap: Number(turnover) / volume / 1_000,
    twap: null,
    trade_count: all.length,
    expected_count: null,
    revision: all.length,
  };
}

test('trades: volume, vwap and order equal a sum over the list; bad records are refused', async () => {
  const random = randomOf(seedOf('pipeline-trades'));
  const all = trades(200, random);
  const bench = await openBench({ dir: join(root, 'log'), batchMax: 7 });
  try {
    const values = [...shuffled(all, random).map(record), ...all.slice(0, 20).map(record)];
    const bad = ['{"data_type":"trade"', '{"data_type":"trade","market":"CAISO","price":"NaN"}'];
    await append(bench, [...values.slice(0, 50), ...bad, ...values.slice(50)]);
    const [bar] = await bench.clickhouse.rows<Record<string, number | null>>(
      `SELECT open_price, close_price, high_price, low_price, volume, vwap, twap, trade_count, expected_count,
         revision FROM carbon_ingestion.gold_ohlc_bars FINAL
       WHERE delivery_location = 'TH_SP15_GEN-APND' AND bar_size = '1H'`,
    );
    const { vwap, ...exact } = hourOf(all);
    expect(bar).toMatchObject(exact);
    expect(bar?.vwap).toBeCloseTo(vwap, 9);
    const ledger = (await bench.pipeline.ledger('aggregation-service')).get('CAISO');
    expect(ledger).toMatchObject({ read: 220, first: 200, duplicate: 20, rejected: 0 });
    const refused = (await bench.pipeline.ledger('normalization-service')).get('CAISO');
    expect(refused).toMatchObject({ read: 222, rejected: 2, forwarded: 220 });
    expect((await bench.conservation()).checks.filter((each) => each.off !== 0)).toEqual([]);
  } finally {
    await bench.close();
  }
}, 120_000);
