// The embedded engine, held to the suite of the sink, and what a sink says that cannot be reached.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { ClickHouse, clickhouseSink } from '../../sinks/clickhouse.ts';
import { engineForTests } from '../support/engine.ts';
import { bar, rowsOf } from '../support/wire-records.ts';
import { sinkConformance } from './sink.ts';

setDefaultTimeout(60_000);
const running = engineForTests();

sinkConformance('embedded', () => {
  const { clickhouse } = running();
  return { clickhouse, sink: clickhouseSink(clickhouse) };
});

test('a server that is away is a fault to retry, said by health as well', async () => {
  const away = new ClickHouse({ url: 'http://127.0.0.1:9', connectionsMax: 1, requestTimeoutMs: 1_000 });
  const sink = clickhouseSink(away);
  const rows = rowsOf('aggregation.ohlc.bars.v1', [bar()], 'a');
  const fault = await sink.write(rows, AbortSignal.timeout(1_000)).catch((error: unknown) => error);
  expect(fault).toMatchObject({ name: 'Fault', code: 'clickhouse_unreachable', retryable: true });
  expect(await sink.health()).toContain('cannot be reached');
  await sink.close();
});

test('a password that is refused is not retried, and is not told', async () => {
  const url = running().engine.url.replace('http://', 'http://default:not-it@');
  const refused = new ClickHouse({ url, connectionsMax: 1, requestTimeoutMs: 5_000 });
  const fault = await refused.rows('SELECT 1').catch((error: unknown) => error);
  expect(fault).toMatchObject({ name: 'Fault', code: 'clickhouse_denied', retryable: false });
  expect(String(fault)).not.toContain('not-it');
  await refused.close();
});
