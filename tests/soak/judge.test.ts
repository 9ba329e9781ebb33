// The judge of the soak is one that finds things: over a market that nothing happened to it has nothing to
// say, and then each wrong is planted that it is there for, and it names it.

import { expect, test } from 'bun:test';
import { Kafka, logLevel } from 'kafkajs';
import { TOPIC } from '../../runtime/services.ts';
import { foreignRead, QUIET_MS_SMALL } from '../support/foreign-reader.ts';
import { kafkaMissing } from '../support/kafka.ts';
import { Bed } from './bed.ts';
import { judged } from './judge.ts';

const MINUTES = 60_000;
const missing = kafkaMissing();

/** Puts the first bar there is on its topic once more. */
async function doubleABar({ server }: Bed): Promise<void> {
  const [bar] = await foreignRead(server, TOPIC.bars, QUIET_MS_SMALL);
  if (bar === undefined) throw new Error('no bar');
  const producer = new Kafka({ brokers: [server.brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const { key, value, partition } = bar;
  await producer.send({
    topic: TOPIC.bars,
    messages: [{ key, value: JSON.stringify(value), partition }],
  });
  await producer.disconnect();
}

async function planted(): Promise<void> {
  const bed = await Bed.open({ nodes: 1, seed: 5 });
  try {
    for (let n = 0; n < 4; n += 1) bed.market.publish();
    const clean = await judged(bed);
    expect(clean.faults).toEqual([]);
    expect(clean.ticks).toBeGreaterThan(500);

    await doubleABar(bed);
    const bars = 'carbon_ingestion.gold_ohlc_bars';
    await bed.clickhouse.command(
      `INSERT INTO ${bars} SELECT * REPLACE (close_price + 1 AS close_price, row_version + 1 AS row_version)
       FROM ${bars} FINAL WHERE delivery_location = 'Q1' AND bar_size = '1H' LIMIT 1`,
    );
    const { faults } = await judged(bed);
    const said = faults.join('\n');
    expect(said).toMatch(/Q1.*close_price is/);
    expect(said).toMatch(/aggregation\.ohlc\.bars\.v1: .* twice/);
    expect(said).toMatch(/aggregation → projection-service \(bars\): \d+ ≠ \d+/);
  } finally {
    await bed.close();
  }
}

if (missing !== null) test.skip(missing, () => {});
else test('finds what is planted, and nothing else', planted, 5 * MINUTES);
