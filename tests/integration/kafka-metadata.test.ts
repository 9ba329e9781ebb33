// What the brokers say of topics is not believed for good: a broker that has just come back may not know a
// topic, or all of its partitions, and who reads and who waits must notice when it does.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Kafka, logLevel } from 'kafkajs';
import { KafkaCluster } from '../../runtime/log/kafka-cluster.ts';
import { decidedEnds, Watch } from '../../runtime/log/kafka-watch.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const TOPIC = 'late.v1';
const missing = kafkaMissing();
let server: KafkaServer;
let cluster: KafkaCluster;

describe.skipIf(missing !== null)(`metadata (${missing ?? 'a real broker'})`, () => {
  beforeAll(async () => {
    server = await startKafka({ nodes: 1 });
    cluster = new KafkaCluster({
      brokers: [server.brokers],
      clientId: 'metadata',
      tls: null,
      sasl: null,
      requestTimeoutMs: 10_000,
    });
  }, 5 * MINUTES);

  afterAll(async () => {
    cluster.close();
    await server.stop();
  }, MINUTES);

  test(
    'a topic that was not there is found, and more partitions; who waits for it is woken',
    async () => {
      const kafka = new Kafka({ brokers: [server.brokers], logLevel: logLevel.NOTHING });
      const [admin, producer] = [kafka.admin(), kafka.producer()];
      await Promise.all([admin.connect(), producer.connect()]);
      const watch = new Watch((topics) => decidedEnds(cluster, topics));
      const signal = AbortSignal.timeout(MINUTES);
      const woken = watch.appended([TOPIC], signal).then(() => !signal.aborted);
      await until('it is looked for', async () => (await cluster.partitions(TOPIC)) === 0, MINUTES);
      await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }], waitForLeaders: true });
      await until('it is there', async () => (await cluster.partitions(TOPIC)) === 3, MINUTES);
      await producer.send({ topic: TOPIC, messages: [{ value: 'x' }] });
      expect(await woken).toBe(true);
      await admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 5 }] });
      await until('all of it is there', async () => (await cluster.partitions(TOPIC)) === 5, MINUTES);
      watch.close();
      await Promise.all([admin.disconnect(), producer.disconnect()]);
    },
    4 * MINUTES,
  );
});
