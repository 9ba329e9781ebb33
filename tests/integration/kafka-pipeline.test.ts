// The whole pipeline on a real Kafka broker: gold equals a run on the embedded log, every topic holds each
// fact once for a foreign read_committed reader, and the stock tools tell the same as we do.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markets } from '../../actors/feeds/markets.ts';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { rawTopic, SERVICES, TOPIC } from '../../runtime/services.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { countOf, goldFingerprints } from '../support/gold.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { topicFaults } from '../support/topics.ts';

const MINUTES = 60_000;
const FILES = ['20240418', 'lmp1Day', 'lmp5Min', '20110716'];
const missing = kafkaMissing();
const QUIET_MS = 20_000;
const dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-pipeline-'));

async function tables({ clickhouse }: Bench) {
  return {
    gold: await goldFingerprints(clickhouse),
    bronze: await countOf(clickhouse, 'bronze_raw_market_data'),
    silver: await countOf(clickhouse, 'silver_normalized_market_data'),
    enriched: await countOf(clickhouse, 'gold_enriched_market_data'),
  };
}

async function foreignTopics(server: KafkaServer) {
  // As long as where many read at once: a reader's time to join counts as well.
  const read = (topic: string) => foreignRead(server, topic, QUIET_MS);
  const raw = await Promise.all(markets.map(({ market }) => read(rawTopic(market))));
  const [ticks = [], enriched = [], bars = []] = await Promise.all(
    [TOPIC.ticks, TOPIC.enriched, TOPIC.bars].map(read),
  );
  return { raw: raw.flat(), ticks, enriched, bars };
}

if (missing !== null) describe('the pipeline on Kafka', () => test.skip(missing, () => {}));
else {
  describe('the pipeline on Kafka', () => {
    let expected: Awaited<ReturnType<typeof tables>>;
    let ticks = 0;

    beforeAll(async () => {
      const bench = await openBench({ dir: join(dir, 'embedded') });
      await bench.feed(FILES.map((name) => responseOf(recording(name))));
      expected = await tables(bench);
      ticks = expected.silver;
      await bench.close();
    }, 4 * MINUTES);

    afterAll(() => rmSync(dir, { recursive: true, force: true }));

    describe('undisturbed', () => {
      let server: KafkaServer;
      let bench: Bench;

      beforeAll(async () => {
        server = await startKafka({ nodes: 1 });
        const log = openKafkaLog(kafkaOptions(server.brokers));
        bench = await openBench({ dir: join(dir, 'kafka'), log });
        await bench.feed(FILES.map((name) => responseOf(recording(name))));
      }, 5 * MINUTES);

      afterAll(async () => {
        await bench?.close();
        await server?.stop();
      }, MINUTES);

      test('gives the tables of the embedded log, and conserves', async () => {
        expect(ticks).toBeGreaterThan(1_000);
        expect(await tables(bench)).toEqual(expected);
        expect((await bench.conservation()).checks.filter((each) => each.off !== 0)).toEqual([]);
      });

      test(
        'holds each fact once and in order for a foreign reader',
        async () => {
          const topics = await foreignTopics(server);
          expect(topics.ticks.length).toBe(ticks);
          expect(topics.enriched.length).toBe(ticks);
          expect(topicFaults(topics)).toEqual([]);
        },
        2 * MINUTES,
      );

      test(
        'is what the stock tools tell: the topics, the groups, no lag',
        async () => {
          const at = ['--bootstrap-server', server.brokers];
          const topics = (await server.tool('TopicCommand', [...at, '--list'])).split('\n');
          for (const { name } of await bench.log.topics()) expect(topics).toContain(name);
          const group = 'consumer.group.ConsumerGroupCommand';
          for (const { group: name, inputs } of SERVICES) {
            const text = await server.tool(group, [...at, '--describe', '--group', name]);
            const rows = text.split('\n').filter((line) => line.startsWith(name));
            const columns = rows.map((line) => line.split(/\s+/));
            const partitions = inputs(markets.map((each) => each.market)).length * 8;
            expect(columns.length).toBe(partitions);
            expect(columns.filter(([, , , , , lag]) => lag !== '0' && lag !== '-')).toEqual([]);
            expect((await bench.log.lag(name)).filter((each) => each.lag !== 0)).toEqual([]);
          }
        },
        3 * MINUTES,
      );
    });
  });
}
