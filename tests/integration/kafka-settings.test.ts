// The settings of the runbook, seen where they count: in the broker's own files, as its own tool shows them,
// and in what a poll gives.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import type { Log, Member, TopicPartition } from '../../runtime/log/log.ts';
import { TOPIC } from '../../runtime/services.ts';
import { configDir, edited, SHIPPED, textOf } from '../support/config-dir.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const POLL_MAX = 150;
const BATCHES = 2;
const missing = kafkaMissing();

/** Count and codec of each batch with records of a partition, as `kafka-dump-log` tells them. */
async function batchesOf(server: KafkaServer, of: string): Promise<{ count: number; codec: string }[]> {
  const dir = join(server.nodes[0]?.data ?? '', of);
  const files = readdirSync(dir).filter((name) => name.endsWith('.log'));
  const paths = files.map((name) => join(dir, name)).join(',');
  const text = await server.tool('DumpLogSegments', ['--files', paths]);
  const lines = text.split('\n').filter((line) => line.includes('isControl: false'));
  return lines.map((line) => ({
    count: Number(/ count: (\d+)/.exec(line)?.[1]),
    codec: (/compresscodec: (\w+)/.exec(line)?.[1] ?? '').toLowerCase(),
  }));
}

if (missing !== null) describe('settings of Kafka', () => test.skip(missing, () => {}));
else {
  describe('settings of Kafka', () => {
    let server: KafkaServer;
    beforeAll(async () => {
      server = await startKafka({ nodes: 1 });
    }, 5 * MINUTES);
    afterAll(() => server?.stop());

    test(
      'max_poll_records and compression, from the file to the broker’s disk',
      async () => {
        let text = textOf(SHIPPED, 'runtime');
        text = edited(text, 'max_poll_records: 5000', `max_poll_records: ${POLL_MAX}`);
        text = edited(text, 'compression: zstd', 'compression: gzip');
        text = edited(text, 'fetch_min_bytes: 1', 'fetch_min_bytes: 2000');
        using configs = configDir(SHIPPED, { runtime: text });
        const env = { KAFKA_BROKERS: server.brokers, CONFIG_DIR: configs.path };
        await using product = new Product({ env });
        await product.ready();
        expect(await product.json('enrichment', '/info')).toMatchObject({
          settings: {
            max_poll_records: POLL_MAX,
            kafka: { compression: 'gzip', fetch_min_bytes: 2_000, fetch_max_wait_ms: 500 },
          },
        });
        const busiest = async () => {
          const log = openKafkaLog(kafkaOptions(server.brokers));
          const all = await Promise.all(
            [0, 1, 2, 3, 4, 5, 6, 7].map((partition) => log.end({ topic: TOPIC.enriched, partition })),
          );
          await log.close();
          const most = Math.max(...all);
          return most > BATCHES * POLL_MAX ? `${TOPIC.enriched}-${all.indexOf(most)}` : null;
        };
        const batches = await batchesOf(server, await until('enriched ticks', busiest, 2 * MINUTES));
        expect(batches.length).toBeGreaterThanOrEqual(BATCHES);
        expect(new Set(batches.map(({ codec }) => codec))).toEqual(new Set(['gzip']));
        const most = Math.max(...batches.map(({ count }) => count));
        console.log(`${batches.length} batches, the largest of ${most} records`);
        expect(most).toBeLessThanOrEqual(POLL_MAX);
        expect(most).toBeGreaterThan(POLL_MAX / 2);
      },
      5 * MINUTES,
    );

    for (const compression of ['none', 'zstd'] as const) {
      test(
        `${compression}: so the broker has it, and so it is read again`,
        async () => {
          const log = openKafkaLog(kafkaOptions(server.brokers, { compression }));
          const topic = `packed.${compression}`;
          await log.bootstrap([{ name: topic, partitions: 1, retentionMs: null, compacted: false }]);
          await log.append('packer', [{ topic, key: 'k', value: 'v'.repeat(5_000) }], []);
          expect((await batchesOf(server, `${topic}-0`)).map(({ codec }) => codec)).toEqual([compression]);
          expect((await log.read({ topic, partition: 0 }, 0, 10))?.value(0).length).toBe(5_000);
          await log.close();
        },
        MINUTES,
      );
    }

    async function waiting(
      name: string,
      bytesMin: number,
      waitMs: number,
    ): Promise<[Log, Member, TopicPartition]> {
      const bounds = { fetchBytesMin: bytesMin, fetchWaitMsMax: waitMs, compression: 'none' } as const;
      const log = openKafkaLog(kafkaOptions(server.brokers, bounds));
      await log.bootstrap([{ name, partitions: 1, retentionMs: null, compacted: false }]);
      const member = await log.join(name, [name]);
      const owned = Promise.withResolvers<readonly TopicPartition[]>();
      member.assigned((partitions) => owned.resolve(partitions));
      const [of] = await owned.promise;
      if (of === undefined) throw new Error('no partition');
      await log.append('feeder', [{ topic: name, key: 'k', value: 'little' }], []);
      return [log, member, of];
    }

    test(
      'fetch_min_bytes: little waits for more',
      async () => {
        const [log, member, of] = await waiting('enough', 4_000, 10 * MINUTES);
        const polled = member.poll(of, 100);
        await log.append('feeder', [{ topic: 'enough', key: 'k', value: 'm'.repeat(5_000) }], []);
        expect((await polled)?.count).toBe(2);
        await log.close();
      },
      MINUTES,
    );

    test(
      'fetch_max_wait_ms: but not for ever',
      async () => {
        const [log, member, of] = await waiting('in-time', 900_000, 200);
        expect((await member.poll(of, 100))?.count).toBe(1);
        await log.close();
      },
      MINUTES,
    );
  });
}
