// The product as a process that follows both markets live, from a stand-in on loopback that its own
// connectors.yaml names: killed while it takes prices in, started with other names beside, switched,
// corrected, cut off. At the end gold is what the operators said, once, and the books balance.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { marketCalendar } from '../../actors/domain/operating-day.ts';
import { caiso } from '../../actors/feeds/caiso.ts';
import { miso } from '../../actors/feeds/miso.ts';
import type { Ledger } from '../../actors/ledger.ts';
import { openBench } from '../support/bench.ts';
import { type ConfigDir, configDir, SHIPPED } from '../support/config-dir.ts';
import { CAISO_NODES, MarketServer, MISO_NODES } from '../support/operators/market-server.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(300_000);

const HOUR = 3_600_000;
const INTERVAL_MS = 200;
const IN_MS_MAX = 240_000;
const TOKEN = 'only-for-this-test';
const operators = new MarketServer();
const place = temporaryDirectory();
let configs: ConfigDir;
let product: Product;

interface Json {
  readonly [name: string]: unknown;
}
interface RunDay {
  readonly run: string;
  readonly summary: string;
  readonly expected: number;
  readonly due: number;
  readonly present: number;
  readonly complete: boolean;
  readonly gaps: readonly { readonly location: string; readonly from: string; readonly intervals: number }[];
}

function connectorsYaml(): string {
  const common = `
    allow_private_addresses: true
    limits: { request_interval_ms: ${INTERVAL_MS}, timeout_ms: 30000, response_mb_max: 8 }
    retry: { initial_ms: 300, max_ms: 1000 }
    breaker: { failures: 3, pause_ms: 500, pause_ms_max: 1000 }`;
  const nodes = `[${CAISO_NODES.join(', ')}]`;
  return `
connectors:
  caiso:
    market: CAISO
    base_urls: { oasis: ${operators.url}/oasisapi }${common}
    live:
      dam: { source: caiso.dam, nodes: ${nodes}, days_back: 5 }
      rtpd: { source: caiso.rtpd, nodes: ${nodes}, days_back: 2 }
  miso:
    market: MISO
    base_urls: { reports: ${operators.url}/marketreports }${common}
    live:
      da-expost: { source: miso.da-expost, nodes: [${MISO_NODES.join(', ')}], days_back: 2 }
`;
}

beforeAll(() => {
  configs = configDir(SHIPPED, { connectors: connectorsYaml() });
});
afterAll(async () => {
  await product?.[Symbol.asyncDispose]();
  await operators.stop();
  configs[Symbol.dispose]();
  place[Symbol.dispose]();
});

function launch(connectors: string): Product {
  // The turns of a host belong to the machine; a test has a machine of its own.
  const env = { CONFIG_DIR: configs.path, CONNECTORS: connectors, TMPDIR: place.path, ADMIN_TOKEN: TOKEN };
  product = new Product({ dir: place.path, env });
  return product;
}

async function live(connectors: string): Promise<void> {
  await launch(connectors).line('following live', (line) => line.event === 'live');
}

const dayBefore = (market: typeof caiso, days: number): string => {
  const calendar = marketCalendar(market.zone);
  return calendar.dayOf(calendar.dayOf(Date.now()).startMs - (days - 1) * 24 * HOUR - HOUR).date;
};

async function runsOf(market: string, date: string): Promise<readonly RunDay[]> {
  const of = await product.json('data-quality', `/completeness?market=${market}&date=${date}`);
  const runs: readonly RunDay[] = JSON.parse(JSON.stringify(of.runs));
  return runs;
}

/** Days before today that connectors.yaml follows. */
const DAYS_BACK: Readonly<Record<string, number>> = { DAM: 5, RTPD: 2, DA_EXPOST: 2 };

/** Everything that is published by now is on the log, of tomorrow, today, and the days before. */
async function allIn(...markets: readonly (typeof caiso)[]): Promise<void> {
  const isIn = async (market: typeof caiso, back: number): Promise<boolean> => {
    const runs = await runsOf(market.market, dayBefore(market, back));
    return runs.every(({ run, due, present }) => present >= due || back > (DAYS_BACK[run] ?? 0));
  };
  await until(
    'all that is published is in',
    async () => {
      for (const market of markets) {
        for (const back of [-1, 0, 1, 2, 3, 4, 5]) if (!(await isIn(market, back))) return false;
      }
      return true;
    },
    IN_MS_MAX,
  );
}

