// The one judge of every round: whatever was killed, stopped, cut or moved, a quiet member at the end finds
// gold as the oracle computes it, silver and bronze with each tick once, the books balanced, and a foreign
// read_committed reader finds each tick and each revision of a bar once and in the order of its instrument.

import { join } from 'node:path';
import { markets } from '../../actors/feeds/markets.ts';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import type { OracleMetric } from '../oracle/metrics.ts';
import { observe } from '../oracle/observe.ts';
import type { Priced } from '../oracle/read.ts';
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { type TopicRecord, topicFaults } from '../support/topics.ts';
import type { Bed } from './bed.ts';
import { fedFrom } from './market.ts';

/** So long without a record, and all was read; a reader that found too little may have begun too slowly. */
const QUIET_MS = 15_000;
const END_MINUTES_MAX = 8;

export interface Verdict {
  /** Ticks that went through. */
  readonly ticks: number;
  /** What is wrong, as sentences; empty: all is as if nothing had happened. */
  readonly faults: readonly string[];
}

/**
 * Nobody else is there any more. Throws when the rest does not come to its end. `live`: what connectors have
 * taken in besides, of runs that the market has not; what closes their bars is the calendar, not the judge.
 */
export async function judged(bed: Bed, live: readonly Priced[] = []): Promise<Verdict> {
  await bed.quiet();
  const log = openKafkaLog(kafkaOptions(bed.server.brokers, { worker: 'judge' }));
  const bench = await openBench({
    dir: join(bed.dir, 'judge'),
    log,
    clickhouseUrl: bed.clickhouseServer.engine.url,
  });
  try {
    const responses = await Array.fromAsync(fedFrom(bed.market.file));
    await bed.within(bench.feed(responses), 'the rest comes to its end', END_MINUTES_MAX);
    const priced = [...bed.market.priced(), ...live];
    const { checks } = await bench.conservation();
    const faults = await inTables(bench, priced, new Set(live.map(runOf)));
    for (const { what, left, right, off } of checks)
      if (off !== 0) faults.push(`${what}: ${left} ≠ ${right}`);
    const bars = checks.find(({ what }) => what === 'aggregation → projection-service (bars)')?.left ?? 0;
    return { ticks: priced.length, faults: [...faults, ...(await onTopics(bed, priced, bars))] };
  } finally {
    await Promise.race([bench.close().catch(() => {}), Bun.sleep(30_000)]);
  }
}

const runOf = ({ market, run }: { market: string; run: string }): string => `${market}:${run}`;

/** Bars of `open` runs may not be final yet. */
async function* closed(rows: AsyncIterable<OracleBar>, open: ReadonlySet<string>): AsyncIterable<OracleBar> {
  for await (const row of rows) yield open.has(runOf(row)) ? { ...row, final: true } : row;
}

async function inTables(
  { clickhouse }: Bench,
  priced: readonly Priced[],
  open: ReadonlySet<string>,
): Promise<string[]> {
  const observed = observe(priced);
  const sorted = '1 ORDER BY market, run, delivery_location';
  const metrics = rowsOf<OracleMetric>(clickhouse, 'gold_rolling_metrics', sorted);
  const faults = [
    ...(await barDifferences(closed(rowsOf(clickhouse, 'gold_ohlc_bars'), open), observed)),
    ...(await curveDifferences(rowsOf<OraclePoint>(clickhouse, 'gold_curve_prestage'), observed)),
    ...(await metricDifferences(metrics, observed)).differences,
  ];
  for (const table of [
    'bronze_raw_market_data',
    'silver_normalized_market_data',
    'gold_enriched_market_data',
  ]) {
    const rows = await countOf(clickhouse, table);
    if (rows !== priced.length) faults.push(`${table}: ${rows} rows of ${priced.length} ticks`);
  }
  return faults;
}

/** `bars`: revisions of bars that the books say were written. */
async function onTopics({ server }: Bed, priced: readonly Priced[], bars: number): Promise<string[]> {
  const expected: [string, number][] = [
    [TOPIC.ticks, priced.length],
    [TOPIC.enriched, priced.length],
    [TOPIC.bars, bars],
  ];
  for (const { market } of markets) {
    expected.push([rawTopic(market), priced.filter((each) => each.market === market).length]);
  }
  const faults: string[] = [];
  const read = async ([topic, count]: [string, number]): Promise<TopicRecord[]> => {
    const found = await foreignRead(server, topic, QUIET_MS, count);
    if (found.length !== count) faults.push(`${topic}: ${found.length} records, ${count} expected`);
    return found;
  };
  const [ticks = [], enriched = [], found = [], ...raws] = await Promise.all(expected.map(read));
  return [...faults, ...topicFaults({ raw: raws.flat(), ticks, enriched, bars: found })];
}
