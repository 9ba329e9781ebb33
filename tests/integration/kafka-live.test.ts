// Connectors apart from the rest, on a real Kafka: a process of its own with a port, health and the check of
// its container; killed while it takes prices in, it puts each version on the topic once. ClickHouse, which
// it has no use for, is not there at all.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { type ConfigDir, configDir, SHIPPED } from '../support/config-dir.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { CAISO_NODES, MarketServer } from '../support/operators/market-server.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const missing = kafkaMissing();

if (missing !== null) describe('connectors apart', () => test.skip(missing, () => {}));
else {
  describe('connectors apart', () => {
    const operators = new MarketServer();
    const place = temporaryDirectory();
    let configs: ConfigDir;
    let server: KafkaServer;
    beforeAll(async () => {
      configs = configDir(SHIPPED, {
        connectors: `
connectors:
  caiso:
    market: CAISO
    base_urls: { oasis: ${operators.url}/oasisapi }
    allow_private_addresses: true
    limits: { request_interval_ms: 200, timeout_ms: 5000, response_mb_max: 8 }
    live:
      dam: { source: caiso.dam, nodes: [${CAISO_NODES.join(', ')}], days_back: 6 }
`,
      });
      server = await startKafka({ nodes: 1 });
    }, 2 * MINUTES);
    afterAll(async () => {
      await server?.stop();
      await operators.stop();
      configs[Symbol.dispose]();
      place[Symbol.dispose]();
    });

    const start = () =>
      new Product({
        dir: place.path,
        env: {
          ROLE: 'connectors',
          CONNECTORS: 'caiso',
          KAFKA_BROKERS: server.brokers,
          CONFIG_DIR: configs.path,
          TMPDIR: place.path,
          PORT_CONNECTORS: '0',
        },
      });

    /** Versions on the raw topic, as who reads committed records alone sees them. */
    async function onTopic(): Promise<string[]> {
      const log = openKafkaLog(kafkaOptions(server.brokers));
      const found: string[] = [];
      try {
        for (let partition = 0; partition < 8; partition += 1) {
          const of = { topic: 'ingestion.caiso.raw.v1', partition };
          const end = await log.end(of);
          for (let at = 0; at < end; ) {
            const batch = await log.read(of, at, 1_000);
            if (batch === null) break;
            for (let n = 0; n < batch.count; n += 1) {
              const record = JSON.parse(new TextDecoder().decode(batch.value(n)));
              if (record.data_type !== 'lmp') continue;
              found.push(`CAISO|${record.run}|${record.delivery_location}|${record.interval_start / 1_000}`);
            }
            at = batch.nextOffset;
          }
        }
      } finally {
        await log.close();
      }
      return found;
    }

    test(
      'a process of its own, killed while it takes prices in',
      async () => {
        for (const afterMs of [0, 15]) {
          const from = operators.asked.length;
          const product = start();
          operators.onRequest = () => {
            if (operators.asked.length < from + 2) return;
            setTimeout(() => product.signal('SIGKILL'), afterMs);
          };
          expect(await product.exited()).toBe(137);
        }
        operators.onRequest = () => {};
        await using product = start();
        await product.line('following live', (line) => line.event === 'live', 2 * MINUTES);
        const dates = [0, 1, 2, 3, 4, 5].map((n) =>
          new Date(Date.now() - 8 * 3_600_000 - n * 86_400_000).toISOString().slice(0, 10),
        );
        await until(
          'every day is there',
          async () => {
            const { feeds } = await product.json('connectors', '/connectors/caiso');
            if (!JSON.stringify(feeds).includes('"state":"idle"')) return false;
            for (const date of dates) {
              const of = await product.json('connectors', `/completeness?market=CAISO&date=${date}&run=DAM`);
              if (of.complete !== true) return false;
            }
            return true;
          },
          MINUTES,
        );
        const health = await product.json('connectors', '/health');
        expect(health).toMatchObject({
          status: 'healthy',
          service: 'connectors',
          dependencies: { kafka: { status: 'up' }, caiso: { status: 'up' } },
        });
        expect((await product.get('connectors', '/health/ready')).status).toBe(200);
        const metrics = await (await product.get('connectors', '/metrics')).text();
        expect(metrics).toMatch(/^connector_records_extracted_total\{market="CAISO"\} \d+/m);
        const port = new URL(product.url('connectors')).port;
        const env = { ROLE: 'connectors', CONNECTORS: 'caiso', KAFKA_BROKERS: 'x:1' };
        const check = Bun.spawnSync([process.execPath, 'runtime/cli/health.ts'], {
          cwd: resolve(import.meta.dir, '../..'),
          env: { PATH: process.env.PATH, ...env, PORT_CONNECTORS: port },
        });
        expect([check.exitCode, check.stderr.toString()]).toEqual([0, '']);
        expect(await product.stop()).toBe(0);
        const about = product.lines.filter((line) => JSON.stringify(line).includes('sinks/clickhouse'));
        expect(about).toEqual([]);

        const found = await onTopic();
        expect(new Set(found)).toEqual(operators.served);
        expect(found).toHaveLength(operators.served.size);
      },
      6 * MINUTES,
    );
  });
}