async function send(method: string, path: string, body?: Json): Promise<{ status: number; body: Json }> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const headers = { authorization: `Bearer ${TOKEN}`, ...type };
  const answer = await product.get('data-quality', path, { method, headers, ...json });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

/** Hourly bars of a day by node and start. */
async function bars(market: string, run: string, node: string, date: string): Promise<Map<number, Json>> {
  const words = `market=${market}&run=${run}&delivery_location=${node}&bar_size=1H&limit=100`;
  const path = `/query/ohlc?${words}&start_date=${date}&end_date=${date}&use_cache=false`;
  const { results } = await product.json('projection', path);
  const rows: readonly Json[] = JSON.parse(JSON.stringify(results));
  return new Map(rows.map((row) => [Date.parse(String(row.bar_start)), row]));
}

async function expectDay(market: typeof caiso, run: string, nodes: readonly string[], date: string) {
  const day = marketCalendar(market.zone).day(date);
  if (day === null) throw new Error(date);
  for (const node of nodes) {
    const found = await until(`bars of ${run} ${node} ${date}`, async () => {
      const rows = await bars(market.market, run, node, date);
      return rows.size * HOUR === day.endMs - day.startMs ? rows : null;
    });
    for (const [startMs, row] of found) {
      const cents = operators.cents(market.market, run, node, startMs);
      expect([startMs, row.open_price, row.trade_count]).toEqual([startMs, (cents ?? Number.NaN) / 100, 1]);
    }
  }
}

test('a name that connectors.yaml does not have ends the start', async () => {
  launch('caiso,ercot,nyiso');
  expect(await product.exited()).toBe(78);
  expect(product.lines.at(-1)).toMatchObject({
    event: 'startup_failed',
    findings: [
      { where: 'CONNECTORS', message: "no 'ercot'; known are caiso, miso" },
      { where: 'CONNECTORS', message: "no 'nyiso'; known are caiso, miso" },
    ],
  });
});

test('killed while it takes prices in, it loses and doubles nothing', async () => {
  // Before an answer is given, and a moment after, when it is on its way to the log.
  for (const [n, afterMs] of [
    [2, 0],
    [2, 4],
    [3, 12],
  ] as const) {
    const from = operators.asked.length;
    operators.onRequest = () => {
      if (operators.asked.length < from + n) return;
      if (afterMs === 0) product.signal('SIGKILL');
      else setTimeout(() => product.signal('SIGKILL'), afterMs);
    };
    launch('caiso');
    expect(await product.exited()).toBe(137);
  }
  operators.onRequest = () => {};
  await live('caiso');
  await allIn(caiso);
  await expectDay(caiso, 'DAM', CAISO_NODES, dayBefore(caiso, 1));
  expect((await send('GET', '/connectors')).body).toMatchObject({ count: 1 });
});

test('with another name beside it, nothing that is there is asked for again', async () => {
  expect(await product.stop()).toBe(0);
  operators.asked.length = 0;
  await live('caiso,miso');
  await allIn(caiso, miso);
  await expectDay(miso, 'DA_EXPOST', MISO_NODES, dayBefore(miso, 1));
  expect(operators.asked.filter(({ what }) => what.startsWith('DAM'))).toEqual([]);
  const [yesterday] = (await runsOf('MISO', dayBefore(miso, 1))).map(({ summary }) => summary);
  expect(yesterday).toBe('72 of 72');

  const { body } = await send('GET', '/connectors/miso/runs?limit=3');
  expect(body.runs).toMatchObject([
    { outcome: 'response', http_status: 200, records: 72, error: null },
    {},
    {},
  ]);
  expect((await send('GET', '/connectors/miso/health')).body).toMatchObject({
    status: 'healthy',
    circuit: 'closed',
    consecutive_failures: 0,
  });
  const metrics = await (await product.get('normalization', '/metrics')).text();
  expect(metrics).toMatch(/^connector_request_seconds_count\{market="MISO",endpoint="miso.da-expost"\} \d/m);
  expect(metrics).toMatch(/^connector_runs_total\{market="MISO",feed="da-expost",outcome="response"\} \d/m);
  const tree = JSON.stringify(await product.json('aggregation', '/actors'));
  for (const path of ['connectors/caiso', 'connectors/caiso/dam', 'connectors/miso/da-expost']) {
    expect(tree).toContain(`"path":"${path}"`);
  }
});

