// Connectors apart from the rest, on a real Kafka: a process of its own with a port, health and the check of
// its container; killed while it takes prices in, it puts each version on the topic once. ClickHouse, which
// it has no use for, is not there at all.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { type ConfigDir, configDir, SHIPPED } from '../support/config-dir.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { MarketServer } from '../support/operators/market-server.ts';
import { type Line, Product, temporaryDirectory } from '../support/product.ts';
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
        connectors: operators.followedDayAhead(6),
      });
      server = await startKafka({ nodes: 1 });
    }, 5 * MINUTES);
    afterAll(async () => {
      await server?.stop();
      await operators.stop();
      configs[Symbol.dispose]();
      place[Symbol.dispose]();
    });

    const start = (dir = place.path, role = 'connectors', more: Readonly<Record<string, string>> = {}) =>
      new Product({
        dir,
        env: {
          ROLE: role,
          CONNECTORS: 'caiso',
          KAFKA_BROKERS: server.brokers,
          CONFIG_DIR: configs.path,
          TMPDIR: place.path,
          PORT_CONNECTORS: '0',
          ...more,
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
        const well = {
          status: 'healthy',
          service: 'connectors',
          dependencies: { kafka: { status: 'up' }, caiso: { status: 'up' } },
        };
        const health = () => product.json('connectors', '/health');
        await until('health', async () => Bun.deepMatch(well, await health()));
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

    test(
      'a second process of the same name stands by, says who has it, and takes over from it',
      async () => {
        using one = temporaryDirectory();
        using two = temporaryDirectory();
        using three = temporaryDirectory();
        const isLive = (line: Line): boolean => line.event === 'live';
        await using first = start(one.path);
        await first.line('following live', isLive);
        await using second = start(two.path);
        // Not a connector: it is asked about them all the same.
        const apart = { CLICKHOUSE_URL: 'http://127.0.0.1:9' };
        await using third = start(three.path, 'normalization', apart);
        await second.line('standing by', isLive);
        await third.ready();
        const follower = { pid: first.pid, url: new URL(first.url('connectors')).origin };
        const standby = await second.json('connectors', '/connectors/caiso');
        expect(standby).toMatchObject({ status: 'standby', followed_by: follower });
        const health = await until('health', async () => {
          const found = await second.json('connectors', '/health');
          return found.status === 'healthy' ? found : null;
        });
        const cause = expect.stringContaining(`process ${first.pid} on host`);
        expect(health).toMatchObject({ dependencies: { caiso: { status: 'standby', cause } } });
        const day = new Date().toISOString().slice(0, 10);
        const questions = ['/backfill', `/completeness?market=CAISO&date=${day}`, '/connectors/caiso/runs'];
        const asked = [
          ...questions.map((path) => [second, 'connectors', path] as const),
          ...[...questions, '/connectors', '/connectors/caiso'].map(
            (path) => [third, 'normalization', path] as const,
          ),
        ];
        for (const [product, service, path] of asked) {
          const answer = await product.get(service, path);
          expect([path, answer.status]).toEqual([path, 503]);
          const message = expect.stringContaining(`caiso is followed by process ${first.pid} on host`);
          expect(await answer.json()).toMatchObject({ error: 'elsewhere', ask: [follower.url], message });
        }
        const off = {
          method: 'POST',
          body: '{"reason":"x"}',
          headers: { 'content-type': 'application/json' },
        };
        expect((await second.get('connectors', '/connectors/caiso/disable', off)).status).toBe(503);
        // The other one is not disturbed by it.
        expect(await first.json('connectors', '/connectors/caiso')).toMatchObject({ enabled: true });
        expect(JSON.stringify(first.lines)).not.toMatch(/writer_held|fenced|stands by/);
        const quiet = await (await second.get('connectors', '/metrics')).text();
        expect(quiet).not.toMatch(/^connector_runs_total\{/m);

        await first.kill();
        const isTaken = async () =>
          (await second.json('connectors', '/connectors/caiso')).status === 'healthy' || undefined;
        await until('the second has taken over', isTaken, MINUTES);
        const gone = `process ${first.pid} on host`;
        await second.line('told', ({ decision, cause }) =>
          `${decision} ${cause}`.startsWith(`this process follows it now ${gone}`),
        );
        const now = await second.get('connectors', `/completeness?market=CAISO&date=${day}`);
        expect(now.status).toBe(200);
        // A stop lets it go, so that nobody has to wait for silence.
        await using fourth = start(one.path);
        await fourth.line('standing by', isLive);
        expect(await second.stop()).toBe(0);
        await fourth.line('taken', (line) => JSON.stringify(line).includes('follows it now'), 20_000);

        const found = await onTopic();
        expect(new Set(found)).toEqual(operators.served);
        expect(found).toHaveLength(operators.served.size);
      },
      4 * MINUTES,
    );

    test(
      'who takes the name of a writer ends the other, which then writes nothing',
      async () => {
        const logs = ['a', 'b'].map((worker) => openKafkaLog({ ...kafkaOptions(server.brokers), worker }));
        const [a, b] = logs;
        if (a?.take === undefined || b?.take === undefined) throw new Error('no take');
        const value = (text: string) => new TextEncoder().encode(text);
        const mine = (name: string) => (stored: ReadonlyMap<string, Uint8Array>) => {
          const has = new TextDecoder().decode(stored.get('who') ?? value(name));
          return has === name ? null : `${has} has it`;
        };
        try {
          await a.bootstrap([]);
          a.take('w', mine('a'));
          await a.append('w', [], [{ key: 'who', value: value('a') }]);
          b.take('w', () => null);
          await b.append('w', [], [{ key: 'who', value: value('b') }]);
          for (const key of ['x', 'y']) {
            const refused = a.append('w', [], [{ key, value: value('a') }]);
            await expect(refused).rejects.toMatchObject({ code: 'writer_held', retryable: false });
          }
          await b.append('w', [], [{ key: 'z', value: value('b') }]);
          expect([...(await b.writerState('w')).keys()]).toEqual(['who', 'z']);
          a.take('w', () => null);
          await a.append('w', [], [{ key: 'x', value: value('a') }]);
          expect([...(await a.writerState('w')).keys()]).toEqual(['who', 'x', 'z']);
        } finally {
          for (const log of logs) await log.close();
        }
      },
      MINUTES,
    );
  });
}
