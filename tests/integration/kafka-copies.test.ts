// How many copies topics get and have: what the cluster is meant to be counts, not which brokers answer just
// now; topics with fewer copies than it allows are told at each start and by the doctor, and left.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { TOPIC } from '../../runtime/services.ts';
import { command } from '../support/command.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
/** The doctor need not start an engine. */
const NO_ENGINE = { CLICKHOUSE_URL: 'http://127.0.0.1:1' };
const missing = kafkaMissing();
let server: KafkaServer;

const plain = (name: string) => ({ name, partitions: 2, retentionMs: null, compacted: false });

async function topicCommand(...words: string[]): Promise<string> {
  const [first = ''] = server.brokers.split(',');
  return server.tool('TopicCommand', ['--bootstrap-server', first, ...words]);
}

/** Copies of each topic by the stock tool, but for Kafka's own topics. */
async function copies(): Promise<ReadonlyMap<string, number>> {
  const found = (await topicCommand('--describe')).matchAll(/Topic: (\S+)\t.*ReplicationFactor: (\d+)/g);
  const all = [...found].map(([, name = '', count]) => [name, Number(count)] as const);
  return new Map(all.filter(([name]) => !name.startsWith('__')));
}

/** Waits until the others have given up the third broker. */
async function thirdAway(): Promise<void> {
  await server.nodes[2]?.kill();
  const words = ['--describe', '--topic', 'witness', '--under-replicated-partitions'];
  await until('two brokers', async () => (await topicCommand(...words)).includes('witness'), MINUTES);
}

interface Told {
  readonly cause: string;
  readonly decision: string;
}

/** What a start over `brokers` tells of its topics, one of them with state. */
async function told(brokers: string, topic: string, replication: number | null = null): Promise<Told[]> {
  const all: Told[] = [];
  const differs = (cause: string, decision: string): void => void all.push({ cause, decision });
  const topics = { replication, minInsyncReplicas: null };
  const log = openKafkaLog(kafkaOptions(brokers, { differs, topics }));
  await log.bootstrap([plain(topic)]);
  await log.join(`${topic}.group`, [topic]);
  await log.close();
  return all;
}

describe.skipIf(missing !== null)(`copies (${missing ?? 'three real brokers'})`, () => {
  beforeAll(async () => {
    server = await startKafka({ nodes: 3 });
    const upTo = Array.from({ length: 8 }, (_, n) => 1 + (n % 2)).join();
    await topicCommand('--create', '--topic', TOPIC.ticks, '--replica-assignment', upTo);
    await topicCommand('--create', '--topic', 'witness', '--partitions', '1', '--replication-factor', '3');
  }, 3 * MINUTES);
  afterAll(() => server?.stop(), MINUTES);

  test(
    'a first start with one of three brokers away makes three copies, and tells of a topic with one',
    async () => {
      await thirdAway();
      await using product = new Product({ env: { KAFKA_BROKERS: server.brokers } });
      await product.ready();
      const found = await copies();
      expect(found.get(TOPIC.ticks)).toBe(1);
      expect([...found].filter(([name, count]) => name !== TOPIC.ticks && count !== 3)).toEqual([]);
      expect(found.size).toBeGreaterThan(20);

      const events = product.lines.filter((line) => line.kind === 'topic_differs');
      const about = events.filter(({ cause }) => String(cause).includes('copies'));
      expect(about).toHaveLength(1);
      expect(about[0]).toMatchObject({
        level: 'warn',
        cause: expect.stringMatching(
          /^1 topic has fewer copies than 3.*: normalized\.market\.ticks\.v1 \(1\)$/,
        ),
        decision: expect.stringMatching(
          /kafka-reassign-partitions.*min\.insync\.replicas.*kafka\.replication/,
        ),
      });
      expect(await product.stop()).toBe(0);

      using dir = temporaryDirectory();
      const env = { ...NO_ENGINE, KAFKA_BROKERS: server.brokers };
      const looked = await command('runtime/cli/doctor.ts', dir.path, env);
      const warned = looked.lines.filter((line) => line.startsWith('warn') && line.includes('copies'));
      expect(warned).toEqual([expect.stringContaining(`${TOPIC.ticks} (1)`)]);
    },
    6 * MINUTES,
  );

  test(
    'two brokers give two copies; where a third is named that is told, and at later starts as well',
    async () => {
      const [first = '', second = ''] = server.brokers.split(',');
      await server.tool('ClusterTool', ['unregister', '--bootstrap-server', first, '--id', '3']);
      expect(await told(`${first},${second}`, 'meant')).toEqual([]);
      const few = await told(server.brokers, 'short');
      const found = await copies();
      for (const name of ['meant', 'meant.group.changelog.v1', 'short', 'short.group.changelog.v1'])
        expect([name, found.get(name)]).toEqual([name, 2]);
      expect(few.map(({ cause }) => cause).join()).toMatch(
        /KAFKA_BROKERS.*short \(2\).*short\.group\.changelog/s,
      );

      await server.nodes[2]?.start();
      await until(
        'the third',
        async () =>
          (await topicCommand('--describe', '--topic', 'witness', '--under-replicated-partitions')).trim() ===
          '',
        MINUTES,
      );
      const later = (await told(`${first},${second}`, 'meant')).map(({ cause }) => cause).join();
      expect(later).toMatch(/meant \(2\).*meant\.group\.changelog\.v1 \(2\)/s);
      expect(await told(server.brokers, 'whole')).toEqual([]);
      expect((await copies()).get('whole.group.changelog.v1')).toBe(3);
    },
    4 * MINUTES,
  );

  test(
    'whoever says how many copies are meant gets those, and is told of fewer',
    async () => {
      expect(await told(server.brokers, 'single', 1)).toEqual([]);
      expect((await copies()).get('single')).toBe(1);
      const causes = (await told(server.brokers, 'single', 2)).map(({ cause }) => cause).join();
      expect(causes).toMatch(/fewer copies than 2, .*kafka\.replication.*single \(1\)/);
    },
    2 * MINUTES,
  );
});
