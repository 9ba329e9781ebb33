// Health of the real process, as an operator's loop asks it: five times 200 with dependencies; the engine is
// killed while the sample is taken in, and only those that need it say so, with a cause, until it is back by
// itself; liveness never changes, and nothing is lost.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { SERVICES } from '../../runtime/services.ts';
import type { ServiceName } from '../../runtime/views.ts';
import { freePorts } from '../support/free-ports.ts';
import { type Product, startProduct } from '../support/product.ts';
import { until } from '../support/until.ts';

const NAMES = SERVICES.map(({ name }) => name);
let product: Product;

interface Health {
  readonly code: number;
  readonly status: string;
  readonly cause: string | null;
  readonly dependencies: Readonly<Record<string, { status: string; cause: string | null }>>;
}

beforeAll(async () => {
  product = await startProduct();
}, 400_000);

afterAll(async () => {
  await product[Symbol.asyncDispose]();
}, 180_000);

async function health(name: ServiceName): Promise<Health> {
  const response = await product.get(name, '/health');
  return { ...JSON.parse(await response.text()), code: response.status };
}

function jsonOf(line: string): unknown {
  return line === 'FAILED' ? line : JSON.parse(line);
}

function enginePid(): number {
  const up = product.lines.filter((line) => line.kind === 'dependency_up').at(-1);
  const pid = /engine process (\d+)/.exec(String(up?.cause))?.[1];
  if (pid === undefined) throw new Error('the log names no engine process');
  return Number(pid);
}

test('the loop of the runbook finds five healthy services', async () => {
  const ports = NAMES.map((name) => new URL(product.url(name)).port).join(' ');
  const loop = `for port in ${ports}; do curl -f -s http://localhost:$port/health || echo FAILED; echo; done`;
  const healthy = NAMES.map((name) => ({
    service: name,
    status: 'healthy',
    dependencies: { log: { status: 'embedded' } },
  }));
  await until('five that are healthy', async () => {
    const out = await Bun.$`sh -c ${loop}`.quiet().text();
    const answers = out.split('\n').filter((line) => line !== '');
    return answers.length === 5 && Bun.deepMatch(healthy, answers.map(jsonOf));
  });
}, 180_000);

test('readiness and liveness answer by both names', async () => {
  for (const name of NAMES) {
    for (const path of ['/health/ready', '/readiness', '/health/live', '/liveness']) {
      expect((await product.get(name, path)).status).toBe(200);
    }
  }
}, 180_000);

async function containerCheck(more: Readonly<Record<string, string>>) {
  const env = { PATH: process.env.PATH, ...more };
  const check = Bun.spawn([process.execPath, 'runtime/cli/health.ts'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = await new Response(check.stderr).text();
  return { code: await check.exited, said };
}

test('the check of the container is content when every service is ready, and else says which', async () => {
  const variables = Object.fromEntries(
    NAMES.map((name) => [`PORT_${name.replaceAll('-', '_').toUpperCase()}`, new URL(product.url(name)).port]),
  );
  expect(await containerCheck(variables)).toEqual({ code: 0, said: '' });
  const [free] = freePorts(1);
  const away = await containerCheck({ ...variables, PORT_PROJECTION: String(free) });
  expect(away.code).toBe(1);
  expect(away.said).toMatch(new RegExp(`^projection on ${free}: .+\n$`));
  expect((await containerCheck({ ROLE: 'nobody' })).code).toBe(78);
}, 180_000);

test('a killed engine turns 8513 to 503 with a cause until it is back by itself', async () => {
  const pid = enginePid();
  process.kill(pid, 'SIGKILL');
  const down = await until('projection says it', async () => {
    const seen = await health('projection');
    return seen.code === 503 ? seen : null;
  });
  expect(down.status).toBe('unhealthy');
  expect(down.cause).toMatch(/engine|ClickHouse/);
  expect(down.dependencies.clickhouse?.status).toBe('down');
  for (const name of NAMES) expect((await product.get(name, '/health/live')).status).toBe(200);
  for (const name of ['normalization', 'enrichment', 'aggregation'] as const) {
    expect((await health(name)).code).toBe(200);
  }
  const back = await until('it is back', async () => {
    const seen = await health('projection');
    return seen.status === 'healthy' ? seen : null;
  });
  expect(back.code).toBe(200);
  expect(enginePid()).not.toBe(pid);
  expect((await product.get('projection', '/query/ohlc?market=CAISO&limit=1')).status).toBe(200);
  const kinds = await product.json('projection', '/events?actor=sinks/clickhouse&limit=50');
  expect(JSON.stringify(kinds.events)).toContain('the engine process ended');
}, 400_000);

test('while the engine is down, quality reports say so and the rest of 8514 goes on', async () => {
  process.kill(enginePid(), 'SIGKILL');
  const seen = await until('data-quality says it', async () => {
    const found = await health('data-quality');
    return found.cause?.includes('reports cannot be read') ? found : null;
  });
  expect(seen).toMatchObject({ code: 200, status: 'degraded' });
  const report = await product.get('data-quality', '/quality/report?hours=24');
  if (report.status !== 200) {
    expect(report.status).toBe(503);
    expect(JSON.parse(await report.text()).error).toBe('unavailable');
  }
  await until('it is back', async () => (await health('data-quality')).status === 'healthy');
}, 400_000);

test('the sample that was being taken in is whole', async () => {
  expect(await product.sampleIn()).toMatchObject({ balanced: true, ticks: 85_553 });
  for (const name of NAMES) expect((await health(name)).code).toBe(200);
}, 400_000);
