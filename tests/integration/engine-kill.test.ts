// SIGKILL of the engine while rows are written: it comes back by itself, writes resume, and what was
// acknowledged is there, each row once.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { systemClock } from '../../runtime/clock.ts';
import { Database } from '../../runtime/database.ts';
import { Fault } from '../../sinks/sink.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import * as wire from '../support/wire-records.ts';

setDefaultTimeout(240_000);
const newDir = temporaryDirs('carbon-engine-kill');
const KILLS = 3;
const ROWS = 200;

test(`${KILLS} kills under load lose nothing acknowledged and double nothing`, async () => {
  const dir = newDir();
  const events: string[] = [];
  const database = await Database.open(
    { clock: systemClock, draw: () => 0.5, record: ({ kind }) => events.push(kind) },
    {
      environment: { clickhouse: { kind: 'embedded', httpPort: 0, tcpPort: 0 }, dataDir: dir, logDir: dir },
      poolSize: 4,
      timeoutMs: 20_000,
      backoff: { initialMs: 50, maxMs: 500, jitter: 0.2 },
    },
  );
  await database.migrate();
  const { sink } = database;
  const faults = new Set<string>();
  let acknowledged = 0;
  let running = true;
  const batch = (n: number) =>
    Array.from({ length: ROWS }, (_, row) =>
      wire.bar({ delivery_location: `B${n}`, bar_start: wire.START_US + row }),
    );
  const attempt = async (n: number): Promise<boolean> => {
    const rows = wire.rowsOf('aggregation.ohlc.bars.v1', batch(n), `bars/0/${n}`);
    try {
      await sink.write(rows, AbortSignal.timeout(20_000));
      return true;
    } catch (error) {
      if (!(error instanceof Fault) || !error.retryable) throw error;
      faults.add(error.code);
      return false;
    }
  };
  const load = (async () => {
    for (let n = 0; running; n += 1) {
      await until(`batch ${n} is acknowledged`, () => attempt(n), 120_000);
      acknowledged = n + 1;
    }
  })();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = acknowledged;
    await until('some batches', () => acknowledged > before + 5, 120_000);
    const pid = database.enginePid;
    if (pid === null) throw new Error('the engine is down before it was killed');
    process.kill(pid, 'SIGKILL');
    await until('health to say it', async () => (await database.health()).status === 'down');
    await until('another engine', () => database.enginePid !== null && database.enginePid !== pid, 120_000);
  }
  const last = acknowledged;
  await until('writes after the last kill', () => acknowledged > last + 3, 120_000);
  running = false;
  await load;
  const count = async (of: string): Promise<number> => {
    const [row] = await database.clickhouse.rows<{ n: number }>(
      `SELECT ${of} AS n FROM carbon_ingestion.gold_ohlc_bars`,
    );
    return row?.n ?? -1;
  };
  expect(await count('count()')).toBe(acknowledged * ROWS);
  expect(await count('uniqExact(delivery_location, bar_start)')).toBe(acknowledged * ROWS);
  expect(faults).toContain('clickhouse_unreachable');
  const well = { status: 'embedded', cause: null };
  await until('health', async () => Bun.deepMatch(well, await database.health()));
  expect(events.filter((kind) => kind === 'dependency_down').length).toBeGreaterThanOrEqual(KILLS);
  await database.close();
  expect(database.enginePid).toBeNull();
});
