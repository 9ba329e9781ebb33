// A log that cannot say how far it is read, as brokers without a coordinator for a while: who waits for the
// end of a replay waits on, and does not take that for an end of its own.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { LogFault } from '../../runtime/log/log-fault.ts';
import { openBench } from '../support/bench.ts';
import { countOf } from '../support/gold.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { temporaryDirs } from '../support/temporary.ts';

const newDir = temporaryDirs('carbon-lag-away');
const AWAY = 20;

test('catching up outlasts a log that is away', async () => {
  const dir = newDir();
  const log = openEmbeddedLog({ dir: join(dir, 'log'), nowMs: Date.now });
  const lag = log.lag.bind(log);
  let left = 0;
  log.lag = async (group) => {
    if (left === 0) return lag(group);
    left -= 1;
    throw new LogFault('no coordinator now', 'kafka', true);
  };
  const bench = await openBench({ dir, log });
  try {
    const response = responseOf(recording('20261002T1650'));
    await bench.feed([response]);
    left = AWAY;
    await bench.pipeline.caughtUp(new AbortController().signal);
    expect(left).toBe(0);
    expect(await countOf(bench.clickhouse, 'silver_normalized_market_data')).toBeGreaterThan(0);
  } finally {
    left = 0;
    await bench.close();
  }
}, 120_000);
