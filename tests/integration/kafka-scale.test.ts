// Processes and workers come and go on a real broker while records flow: they join, leave, are killed, and
// stand still past their session to come back as zombies. In the end gold is that of one quiet thread, each
// fact stands once and in order, and who stayed has kept its actors. `KAFKA_CHANGES=100` makes more changes.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markets } from '../../actors/feeds/markets.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import { openBench } from '../support/bench.ts';
import { engineForTests } from '../support/engine.ts';
import { foreignRead } from '../support/foreign-reader.ts';
import { goldFingerprints } from '../support/gold.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { Others } from '../support/others.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { orStandings } from '../support/standings.ts';
import { openThreads, type Threads } from '../support/threads.ts';
import { topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const CHANGES = Number(process.env.KAFKA_CHANGES ?? 4);
/** Many readers at a time take longer to begin than one. */
const QUIET_MS = 20_000;
const FILES = ['20261001', '20240418', '20221025', 'lmp1Day', '13_35_13', '13_30_51'];
const missing = kafkaMissing();
const dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-scale-'));

async function topicsOf(server: KafkaServer) {
  const topics = [TOPIC.ticks, TOPIC.enriched, TOPIC.bars, ...markets.map(({ market }) => rawTopic(market))];
  const read = topics.map((topic) => foreignRead(server, topic, QUIET_MS));
  const [ticks = [], enriched = [], bars = [], ...raw] = await Promise.all(read);
  return { raw: raw.flat(), ticks, enriched, bars };
}

function owned({ launched }: Threads, group: 'enrichment-service' | 'aggregation-service'): string {
  const partitions = [...(launched.pipeline.platform.groups.get(group)?.partitions() ?? [])];
  return partitions
    .map(({ of }) => of.partition)
    .sort()
    .join();
}

if (missing !== null) describe('members that come and go', () => test.skip(missing, () => {}));
else {
  describe('on Kafka and an engine', () => {
    const engine = engineForTests();
    describe('members that come and go', () => scale(() => engine().engine.url));
  });
}

/** Everything of it has ended before the engine does. */
function scale(urlOf: () => string): void {
  let server: KafkaServer;
  let threads: Threads;
  let others: Others;
  let expected: Awaited<ReturnType<typeof goldFingerprints>>;

  beforeAll(async () => {
    const bench = await openBench({ dir: join(dir, 'quiet') });
    await bench.feed(FILES.map((name) => responseOf(recording(name))));
    expected = await goldFingerprints(bench.clickhouse);
    await bench.close();
    server = await startKafka({ nodes: 1 });
    const url = urlOf();
    const draw = randomOf(seedOf('kafka-scale'));
    others = new Others({ brokers: server.brokers, clickhouseUrl: url, dir, draw });
    const settings = { KAFKA_BROKERS: server.brokers, CLICKHOUSE_URL: url, WORKER_ID: 'stays' };
    threads = await openThreads(join(dir, 'stays'), 1, settings);
  }, 6 * MINUTES);

  afterAll(async () => {
    await others?.stop();
    await threads?.stop();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 2 * MINUTES);

  test(
    'who stays in its partitions keeps its actors, in both groups the same',
    async () => {
      const [first = ''] = FILES;
      await threads.feed([responseOf(recording(first))]);
      const { directory } = threads.launched.pipeline.platform;
      const before = new Map(directory.all());
      expect(before.size).toBeGreaterThan(1);
      await others.join(2);
      await until(
        'partitions move, the same of both groups',
        () => {
          const enrichment = owned(threads, 'enrichment-service');
          return enrichment.length < 8 && owned(threads, 'aggregation-service') === enrichment;
        },
        MINUTES,
      );
      expect([...directory.all()].filter(([id, resident]) => before.get(id) !== resident)).toEqual([]);
    },
    3 * MINUTES,
  );

  test(
    `${CHANGES} changes under load end as if nothing had happened`,
    async () => {
      for (let n = 0; n < Math.max(CHANGES, FILES.length); n += 1) {
        const name = FILES[n];
        const feeding = name === undefined ? null : threads.feed([responseOf(recording(name))]);
        if (n < CHANGES) await others.change();
        if (feeding !== null) await orStandings(threads.launched.pipeline, 5 * MINUTES, feeding);
      }
      await others.end();
      await orStandings(threads.launched.pipeline, 5 * MINUTES, threads.feed([]));
      console.log(JSON.stringify(others.done));
      const { pipeline, database } = threads.launched;
      expect(await goldFingerprints(database.clickhouse)).toEqual(expected);
      const one = () => owned(threads, 'aggregation-service') === '0,1,2,3,4,5,6,7';
      await until('all is with one again', one, MINUTES);
      const balanced = async () => (await pipeline.conservation()).balanced;
      await until('it conserves', balanced, MINUTES);
      expect(topicFaults(await topicsOf(server))).toEqual([]);
    },
    (10 + 2 * CHANGES) * MINUTES,
  );
}
