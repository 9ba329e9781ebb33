// The log on a real Kafka broker, held to the suite of the port.

import { describe, test } from 'bun:test';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { logConformance } from './log.ts';

const missing = kafkaMissing();

if (missing !== null) describe('log: Kafka', () => test.skip(missing, () => {}));
else {
  logConformance({
    name: 'Kafka',
    async open() {
      const server = await startKafka({ nodes: 1 });
      let aheadMs = 0;
      const options = kafkaOptions(server.brokers, { nowMs: () => Date.now() + aheadMs });
      let log = openKafkaLog(options);
      await log.bootstrap([]);
      return {
        log,
        async reopen() {
          await log.close();
          log = openKafkaLog(options);
          return log;
        },
        async advance(ms) {
          aheadMs += ms;
        },
        async dispose() {
          await log.close();
          await server.stop();
        },
      };
    },
    valueBytes: 900_000,
    valueBytesOver: 1_000_001,
    markers: 1,
    timeoutMs: 120_000,
  });
}
