// A process of the product on Kafka for tests that let it come and go: joins every group with so many
// workers, says `running`, and leaves at SIGTERM. Arguments: brokers, ClickHouse, a directory, workers, and
// the file of a market whose responses it feeds (`soak/market.ts`), if any.

import { fedFrom } from '../soak/market.ts';
import { openThreads } from './threads.ts';

const [brokers = '', clickhouseUrl = '', dir = '', workers = '1', market = ''] = process.argv.slice(2);
const settings: Record<string, string> = {
  KAFKA_BROKERS: brokers,
  CLICKHOUSE_URL: clickhouseUrl,
  WORKER_ID: dir,
};
const { CONFIG_DIR } = process.env;
if (CONFIG_DIR !== undefined) settings.CONFIG_DIR = CONFIG_DIR;
const threads = await openThreads(dir, Number(workers), settings);
process.on('SIGTERM', () => void threads.stop().then(() => process.exit(0)));
console.log('running');
if (market !== '') await threads.replay(fedFrom(market));
