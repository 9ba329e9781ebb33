// ClickHouse outside of the process, and what can happen to it while the sample is taken in: away at the
// start and for long, hanging, losing replies after it has written, cut in the middle of an insert, killed in
// it, slow, its disk full. Consumption waits, memory stays flat, health says what is so, all goes on by
// itself, and gold is the oracle's.
//
// CLICKHOUSE_LOST=100 CLICKHOUSE_KILLS=20: so many lost replies and kills; unset: some.

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '../../runtime/services.ts';
import type { OracleBar } from '../oracle/bars.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { clientOf, startEngine } from '../support/engine.ts';
import { countOf, rowsOf } from '../support/gold.ts';
import { Product } from '../support/product.ts';
import { proxiesForTests, type TcpProxy } from '../support/proxy.ts';
import { recording } from '../support/recordings.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { canMount, smallDisk } from '../support/tmpfs.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const LOST = Number(process.env.CLICKHOUSE_LOST ?? 20);
const KILLS = Number(process.env.CLICKHOUSE_KILLS ?? 2);
const LOSING_TIMES = 4;
/** So many looks in a row at a log that does not grow, and input has stopped. */
const STILL_LOOKS = 3;
const DISK = '1500m';
/** Resident memory may be so much larger at the end of the outage than when input had come to its stop. */
const GROWTH_MAX = 1.25;
const RSS_MB_MAX = 1_500;
const NAMES = SERVICES.map(({ name }) => name);
const SAMPLE = [
  '20110716_da_lmp',
  '20200101_20200101',
  '13_35_13',
  'Previous.EXCERPT',
  'GetExAnte',
  'lmp1Day',
];

const newDir = temporaryDirs('carbon-outage');
const newProxy = proxiesForTests();
const dir = newDir();
/** A small file system, where this machine may mount one. */
const disk = canMount ? smallDisk(DISK) : null;
const home = disk?.path ?? newDir();
let engine: Awaited<ReturnType<typeof startEngine>>;
let proxy: TcpProxy;
let product: Product;

beforeAll(async () => {
  engine = await startEngine(home);
  proxy = await newProxy('refuse', () => engine.httpPort);
  product = new Product({ dir, env: { CLICKHOUSE_URL: `http://127.0.0.1:${proxy.port}` } });
}, 2 * MINUTES);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await engine.stop();
  disk?.[Symbol.dispose]();
}, MINUTES);

async function health(of: (typeof NAMES)[number]): Promise<{ code: number; cause: string | null }> {
  const response = await product.get(of, '/health', { signal: AbortSignal.timeout(20_000) });
  return { ...JSON.parse(await response.text()), code: response.status };
}

