// Republished intervals, which no recording holds: a value that comes back, older versions that come late,
// versions published at the same instant, and changes to days that are long past what stays open. What stands
// in gold at the end is the oracle's fold over everything that was published, in whatever order it came.

import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Response } from '../../actors/feeds/feed.ts';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import type { OracleMetric } from '../oracle/metrics.ts';
import { observe, type TieBreak } from '../oracle/observe.ts';
import { type Priced, readText } from '../oracle/read.ts';
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { DAY_AHEAD, FIFTEEN_MINUTE, type OasisReport, type OasisRow, oasisCsv } from '../support/oasis.ts';
import { randomOf, seedOf, shuffled } from '../support/random.ts';
import { textResponse } from '../support/recordings.ts';
import { readTopics, topicFaults } from '../support/topics.ts';

const MINUTES = 60_000;
const HOUR = 3_600_000;
const root = mkdtempSync(join(tmpdir(), 'carbon-revision-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** `stamp`: Pacific wall clock of the publication, in the file's name; equal stamps are one instant. */
function published(report: OasisReport, stamp: string, rows: readonly OasisRow[], n = 0): Response {
  return textResponse(`part${n}_${report.query}_${report.run}_${stamp}_v1.csv`, oasisCsv(report, rows));
}

function rowsAt(node: string, startMs: number, minutes: number, values: Record<string, string>): OasisRow[] {
  return Object.entries(values).map(([component, text]) => ({ node, startMs, minutes, component, text }));
}

let runs = 0;

async function fed(
  groups: readonly (readonly Response[])[],
  inspect: (bench: Bench) => Promise<void>,
  batchMax = 500,
): Promise<void> {
  runs += 1;
  const bench = await openBench({ dir: join(root, String(runs)), batchMax });
  try {
    await bench.feed(...groups);
    const { checks } = await bench.conservation();
    expect(checks.filter((each) => each.off !== 0)).toEqual([]);
    await inspect(bench);
  } finally {
    await bench.close();
  }
}

describe('one interval', () => {
  const startMs = Date.UTC(2023, 5, 1, 12);
  const say = (price: string, stamp: string, congestion = '0'): Response =>
    published(DAY_AHEAD, stamp, rowsAt('N', startMs, 60, { LMP: price, MCC: congestion }));
  const [first, second, third] = ['20230531_13_00_00', '20230601_13_00_00', '20230602_13_00_00'] as const;

  async function bar(responses: readonly Response[]): Promise<Partial<OracleBar>> {
    const found: OracleBar[] = [];
    await fed([responses], async ({ clickhouse }) => {
      for await (const row of rowsOf<OracleBar>(clickhouse, 'gold_ohlc_bars', "bar_size = '1H'"))
        found.push(row);
    });
    expect(found.length).toBe(1);
    return { ...found[0] };
  }

  test(
    'A, B, A again: three changes, and A stands',
    async () => {
      const said = [say('10', first), say('20', second), say('10', third)];
      const wanted = {
        open_price: 10,
        close_price: 10,
        trade_count: 1,
        revision: 3,
        complete: true,
        final: true,
      };
      expect(await bar(said)).toMatchObject(wanted);
      expect(await bar(said.toReversed())).toMatchObject(wanted);
    },
    MINUTES,
  );

  test(
    'an older version that comes late counts, and does not stand',
    async () => {
      expect(await bar([say('20', second), say('10', first)])).toMatchObject({
        close_price: 20,
        revision: 2,
      });
    },
    MINUTES,
  );

  test(
    'the same values published again change nothing',
    async () => {
      expect(await bar([say('10', first), say('10', second)])).toMatchObject({
        close_price: 10,
        revision: 1,
      });
    },
    MINUTES,
  );

  test(
    'a change of a component alone is a revision',
    async () => {
      expect(await bar([say('10', first), say('10', second, '3')])).toMatchObject({
        close_price: 10,
        revision: 2,
      });
    },
    MINUTES,
  );

  test(
    'two versions of one instant: whichever comes first, the same one stands',
    async () => {
      const [one, other] = [say('10', first), say('20', first)];
      const found = await bar([one, other]);
      expect(found.revision).toBe(2);
      expect(await bar([other, one])).toEqual(found);
    },
    MINUTES,
  );
});

describe('twelve days, republished at random', () => {
  const random = randomOf(seedOf('pipeline-revision'));
  const pick = <T>(of: readonly T[]): T => {
    const found = of[Math.floor(random() * of.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  };
  const STAMPS = ['20230401_10_00_00', '20230402_10_00_00', '20230403_10_00_00', '20230404_10_00_00'];
  /** The last two differ in a component alone. */
  const VALUES = [
    { LMP: '31.5', MCC: '0' },
    { LMP: '-7.25', MCC: '1.5' },
    { LMP: '1000.00001', MCC: '0' },
    { LMP: '12', MCC: '2' },
    { LMP: '12', MCC: '3' },
  ];
  /** Days around a spring without its hour. */
  const FROM = Date.UTC(2023, 2, 6, 8);

  function responses(report: OasisReport, nodes: readonly string[], files: number): Response[] {
    const minutes = report === DAY_AHEAD ? 60 : 15;
    return Array.from({ length: files }, (_, n) => {
      const fromMs = FROM + Math.floor(random() * 11) * 24 * HOUR;
      const rows: OasisRow[] = [];
      for (const node of nodes) {
        for (let ms = fromMs; ms < fromMs + 30 * HOUR; ms += minutes * 60_000) {
          if (random() < 0.6) rows.push(...rowsAt(node, ms, minutes, pick(VALUES)));
        }
      }
      return published(report, pick(STAMPS), rows, n);
    });
  }

  const all = [...responses(DAY_AHEAD, ['N1', 'N2'], 40), ...responses(FIFTEEN_MINUTE, ['N1'], 24)];
  const priced = all.flatMap(({ name, bytes }) => readText(name, new TextDecoder().decode(bytes)));

  /** Versions that silver holds, by what they say: the hash by which those of one instant are ordered. */
  async function tieOf({ clickhouse }: Bench): Promise<TieBreak> {
    const rows = await clickhouse.rows<{ key: string; hash: string }>(
      `SELECT concat(instrument_id, '|', toString(toUnixTimestamp64Milli(interval_start)), '|',
         toString(toUnixTimestamp64Milli(publication)), '|LMP=', toString(price),
         ',MCC=', toString(congestion_price)) AS key, version_hash AS hash
       FROM carbon_ingestion.silver_normalized_market_data FINAL`,
    );
    const hashes = new Map(rows.map(({ key, hash }) => [key, hash]));
    return (of) => {
      const found = hashes.get(keyOf(of));
      if (found === undefined) throw new Error(`silver lacks ${keyOf(of)}`);
      return found;
    };
  }

  function keyOf({ market, run, location, startMs, publishedMs, values }: Priced): string {
    return `${market}:${run}:${location}|${startMs}|${publishedMs}|${values}`;
  }

  for (const [how, groups] of [
    ['in the order they were made up', [all]],
    ['shuffled', [shuffled(all, random)]],
    ['several at once', [all.slice(0, 30), all.slice(30, 45), all.slice(45).toReversed()]],
  ] as const) {
    test(
      `gold is the oracle's, fed ${how}`,
      async () => {
        await fed(groups, async (bench) => {
          const { clickhouse, log, pipeline } = bench;
          const versions = new Set(priced.map(keyOf));
          expect(await countOf(clickhouse, 'silver_normalized_market_data')).toBe(versions.size);
          const read = [...(await pipeline.ledger('aggregation-rebuilder')).values()].reduce(
            (n, each) => n + each.read,
            0,
          );
          expect(read).toBeGreaterThan(100);
          const observed = observe(priced, await tieOf(bench));
          const bars = rowsOf<OracleBar>(clickhouse, 'gold_ohlc_bars');
          expect(await barDifferences(bars, observed)).toEqual([]);
          const points = rowsOf<OraclePoint>(clickhouse, 'gold_curve_prestage');
          expect(await curveDifferences(points, observed)).toEqual([]);
          const sorted = '1 ORDER BY market, run, delivery_location';
          const metrics = rowsOf<OracleMetric>(clickhouse, 'gold_rolling_metrics', sorted);
          expect((await metricDifferences(metrics, observed)).differences).toEqual([]);
          expect(topicFaults(await readTopics(log), { repeated: true, rebuilt: true })).toEqual([]);
        });
      },
      2 * MINUTES,
    );
  }
});
