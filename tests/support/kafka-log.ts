// Options of the log on Kafka as the tests want them: quick to notice what goes away.

import type { KafkaLogOptions } from '../../runtime/log/kafka-options.ts';

export function kafkaOptions(brokers: string, more: Partial<KafkaLogOptions> = {}): KafkaLogOptions {
  return {
    connection: {
      brokers: brokers.split(','),
      clientId: 'carbon-tests',
      tls: null,
      sasl: null,
      requestTimeoutMs: 10_000,
    },
    topics: { replication: null, minInsyncReplicas: null },
    worker: 'tests',
    urlOf: () => null,
    compression: 'zstd',
    sessionMs: 6_000,
    heartbeatMs: 200,
    rebalanceMs: 10_000,
    transactionMs: 20_000,
    fetchBytesMax: 1024 * 1024,
    fetchBytesMin: 1,
    fetchWaitMsMax: 500,
    valueBytesMax: 1_000_000,
    nowMs: Date.now,
    layoutPollMs: 500,
    told: () => {},
    differs: () => {},
    note: (cause) => {
      if (process.env.NOTES) console.log('note', cause);
    },
    ...more,
  };
}
