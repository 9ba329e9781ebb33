// The pipeline on Kafka as a process of its own, for tests that kill it: feeds the recordings that are named,
// says `done` when everything has caught up, and leaves. Arguments: brokers, ClickHouse, a directory,
// recordings.

import { openKafkaLog } from '../../runtime/log/kafka.ts';
import { openBench } from '../support/bench.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { recording, responseOf } from '../support/recordings.ts';

const [brokers = '', clickhouseUrl = '', dir = '', ...names] = process.argv.slice(2);
const log = openKafkaLog(kafkaOptions(brokers, { worker: dir }));
const bench = await openBench({ dir, log, clickhouseUrl, batchMax: 200, chunkMax: 500 });
console.log('running');
await bench.feed(names.map((name) => responseOf(recording(name))));
await bench.close();
console.log('done');