test('a connector that is switched off stays off over a restart, and says why', async () => {
  const off = await send('POST', '/connectors/miso/disable', { reason: 'bad upstream data' });
  expect([off.status, off.body.enabled, off.body.reason]).toEqual([200, false, 'bad upstream data']);
  expect(await product.stop()).toBe(0);
  operators.asked.length = 0;
  await live('miso,caiso');
  expect((await send('GET', '/connectors/miso')).body).toMatchObject({
    status: 'disabled',
    enabled: false,
    reason: 'bad upstream data',
  });
  expect((await send('GET', '/connectors/miso/health')).body.cause).toContain('bad upstream data');
  expect(await send('POST', '/connectors/miso/fetch')).toMatchObject({ status: 409 });
  const events = await product.json('normalization', '/events?actor=connectors/miso');
  expect(JSON.stringify(events)).toContain('"cause":"bad upstream data","decision":"disabled"');
  const job = { market: 'MISO', run: 'DA_EXPOST', from: dayBefore(miso, 9), to: dayBefore(miso, 8) };
  const waiting = await send('POST', '/backfill', job);
  expect(waiting).toMatchObject({ status: 202, body: { status: 'running', windows: 2, windows_done: 0 } });
  const cancelled = await send('DELETE', `/backfill/${waiting.body.job_id}`);
  expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  expect(await send('DELETE', `/backfill/${waiting.body.job_id}`)).toMatchObject({ status: 409 });
  await send('POST', '/backfill', job);
  expect(operators.asked.filter(({ market }) => market === 'MISO')).toEqual([]);

  // The job is on the log: it waits over a restart too.
  expect(await product.stop()).toBe(0);
  await live('caiso,miso');
  const { jobs: waited } = (await send('GET', '/backfill')).body;
  expect(waited).toMatchObject([{ status: 'cancelled' }, { status: 'running', windows_done: 0 }]);
  expect((await send('POST', '/connectors/miso/enable')).body).toMatchObject({ enabled: true, reason: null });
  const done = await until('the backfill is done', async () => {
    const { jobs } = await product.json('data-quality', '/backfill');
    const all: readonly Json[] = JSON.parse(JSON.stringify(jobs));
    return all.find(({ status }) => status === 'done');
  });
  expect(done).toMatchObject({ windows: 2, windows_done: 2, progress: 1, only_missing: true });
  await expectDay(miso, 'DA_EXPOST', MISO_NODES, dayBefore(miso, 8));
  expect(await send('POST', '/connectors/miso/fetch')).toMatchObject({ status: 202 });
});

test('a day that is published again comes in as revisions', async () => {
  const date = dayBefore(caiso, 1);
  const day = marketCalendar(caiso.zone).day(date);
  const [node = ''] = CAISO_NODES;
  const startMs = (day?.startMs ?? 0) + 5 * HOUR;
  operators.corrections.set(`CAISO|DAM|${node}|${startMs}`, { outMs: Date.now(), cents: 123_456 });
  const job = { market: 'CAISO', run: 'DAM', from: date, to: date, only_missing: false };
  expect(await send('POST', '/backfill', job)).toMatchObject({ status: 202 });
  const row = await until('the corrected bar', async () => {
    const found = (await bars('CAISO', 'DAM', node, date)).get(startMs);
    return found?.open_price === 1_234.56 ? found : null;
  });
  expect([row.trade_count, Number(row.revision)]).toEqual([1, 2]);
  const { body } = await send('GET', '/connectors/caiso/runs?limit=20');
  const runs: readonly Json[] = JSON.parse(JSON.stringify(body.runs));
  expect(runs.find(({ why }) => why === 'backfill')).toMatchObject({
    records: 1,
    corrected: 1,
    unchanged: 47,
  });
});

test('an operator that is away degrades health and says why, and is followed again by itself', async () => {
  operators.down = true;
  await send('POST', '/connectors/miso/fetch');
  const job = { market: 'MISO', run: 'DA_EXPOST', from: dayBefore(miso, 30), to: dayBefore(miso, 21) };
  await send('POST', '/backfill', job);
  const sick = await until('MISO is unhealthy', async () => {
    const answer = await send('GET', '/connectors/miso/health');
    return answer.status === 503 ? answer.body : null;
  });
  expect(sick).toMatchObject({ status: 'unhealthy', circuit: expect.stringMatching(/open/) });
  expect(String(sick.cause)).toContain('HTTP 500');
  const health = await product.get('normalization', '/health');
  expect(health.status).toBe(200);
  const said: Json = JSON.parse(await health.text());
  expect(said).toMatchObject({ status: 'degraded', dependencies: { caiso: { status: 'up' } } });
  expect(String(said.cause)).toStartWith('miso: no feed gets its prices (HTTP 500)');
  operators.down = false;
  await until('the backfill is done', async () => {
    const { jobs } = await product.json('data-quality', '/backfill');
    return !JSON.stringify(jobs).includes('"status":"running"');
  });
  expect((await product.get('normalization', '/health')).status).toBe(200);
  expect((await send('GET', '/connectors/miso/health')).body.status).toBe('healthy');
  const kinds = product.lines
    .filter(({ actor }) => actor === 'connectors/miso/da-expost')
    .map((of) => of.kind);
  expect(kinds.filter((kind) => kind === 'dependency_up')).toHaveLength(1);
});

