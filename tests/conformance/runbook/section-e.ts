// E. Issue 4, ClickHouse: what is looked at, a full disk, parts, and OPTIMIZE under load.

import { expect } from 'bun:test';
import { command } from '../../support/command.ts';
import { composeServices } from '../../support/compose.ts';
import { temporaryDirectory } from '../../support/product.ts';
import { until } from '../../support/until.ts';
import { later, row } from './rows.ts';
import type { World } from './world.ts';

const MINUTES = 60_000;
const CLIENT = 'a clickhouse-client that posts its query';
const DISK_LEFT_BYTES = 2_000_000;
const LOAD_SECONDS = 20;
const PARTS_MAX = 100;

export function sectionE(world: World): void {
  row('E4', 'curl http://clickhouse:8123/ping', { used: 'curl led to the port of the test' }, async () => {
    expect(await world.station.says('curl -s http://clickhouse:8123/ping')).toBe('Ok.\n');
    return undefined;
  });
  const full = {
    used: world.canFill ? 'a small file system' : 'a server that is stopped: this machine cannot mount',
    without: 'its alert, which comes later',
    boundMs: 5 * MINUTES,
  };
  row('E7', 'disk full: projection waits and says so, and goes on by itself', full, () => e7(world));
  row('E1', 'a failed write is counted by kind, and in the log with batch, rows and code', {}, () =>
    e1(world),
  );
  row('E2', 'the histogram of writes is there', { without: 'its alert, which comes later' }, async () => {
    const found = (await world.metrics('projection')).get('clickhouse_write_latency_seconds');
    expect(found?.type).toBe('histogram');
    return undefined;
  });
  row('E3', 'how fresh the tables are, by market', { without: 'its alert, which comes later' }, () =>
    e3(world),
  );
  const load = { used: `${CLIENT}; 20 s of load, which is 10 min / 30`, boundMs: 4 * MINUTES };
  row('E5', 'system.parts: few active parts in each partition', load, () => e5(world));
  row('E6', 'df -h /var/lib/clickhouse: the volume is mounted there', { without: 'a Docker engine' }, e6);
  later('E8', 'DROP PARTITION with the retention floor');
  const optimize = { used: CLIENT, boundMs: 4 * MINUTES };
  row('E9', 'OPTIMIZE … FINAL under load changes no answer', optimize, () => e9(world));
  later('E10', 'hot reload of clickhouse.pool_size');
  row('E11', 'the doctor tells max_connections and how many are used', {}, () => e11(world));
  later('E12', 'alert ClickHouseWritesFailing');
}

/** Failed writes that projection has counted, by kind. */
async function failures(world: World): Promise<ReadonlyMap<string, number>> {
  const samples = (await world.metrics('projection')).get('projection_errors_total')?.samples ?? [];
  const ours = samples.filter(({ labels }) => labels.kind?.startsWith('clickhouse_'));
  return new Map(ours.map(({ labels, value }) => [labels.kind ?? '', value]));
}

async function e7(world: World): Promise<string> {
  await world.settled();
  const kind = world.disk === null ? 'clickhouse_unreachable' : 'clickhouse_disk_full';
  const before = (await failures(world)).get(kind) ?? 0;
  if (world.disk === null) await world.stopClickHouse();
  else world.disk.stayFull(DISK_LEFT_BYTES);
  let more = 0;
  try {
    await until(
      `${kind} to be counted`,
      async () => {
        await world.feeder.quarters(1);
        more = ((await failures(world)).get(kind) ?? 0) - before;
        return more > 3;
      },
      2 * MINUTES,
    );
    await until('8513 to say 503', async () => (await world.health('projection')).code === 503);
    expect(await world.lag('projection-service')).toBeGreaterThan(0);
    expect((await world.health('aggregation')).code).toBe(200);
  } finally {
    // The rows behind it need it, whatever became of this one.
    if (world.disk === null) await world.startClickHouse();
    else world.disk.relieve();
  }
  expect(await world.faults()).toEqual([]);
  return `${more} failed writes, ${world.feeder.count} ticks each once`;
}

