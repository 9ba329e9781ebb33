// Every good recording through the whole pipeline, from bytes to rows in the engine, against an oracle that
// shares no code with it: bars of all sizes and columns, rolling metrics, curves, and the rows of bronze and
// silver.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import type { OracleMetric } from '../oracle/metrics.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { goodRecordings, recording, responseOf } from '../support/recordings.ts';

const MINUTES = 60_000;
const paths = goodRecordings();
const priced = paths.flatMap(readRecording);
const instruments = observe(priced);
const dir = mkdtempSync(join(tmpdir(), 'carbon-oracle-'));
let bench: Bench;

beforeAll(async () => {
  bench = await openBench({ dir });
  const errors = ['NO_DATA_1000', 'INVALID_REQUEST_1001', 'AUP_429', 'TRUNCATED'].map(recording);
  await bench.feed([...paths, ...errors].map(responseOf));
}, 4 * MINUTES);

afterAll(async () => {
  await bench?.close();
  rmSync(dir, { recursive: true, force: true });
}, MINUTES);

describe('every good recording', () => {
  test('conserves every row and record, and error bodies give none', async () => {
    const { checks, balanced } = await bench.conservation();
    expect(checks.filter((each) => each.off !== 0)).toEqual([]);
    expect(balanced).toBe(true);
    const cursors = await bench.pipeline.cursors();
    const refused = cursors.filter((each) => each.refusal !== null);
    expect(refused.map((each) => each.refusal?.split(':')[0]).sort()).toEqual([
      'invalid_request',
      'no_data',
      'throttled',
      'truncated',
    ]);
    expect(refused.every((each) => each.total === 0)).toBe(true);
  });

  test('stands in bronze and silver once', async () => {
    expect(priced.length).toBe(96_794);
    expect(await countOf(bench.clickhouse, 'bronze_raw_market_data', "data_type = 'lmp'")).toBe(
      priced.length,
    );
    expect(await countOf(bench.clickhouse, 'silver_normalized_market_data')).toBe(priced.length);
    expect(await countOf(bench.clickhouse, 'gold_enriched_market_data')).toBe(priced.length);
  });

  test('bars equal the oracle in all sizes and columns', async () => {
    const rows = rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars');
    expect(await barDifferences(rows, instruments)).toEqual([]);
  });

  test('facts of the recordings that no oracle need be asked about', async () => {
    const bars = async (where: string) => {
      const found: OracleBar[] = [];
      for await (const row of rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars', where)) found.push(row);
      return found;
    };
    const spring = await bars("run = 'DAM' AND bar_size = '1D' AND t.bar_start = '2019-03-10 08:00:00'");
    expect(spring.length).toBe(3);
    for (const day of spring) {
      const of23 = { bar_end: '2019-03-11T07:00:00Z', trade_count: 23, expected_count: 23, complete: true };
      expect(day).toMatchObject(of23);
    }
    const hole =
      "run = 'RTPD' AND delivery_location = 'JAMACHA_6_CN7' AND t.bar_start = '2022-09-01 07:00:00'";
    const holed = await bars(`${hole} ORDER BY bar_size`);
    expect(
      holed.map((each) => [each.bar_size, each.trade_count, each.expected_count, each.complete]),
    ).toEqual([
      ['1D', 95, 96, false],
      ['1H', 3, 4, false],
    ]);
    const hubs = await bars("run = 'DAM' AND match(delivery_location, '_(ON|OFF)PEAK')");
    expect(hubs.filter(({ bar_size }) => bar_size === '1H').every(({ complete }) => complete)).toBe(true);
    const days = hubs.filter(({ bar_size }) => bar_size === '1D');
    expect(new Set(days.map((each) => each.expected_count))).toEqual(new Set([8, 16, 24]));
    const negative = "run = 'DAM' AND bar_size = '1H' AND t.bar_start < '2020-01-03' AND close_price < 0";
    expect((await bars(`${negative} AND t.bar_start >= '2020-01-02'`)).length).toBe(721);
    expect((await bars("run = 'RTPD' AND high_price > 1000 AND bar_size = '1D'")).length).toBeGreaterThan(0);
    expect(
      await bars('isNaN(open_price) OR isInfinite(open_price) OR vwap IS NOT NULL OR NOT final'),
    ).toEqual([]);
  });

  test(
    'metrics equal the oracle',
    async () => {
      const order = '1 ORDER BY market, run, delivery_location';
      const found = rowsOf<OracleMetric>(bench.clickhouse, 'gold_rolling_metrics', order);
      const { differences, rows } = await metricDifferences(found, instruments);
      expect(differences).toEqual([]);
      expect(rows).toBeGreaterThan(1_000_000);
    },
    MINUTES,
  );

  test('curves equal the oracle', async () => {
    const rows = rowsOf<OraclePoint>(bench.clickhouse, 'gold_curve_prestage');
    expect(await curveDifferences(rows, instruments)).toEqual([]);
  });
});
