// A process of the product on Kafka for tests that let it come and go: joins every group with so many
// workers, says `running`, and leaves at SIGTERM. Arguments: brokers, ClickHouse, a directory, workers.

import { openThreads } from '../support/threads.ts';

const [brokers = '', clickhouseUrl = '', dir = '', workers = '1'] = process.argv.slice(2);
const settings = { KAFKA_BROKERS: brokers, CLICKHOUSE_URL: clickhouseUrl, WORKER_ID: dir };
const threads = await openThreads(dir, Number(workers), settings);
process.on('SIGTERM', () => void threads.stop().then(() => process.exit(0)));
console.log('running');