async function e1(world: World): Promise<string> {
  const kinds = await failures(world);
  expect([...kinds.values()].some((each) => each > 0)).toBe(true);
  const lines = world.main.lines.filter((each) => each.event === 'write_failed');
  const line = lines.find((each) => world.disk === null || each.clickhouse_code === '243');
  expect(line).toMatchObject({ topic: expect.any(String), batch: expect.any(String) });
  expect(Number(line?.rows)).toBeGreaterThan(0);
  return `${JSON.stringify(Object.fromEntries(kinds))}, batch ${line?.batch}`;
}

async function e3(world: World): Promise<string> {
  const seconds = async (): Promise<number> => {
    const found = (await world.metrics('projection')).get('projection_freshness_seconds')?.samples ?? [];
    return found.find(({ labels }) => labels.market === 'CAISO')?.value ?? -1;
  };
  const old = await until('an age', async () => {
    const found = await seconds();
    return found > 1 ? found : null;
  });
  await world.feeder.quarters(1);
  const younger = async () => (await seconds()) < old;
  await until('it is younger', younger, MINUTES);
  return `${old.toFixed(1)} s, and less after a record`;
}

/** Two quarter hours a second, some 1000 rows a second. */
async function load(world: World, seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n += 1) await Promise.all([world.feeder.quarters(2), Bun.sleep(1_000)]);
}

async function e5(world: World): Promise<string> {
  const sql = "SELECT sum(value) AS n FROM system.events WHERE event = 'InsertedRows'";
  const rows = async () => Number((await world.clickhouse.rows<{ n: number }>(sql))[0]?.n ?? 0);
  const before = await rows();
  await load(world, LOAD_SECONDS);
  await world.settled();
  const line = `clickhouse-client --query="SELECT * FROM system.parts WHERE database='carbon_ingestion'"`;
  const parts = (await world.station.says(line)).trim().split('\n');
  expect(parts.length).toBeGreaterThan(5);
  expect(parts.every((each) => each.split('\t').includes('carbon_ingestion'))).toBe(true);
  const counted = await world.clickhouse.rows<{ n: number }>(
    `SELECT count() AS n FROM system.parts WHERE active AND database = 'carbon_ingestion'
     GROUP BY table, partition_id ORDER BY n DESC LIMIT 1`,
  );
  const most = counted[0]?.n ?? 0;
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(PARTS_MAX);
  const inserted = (await rows()) - before;
  return `at most ${most} active parts a partition; ${Math.round(inserted / LOAD_SECONDS)} rows/s`;
}

async function e6(): Promise<string> {
  const { volumes = [] } = composeServices().clickhouse ?? { volumes: [] };
  expect(volumes).toContain('clickhouse-data:/var/lib/clickhouse');
  return 'volume clickhouse-data';
}

async function e9(world: World): Promise<string> {
  await world.settled();
  const one = async (sql: string): Promise<number> => {
    const [found] = await world.clickhouse.rows<{ n: string }>(sql);
    return Number(found?.n);
  };
  const before = `aggregation_timestamp < now() - 1`;
  const sum = () =>
    world.clickhouse.rows(
      `SELECT count() AS n,
              groupBitXor(cityHash64(toString(tuple(* EXCEPT (aggregation_timestamp, aggregation_date)))))
       FROM carbon_ingestion.gold_ohlc_bars FINAL WHERE ${before}`,
    );
  const physical = `SELECT toString(sum(rows)) AS n FROM system.parts
                    WHERE active AND database = 'carbon_ingestion' AND table = 'gold_ohlc_bars'`;
  const line = 'clickhouse-client --query="OPTIMIZE TABLE carbon_ingestion.gold_ohlc_bars FINAL"';
  const [checksum, rows] = [await sum(), await one(physical)];
  await world.station.says(line);
  expect(await sum()).toEqual(checksum);
  const shrunk = await one(physical);
  expect(shrunk).toBeLessThanOrEqual(rows);
  await Promise.all([load(world, 3), world.station.says(line)]);
  await world.station.says(line);
  expect(await world.faults()).toEqual([]);
  return `${rows} physical rows became ${shrunk}`;
}

async function e11(world: World): Promise<string> {
  using dir = temporaryDirectory();
  const env = { CLICKHOUSE_URL: world.engine.url };
  const { lines } = await command('runtime/cli/doctor.ts', dir.path, env);
  const told = lines.find((each) => each.includes('max_connections')) ?? '';
  expect(told).toMatch(/max_connections \d+, \d+ in use/);
  return told.slice(22);
}