function rssMb(): number {
  const status = readFileSync(`/proc/${product.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Tries of projection to write, that failed. */
async function failures(): Promise<number> {
  const text = await (await product.get('projection', '/metrics')).text();
  const lines = text.matchAll(/^projection_errors_total\{[^}]*kind="clickhouse_\w+"[^}]*\} (\d+)/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The sum of a counter of the server since it was started. */
async function counter(event: string): Promise<number> {
  const clickhouse = clientOf(engine);
  try {
    const sql = `SELECT value AS n FROM system.events WHERE event = '${event}'`;
    return Number((await clickhouse.rows<{ n: number }>(sql))[0]?.n ?? 0);
  } finally {
    await clickhouse.close();
  }
}

/** What the supervisors told of projection. */
async function events(kind: 'note' | 'resume'): Promise<readonly unknown[]> {
  const response = await product.get('projection', `/events?kind=${kind}&limit=500`);
  const { events: told }: { events: readonly { service: string }[] } = JSON.parse(await response.text());
  return told.filter(({ service }) => service === 'projection-service');
}

/** Active parts of the partition that has most of them. */
async function partsMost(): Promise<number> {
  const clickhouse = clientOf(engine);
  try {
    const each = 'SELECT count() AS n FROM system.parts WHERE active GROUP BY table, partition_id';
    return Number((await clickhouse.rows<{ n: number }>(`SELECT max(n) AS n FROM (${each})`))[0]?.n);
  } finally {
    await clickhouse.close();
  }
}

const progress = async (): Promise<void> => {
  const at = committed();
  await until('progress', () => committed() > at, 2 * MINUTES);
};

async function failuresMore(count: number): Promise<void> {
  const before = await failures();
  await until(`${count} more failures`, async () => (await failures()) >= before + count, 4 * MINUTES);
}

function onLog(sql: string): number {
  const db = new Database(join(dir, 'data', 'log', 'log.sqlite'), { readonly: true });
  try {
    return db.query<{ sum: number | null }, []>(sql).get()?.sum ?? 0;
  } finally {
    db.close();
  }
}

/** The sum of the positions that projection has committed. */
const committed = (): number =>
  onLog("SELECT sum(next) AS sum FROM offsets WHERE grp = 'projection-service'");

/** Records of markets on all topics; events of the supervisors, a few each retry, are not among them. */
const records = (): number =>
  onLog(`SELECT sum(next) AS sum FROM ends JOIN topics ON topics.id = ends.tp / 10000
         WHERE name LIKE 'ingestion.%' OR name LIKE 'normalized.%' OR name LIKE 'aggregation.%'`);

test(
  'a start without ClickHouse is a start: 8513 says what is missing, the others work',
  async () => {
    await product.ready();
    const seen = await until('projection says it', async () => {
      const found = await health('projection');
      return found.code === 503 && found.cause?.includes('ClickHouse') ? found : null;
    });
    expect(seen.cause).toContain('cannot be reached');
    for (const name of NAMES) {
      expect((await product.get(name, '/health/live')).status).toBe(200);
      if (name !== 'projection') expect((await health(name)).code).toBe(200);
    }
  },
  2 * MINUTES,
);

test(
  'while it is away input comes to its stop, offsets wait and memory is flat',
  async () => {
    let before = -1;
    let still = 0;
    await until(
      'nothing more comes onto the log while projection fails',
      async () => {
        const now = records();
        still = now > 0 && now === before ? still + 1 : 0;
        before = now;
        await failuresMore(70);
        return still >= STILL_LOOKS;
      },
      4 * MINUTES,
    );
    expect(product.lines.some((line) => line.event === 'sample_in')).toBe(false);
    expect(committed()).toBe(0);
    const atStop = rssMb();
    await failuresMore(200);
    console.log(`resident memory: ${Math.round(atStop)} MB at the stop, ${Math.round(rssMb())} MB after it`);
    expect(rssMb()).toBeLessThan(Math.max(atStop, 600) * GROWTH_MAX);
    expect(rssMb()).toBeLessThan(RSS_MB_MAX);
    expect(committed()).toBe(0);
    expect((await health('projection')).code).toBe(503);
  },
  9 * MINUTES,
);

test(
  `it goes on by itself, hangs, and loses ${LOST} replies after it has written`,
  async () => {
    proxy.turn('pass');
    await until('rows', () => committed() > 0, 2 * MINUTES);
    proxy.turn('hang');
    // One outage, though hundreds of tries failed.
    expect((await events('note')).length).toBeLessThan(20);
    await until('projection says it', async () => {
      const found = await health('projection');
      return found.code === 503 && found.cause?.includes('no answer within') === true;
    });
    expect((await health('normalization')).code).toBe(200);
    for (let time = 1; time <= LOSING_TIMES; time += 1) {
      proxy.turn('lose');
      await until('replies are lost', () => proxy.lost >= (LOST * time) / LOSING_TIMES, 4 * MINUTES);
      proxy.turn('pass');
      await progress();
    }
  },
  9 * MINUTES,
);

test.skipIf(disk === null)(
  'its disk is full (needs the right to mount): offsets wait, health says it, it goes on when there is room',
  async () => {
    if (disk === null) return;
    disk.stayFull(300_000);
    const full = await until('projection says it', async () => {
      const text = await (await product.get('projection', '/metrics')).text();
      return /projection_errors_total\{[^}]*kind="clickhouse_disk_full"[^}]*\} [1-9]/.test(text);
    });
    expect(full).toBe(true);
    await failuresMore(20);
    const at = committed();
    await failuresMore(60);
    expect(committed()).toBe(at);
    const said = product.lines.find((line) => line.code === 'clickhouse_disk_full');
    expect(said).toMatchObject({ event: 'write_failed', cause: expect.stringContaining('243') });
    expect((await health('projection')).code).toBe(503);
    expect((await health('normalization')).code).toBe(200);
    disk.relieve();
    await progress();
  },
  5 * MINUTES,
);

test(
  `it is cut in the middle of an insert, and killed ${KILLS} times`,
  async () => {
    proxy.turn('tear');
    await until('inserts are cut', () => proxy.torn >= 3, 2 * MINUTES);
    proxy.turn('pass');
    await progress();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const inserted = await counter('InsertedRows');
      await until('rows', async () => (await counter('InsertedRows')) > inserted, 2 * MINUTES);
      process.kill(engine.pid, 'SIGKILL');
      await failuresMore(1);
      engine = await startEngine(home);
      await progress();
    }
  },
  (2 + KILLS) * MINUTES,
);

test(
  'it is slow, and then well: the rest comes in',
  async () => {
    proxy.turn('slow');
    const at = committed();
    const isIn = () => product.lines.some((line) => line.event === 'sample_in');
    await until('progress, or the end', () => committed() > at || isIn(), 2 * MINUTES);
    proxy.turn('pass');
    expect(await product.sampleIn()).toMatchObject({ balanced: true });
    await until('the end of an outage to be told', async () => (await events('resume')).length > 0, MINUTES);
    await until('projection is well', async () => (await health('projection')).code === 200);
    const [inserts, rows] = [await counter('InsertQuery'), await counter('InsertedRows')];
    console.log(
      `${rows} rows in ${inserts} inserts since its last start, ${Math.round(rows / inserts)} each`,
    );
    expect(await partsMost()).toBeLessThan(100);
    expect(await product.stop()).toBe(0);
  },
  5 * MINUTES,
);

test(
  'gold is the oracle’s, silver holds each tick once',
  async () => {
    const priced = SAMPLE.map(recording).flatMap(readRecording);
    const clickhouse = clientOf(engine);
    try {
      const rows = rowsOf<OracleBar>(clickhouse, 'gold_ohlc_bars');
      expect(await barDifferences(rows, observe(priced))).toEqual([]);
      expect(await countOf(clickhouse, 'silver_normalized_market_data')).toBe(priced.length);
    } finally {
      await clickhouse.close();
    }
  },
  4 * MINUTES,
);