test('bad questions are told what, where and what to do', async () => {
  const wrong = async (method: string, path: string, body?: Json) => {
    const { status, body: said } = await send(method, path, body);
    return `${status} ${said.error}: ${said.message}`;
  };
  expect(await wrong('GET', '/connectors/ercot')).toStartWith("404 unknown_connector: no connector 'ercot'");
  expect(await wrong('GET', '/connectors/caiso/runs?limit=0')).toContain('422 invalid_parameter: limit');
  expect(await wrong('POST', '/connectors/caiso/disable', {})).toContain('422 invalid_parameter: reason');
  expect(await wrong('GET', '/completeness?market=CAISO')).toContain('422 invalid_parameter: date');
  expect(await wrong('GET', '/completeness?market=CAISO&date=2026-02-30')).toContain('no such day');
  expect(await wrong('GET', '/completeness?market=CAISO&date=2026-02-20&run=XX')).toStartWith('404 ');
  const job = { market: 'CAISO', run: 'DAM', from: '2020-01-02', to: '2020-01-01' };
  expect(await wrong('POST', '/backfill', job)).toContain('is after to');
  expect(await wrong('POST', '/backfill', { ...job, from: '2020-01-01' })).toContain('2020-01-01 is gone');
  expect(await wrong('POST', '/backfill', { ...job, from: 'x' })).toContain('422 invalid_parameter: from');
  expect(await wrong('GET', '/backfill/x')).toStartWith('404 unknown_backfill');
});

test('who has no token changes nothing', async () => {
  for (const path of ['/connectors/caiso/disable', '/connectors/caiso/fetch', '/backfill']) {
    expect((await product.get('data-quality', path, { method: 'POST' })).status).toBe(401);
  }
  expect((await send('GET', '/connectors/caiso')).body.enabled).toBe(true);
});

test('the books balance, and no two requests were closer than allowed', async () => {
  await allIn(caiso, miso);
  expect(await product.stop()).toBe(0);
  const lost = product.lines.filter(({ kind }) => kind === 'data_loss');
  expect(lost).toEqual([]);
  const bench = await openBench({ dir: join(place.path, 'data') });
  try {
    await bench.pipeline.caughtUp(new AbortController().signal);
    expect(await bench.pipeline.auditQuiet()).toMatchObject({ balanced: true });
    const { checks } = await bench.conservation();
    expect(checks.filter(({ off }) => off !== 0)).toEqual([]);
    const raw = checks.find(({ what }) => what.includes('normalization-service (raw)'));
    expect(raw).toMatchObject({ what: 'connectors → normalization-service (raw)' });
    const appended = (await bench.pipeline.cursors()).reduce((sum, each) => sum + each.done, 0);
    expect(appended).toBe(operators.served.size + operators.corrections.size);
    const ledgers = [...(await bench.pipeline.ledger('aggregation-service')).values()];
    const of = (pick: keyof Pick<Ledger, 'first' | 'forwarded' | 'revision' | 'duplicate'>) =>
      ledgers.reduce((sum, each) => sum + each[pick], 0);
    // Days before the retained window are forwarded to the rebuilder.
    const found = [of('first') + of('forwarded'), of('revision'), of('duplicate')];
    expect(found).toEqual([operators.served.size, 1, 0]);
  } finally {
    await bench.close();
  }
  const times = operators.asked.map(({ atMs }) => atMs);
  // One that arrives late makes a pair too close, and says nothing of when it was let go.
  const spans = times.slice(10).map((at, n) => at - (times[n] ?? 0));
  expect(spans.length).toBeGreaterThan(0);
  expect(spans.filter((span) => span < 10 * INTERVAL_MS)).toEqual([]);
});
