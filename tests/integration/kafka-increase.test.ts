// Topics get more partitions by the stock tool while the pipeline runs under load: gold is the oracle's, a
// foreign read_committed reader finds each fact once and in order, the books balance, nothing is restarted.
// `KAFKA_INCREASES=20` asks for more of them. Who waits in vain says what stands still.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import type { SupervisorEvent } from '../../runtime/views.ts';
import type { OracleBar } from '../oracle/bars.ts';
import type { OraclePoint } from '../oracle/curves.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences, curveDifferences } from '../support/against-oracle.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { orStandings } from '../support/standings.ts';
import { topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const QUIET_MS = 20_000;
const SMALL = ['20261001', '20240418', '20221025', 'lmp1Day', '13_35_13', '13_30_51'];
/** Topic and number of partitions, one after the other. */
const STEPS: readonly (readonly [string, number])[] = [
  [TOPIC.ticks, 10],
  [TOPIC.enriched, 10],
  [rawTopic('MISO'), 9],
  [TOPIC.ticks, 13],
];
const INCREASES = Number(process.env.KAFKA_INCREASES ?? STEPS.length);
/** Many increases want a longer load. */
const FILES = INCREASES > STEPS.length ? [...SMALL, '20190201_20190301', '20190301_20190401', 'HASP'] : SMALL;
const missing = kafkaMissing();

/** The first as they stand in `STEPS`; more go on in turn, one partition at a time. */
function steps(count: number): (readonly [string, number])[] {
  const sizes = new Map<string, number>();
  const topics = [TOPIC.ticks, TOPIC.enriched, rawTopic('MISO'), rawTopic('CAISO'), TOPIC.bars];
  return Array.from({ length: count }, (_, n) => {
    const [topic, size] = STEPS[n] ?? [topics[n % topics.length] ?? TOPIC.ticks, 0];
    const next = Math.max(size, (sizes.get(topic) ?? 8) + 1);
    sizes.set(topic, next);
    return [topic, next] as const;
  });
}

if (missing !== null) describe('partitions added under load', () => test.skip(missing, () => {}));
else {
  describe('partitions added under load', () => {
    const dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-increase-'));
    const priced = FILES.map(recording).flatMap(readRecording);
    const instruments = observe(priced);
    const told: string[] = [];
    const events: Pick<SupervisorEvent, 'kind' | 'actor' | 'cause' | 'decision'>[] = [];
    const sizes = new Map(steps(INCREASES));
    let server: KafkaServer;
    let bench: Bench;

    const alter = (topic: string, partitions: number): Promise<string> => {
      const words = ['--bootstrap-server', server.brokers, '--alter', '--topic', topic];
      return server.tool('TopicCommand', [...words, '--partitions', String(partitions)]);
    };

    beforeAll(
      async () => {
        server = await startKafka({ nodes: 1 });
        const log = openKafkaLog(kafkaOptions(server.brokers, { told: (cause) => told.push(cause) }));
        const record = (event: (typeof events)[number]) => events.push(event);
        bench = await openBench({ dir, log, record, batchMax: 100, chunkMax: 50 });
        const feeding = bench.feed(FILES.map((name) => responseOf(recording(name))));
        let done = false;
        void feeding.finally(() => {
          done = true;
        });
        const all = steps(INCREASES);
        for (const [n, [topic, partitions]] of all.entries()) {
          const goal = (priced.length * (n + 1)) / (all.length + 2);
          const ticks = () => done || bench.pipeline.meter.ticks > goal;
          await orStandings(bench.pipeline, 4 * MINUTES, until(`${goal} ticks`, ticks, 3 * MINUTES));
          await alter(topic, partitions);
        }
        await feeding;
        for (const [topic, partitions] of sizes) {
          const open = `of ${topic} is open: ${partitions} partitions`;
          await until(open, () => told.some((each) => each.includes(open)), MINUTES);
        }
        const reading = bench.pipeline.caughtUp(new AbortController().signal);
        await orStandings(bench.pipeline, 5 * MINUTES, reading);
      },
      (15 + INCREASES) * MINUTES,
    );

    afterAll(async () => {
      await bench?.close();
      await server?.stop();
      rmSync(dir, { recursive: true, force: true });
    }, MINUTES);

    test('each is noticed, told, and taken into use behind its barrier while records come', () => {
      const [first] = steps(1);
      expect(
        told.find((each) => each.startsWith(`${first?.[0]} has ${first?.[1]} partitions`)),
      ).toBeDefined();
      expect(told.filter((each) => each.includes('is open')).length).toBe(INCREASES);
      const handed = events.filter(({ decision }) => decision.endsWith('instruments were handed over'));
      expect(handed.filter(({ decision }) => !decision.startsWith('0 ')).length).toBeGreaterThan(0);
      expect(events.filter(({ kind }) => kind === 'resume').length).toBeGreaterThan(0);
      expect(events.filter(({ kind }) => kind === 'restart' || kind === 'escalation')).toEqual([]);
    });

    test("gold is the oracle's, silver has each tick, and the books balance", async () => {
      const { clickhouse } = bench;
      const bars = rowsOf<OracleBar>(clickhouse, 'gold_ohlc_bars');
      expect(await barDifferences(bars, instruments)).toEqual([]);
      const points = rowsOf<OraclePoint>(clickhouse, 'gold_curve_prestage');
      expect(await curveDifferences(points, instruments)).toEqual([]);
      expect(await countOf(clickhouse, 'silver_normalized_market_data')).toBe(priced.length);
      expect((await bench.conservation()).checks.filter((each) => each.off !== 0)).toEqual([]);
    });

    test(
      'a foreign reader finds each fact once and in order, in the new partitions too',
      async () => {
        // Five at a time take longer to begin than one.
        const read = (topic: string) => foreignRead(server, topic, QUIET_MS);
        const topics = [TOPIC.ticks, TOPIC.enriched, TOPIC.bars, rawTopic('CAISO'), rawTopic('MISO')];
        const [ticks = [], enriched = [], bars = [], ...raws] = await Promise.all(topics.map(read));
        const raw = raws.flat();
        expect(ticks.length).toBe(priced.length);
        expect(enriched.length).toBe(priced.length);
        expect(topicFaults({ raw, ticks, enriched, bars })).toEqual([]);
        const used = new Set(ticks.map(({ partition }) => partition).filter((each) => each >= 8));
        // Where the first were read before the topic grew, few keys are left to move.
        expect(used.size).toBeGreaterThan(0);
      },
      2 * MINUTES,
    );

    test(
      'the stock tool shows the new partitions in every group that reads them, without lag',
      async () => {
        const group = 'consumer.group.ConsumerGroupCommand';
        for (const name of ['enrichment-service', 'data-quality-service', 'projection-service']) {
          const words = ['--bootstrap-server', server.brokers, '--describe', '--group', name];
          const text = await server.tool(group, words);
          const rows = text.split('\n').map((line) => line.split(/\s+/));
          const mine = rows.filter((columns) => columns[1] === TOPIC.ticks);
          expect(mine.length).toBe(sizes.get(TOPIC.ticks) ?? 0);
          expect(mine.filter(([, , , , , lag]) => lag !== '0')).toEqual([]);
        }
      },
      2 * MINUTES,
    );
  });
}
