// The bundled sample at first starts that crash: killed in the middle of it, again and again, the product
// goes on where the last commit ended, and what stands in gold is the oracle's.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import type { OracleBar } from '../oracle/bars.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { openBench } from '../support/bench.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { startProduct, temporaryDirectory } from '../support/product.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { recording } from '../support/recordings.ts';
import { recordsOnLog } from '../support/replay.ts';
import { readTopics, topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const KILLS = 3;
const MINUTES = 60_000;
/** Kills come before so many records are on all topics together; the sample ends at more than two million. */
const RECORDS = 600_000;
const SAMPLE = [
  '20110716_da_lmp',
  '20200101_20200101',
  '13_35_13',
  'Previous.EXCERPT',
  'GetExAnte',
  'lmp1Day',
];

test(
  'a start that is killed in the middle of the sample goes on with it',
  async () => {
    using dir = temporaryDirectory();
    const data = join(dir.path, 'data');
    const random = randomOf(seedOf('replay-sample'));
    const points = Array.from({ length: KILLS }, () => Math.ceil(random() * RECORDS)).sort((a, b) => a - b);
    for (const point of points) {
      await using product = await startProduct({ dir: dir.path });
      await until(`${point} records`, () => recordsOnLog(data) >= point, 2 * MINUTES);
      expect(product.lines.some((line) => line.event === 'sample_in')).toBe(false);
      await product.kill();
    }
    const product = await startProduct({ dir: dir.path });
    expect(await product.sampleIn()).toMatchObject({ balanced: true });
    expect(await product.stop()).toBe(0);

    const priced = SAMPLE.map(recording).flatMap(readRecording);
    const bench = await openBench({ dir: data });
    try {
      const rows = rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars');
      expect(await barDifferences(rows, observe(priced))).toEqual([]);
      expect(await countOf(bench.clickhouse, 'silver_normalized_market_data')).toBe(priced.length);
      expect(topicFaults(await readTopics(bench.log))).toEqual([]);
      expect((await bench.conservation()).balanced).toBe(true);
    } finally {
      await bench.close();
    }
  },
  6 * MINUTES,
);
