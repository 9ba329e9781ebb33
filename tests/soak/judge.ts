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
import { barDifferences, curveDifferences, metricDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { topicFaults } from '../support/topics.ts';
import type { Bed } from './bed.ts';
import { fedFrom } from './market.ts';

/** Five readers at a time take longer to begin than one. */
const QUIET_MS = 15_000;
const END_MINUTES_MAX = 8;

export interface Verdict {
  /** Ticks that went through. */
  readonly ticks: number;
  /** What is wrong, as sentences; empty: all is as if nothing had happened. */
  readonly faults: readonly string[];
}

/** Nobody else is there any more. Throws when the rest does not come to its end. */
export async function judged(bed: Bed): Promise<Verdict> {
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
    const priced = bed.market.priced();
    const faults = [...(await inTables(bench, bed)), ...(await onTopics(bed, priced.length))];
    return { ticks: priced.length, faults };
  } finally {
    await Promise.race([bench.close().catch(() => {}), Bun.sleep(30_000)]);
  }
}

async function inTables(bench: Bench, bed: Bed): Promise<string[]> {
  const { clickhouse } = bench;
  const priced = bed.market.priced();
  const observed = observe(priced);
  const sorted = '1 ORDER BY market, run, delivery_location';
  const metrics = rowsOf<OracleMetric>(clickhouse, 'gold_rolling_metrics', sorted);
  const faults = [
    ...(await barDifferences(rowsOf<OracleBar>(clickhouse, 'gold_ohlc_bars'), observed)),
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
  const { checks } = await bench.conservation();
  for (const { what, left, right, off } of checks) if (off !== 0) faults.push(`${what}: ${left} ≠ ${right}`);
  return faults;
}

async function onTopics({ server }: Bed, ticksMade: number): Promise<string[]> {
  const topics = [TOPIC.ticks, TOPIC.enriched, TOPIC.bars, ...markets.map(({ market }) => rawTopic(market))];
  const read = (topic: string) => foreignRead(server, topic, QUIET_MS);
  const [ticks = [], enriched = [], bars = [], ...raws] = await Promise.all(topics.map(read));
  const faults = topicFaults({ raw: raws.flat(), ticks, enriched, bars });
  for (const [name, found] of Object.entries({ raw: raws.flat(), ticks, enriched })) {
    if (found.length !== ticksMade) faults.push(`${name}: ${found.length} records of ${ticksMade} ticks`);
  }
  return faults;
}
