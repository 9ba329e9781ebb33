// The product as a process on Kafka: brokers that are away at the start or die later never end it, health
// says so, and it goes on by itself when they are back.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const missing = kafkaMissing();

if (missing !== null) describe('the product on Kafka', () => test.skip(missing, () => {}));
else {
  describe('the product on Kafka', () => {
    let server: KafkaServer;
    beforeAll(async () => {
      server = await startKafka({ nodes: 1 });
    }, 5 * MINUTES);
    afterAll(() => server?.stop());

    test(
      'waits for brokers that are away, and takes the sample in when they come',
      async () => {
        const [node] = server.nodes;
        await node?.kill();
        await using product = new Product({ env: { KAFKA_BROKERS: server.brokers } });
        await product.line('port', (line) => line.event === 'listening' && line.service === 'data-quality');
        const health = async (): Promise<readonly [number, Record<string, unknown>]> => {
          const response = await product.get('normalization', '/health');
          return [response.status, JSON.parse(await response.text())];
        };
        const down = await until('health to tell of Kafka', async () => {
          const [status, view] = await health();
          return JSON.stringify(view.dependencies).includes('kafka') ? { status, view } : null;
        });
        expect(down.status).toBe(503);
        expect(down.view).toMatchObject({
          status: 'unhealthy',
          dependencies: { kafka: { status: 'down', target: server.brokers } },
        });
        expect((await product.get('normalization', '/health/live')).status).toBe(200);
        expect((await product.get('normalization', '/health/ready')).status).toBe(503);
        await node?.start();
        await product.ready();
        const up = { dependencies: { kafka: { status: 'up' } } };
        const well = async (): Promise<boolean> => {
          const [status, view] = await health();
          return status === 200 && Bun.deepMatch(up, view);
        };
        await until('health', well, MINUTES);

        await node?.kill();
        await until('health to turn', async () => (await health())[0] === 503, MINUTES);
        expect((await product.get('normalization', '/health/live')).status).toBe(200);
        await node?.start();
        await until('health', async () => (await health())[0] === 200, 2 * MINUTES);
        await product.line('the sample is in', (line) => line.event === 'sample_in', 5 * MINUTES);
        const line = product.lines.find((each) => each.event === 'sample_in');
        expect(line).toMatchObject({ balanced: true });
        expect(await product.stop()).toBe(0);
      },
      9 * MINUTES,
    );
  });
}
