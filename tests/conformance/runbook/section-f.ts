// F. Issue 5, Redis: what is looked at, flushes under load, and the routes of the cache.

import { expect } from 'bun:test';
import { composeServices } from '../../support/compose.ts';
import { until } from '../../support/until.ts';
import { later, row } from './rows.ts';
import type { World } from './world.ts';

const MINUTES = 60_000;
const FLUSHES = 20;
const QUESTION = '/query/ohlc?market=CAISO&run=RTPD&bar_size=1H&limit=50';
const CLI = 'redis-cli led to the port of the test';
const CURL = 'curl led to the ports of the test';

export function sectionF(world: World): void {
  row('F1', 'cache_hit_ratio is there', { without: 'its alert, which comes later' }, async () => {
    const [sample] = (await world.metrics('projection')).get('cache_hit_ratio')?.samples ?? [];
    expect(sample?.value).toBeWithin(0, 1.000_001);
    return `${sample?.value}`;
  });
  const compose = { used: `${CLI}, started with the words of docker-compose.yml` };
  row('F2', 'redis-cli INFO: Redis 7 or newer', compose, async () => {
    const [, version = ''] = /redis_version:(\S+)/.exec(await world.station.says('redis-cli INFO')) ?? [];
    expect(Number.parseInt(version, 10)).toBeGreaterThanOrEqual(7);
    return version;
  });
  row('F3', 'redis-cli INFO memory: bounded, allkeys-lru', compose, () => f3(world));
  row('F4', 'cache/stats, with and without Redis', { used: CURL }, () => f4(world));
  row('F5', 'FLUSHDB 20 times under load: no wrong answer, each noticed', { used: CLI }, () => f5(world));
  row('F6', 'CONFIG SET maxmemory 2gb stays', { used: CLI }, () => f6(world));
  later('F7', 'hot reload of the times to live; GET /cache/info shows them');
  row('F8', 'invalidations are counted, and go by key', {}, () => f8(world));
  row('F9', 'the questions that miss most', { used: CURL }, () => f9(world));
  row('F10', 'health of Redis: latency and connections', {}, () => f10(world));
  row('F11', 'the routes that invalidate', { used: CURL }, () => f11(world));
  later('F12', 'alert CacheUnavailable');
}

async function f3(world: World): Promise<string> {
  const said = await world.station.says('redis-cli INFO memory');
  const value = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(said)?.[1];
  expect(value('maxmemory_policy')).toBe('allkeys-lru');
  expect(Number(value('maxmemory'))).toBe(512 * 1024 ** 2);
  const words = composeServices().redis?.command?.join(' ');
  expect(words).toContain('--maxmemory 512mb --maxmemory-policy allkeys-lru');
  return `${value('used_memory_human')} used`;
}

async function f4(world: World): Promise<string> {
  const line = 'curl http://localhost:8513/cache/stats';
  const shape = {
    stats: {
      available: true,
      total_operations: expect.any(Number),
      cache_hits: expect.any(Number),
      cache_misses: expect.any(Number),
      cache_hit_rate: expect.any(Number),
      success_rate: expect.any(Number),
      average_operation_latency_ms: expect.any(Number),
    },
    timestamp: expect.any(String),
  };
  await answers(world);
  const said = await world.station.says(line);
  expect(JSON.parse(said)).toMatchObject(shape);
  expect(said.length).toBeLessThan(10_000);
  await world.redis.signal('SIGKILL');
  expect(await world.station.json(line)).toMatchObject({ stats: { available: false } });
  await world.startRedis();
  await until('it is well', async () => (await world.health('projection')).status === 'healthy', MINUTES);
  return `${said.length} bytes`;
}

interface Answer {
  readonly results: readonly unknown[];
  readonly cached: boolean;
}

async function ask(world: World, path = QUESTION): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${world.portOf('projection')}${path}`);
  expect(response.status).toBe(200);
  return JSON.parse(await response.text());
}

const answers = (world: World) =>
  until('an answer of the cache', async () => (await ask(world)).cached, MINUTES);

async function counter(world: World, name: string, reason?: string): Promise<number> {
  const samples = (await world.metrics('projection')).get(name)?.samples ?? [];
  return samples
    .filter(({ labels }) => reason === undefined || labels.reason === reason)
    .reduce((sum, { value }) => sum + value, 0);
}

async function f5(world: World): Promise<string> {
  await world.settled();
  const { results: expected } = await ask(world, `${QUESTION}&use_cache=false`);
  await answers(world);
  const flushed = await counter(world, 'cache_flush_detected_total');
  let running = true;
  const count = { cached: 0, read: 0 };
  const load = Array.from({ length: 4 }, async () => {
    while (running) {
      const { cached, results } = await ask(world);
      expect(results).toEqual(expected);
      count[cached ? 'cached' : 'read'] += 1;
    }
  });
  for (let n = 0; n < FLUSHES; n += 1) {
    const { cached, read } = count;
    await world.station.says('redis-cli FLUSHDB');
    await until('answers of both kinds', () => count.cached > cached && count.read > read, MINUTES);
    // An answer that was on its way may be either: the next flush waits until this one was noticed.
    const noticed = async () => (await counter(world, 'cache_flush_detected_total')) > flushed + n;
    await until('the flush to be noticed', noticed, MINUTES);
  }
  running = false;
  await Promise.all(load);
  expect(await counter(world, 'cache_flush_detected_total')).toBe(flushed + FLUSHES);
  return `${count.cached} answers of the cache, ${count.read} of ClickHouse`;
}

async function f6(world: World): Promise<string> {
  expect(await world.station.says('redis-cli CONFIG SET maxmemory 2gb')).toBe('OK\n');
  await world.station.says('redis-cli FLUSHDB');
  await answers(world);
  const told = await world.station.says('redis-cli CONFIG GET maxmemory');
  expect(told).toContain(String(2 * 1024 ** 3));
  return 'redis.max_memory is told as advisory: unit/configs/existing.test.ts';
}

async function f8(world: World): Promise<string> {
  await world.settled();
  const [touched, other] = ['NODE_00', 'NODE_ELSEWHERE'].map(
    (node) => `${QUESTION}&delivery_location=${node}`,
  );
  for (const path of [touched, other]) {
    await until('it is cached', async () => (await ask(world, path)).cached, MINUTES);
  }
  const before = await counter(world, 'cache_invalidations_total', 'update');
  await world.feeder.quarters(1);
  await world.settled();
  const more = async () => (await counter(world, 'cache_invalidations_total', 'update')) > before;
  await until('invalidations', more, MINUTES);
  expect((await ask(world, other)).cached).toBe(true);
  expect((await ask(world, touched)).cached).toBe(false);
  return 'that of the node went, that of another of the same market stayed';
}

async function f9(world: World): Promise<string> {
  const { stats } = await world.station.json('curl -s http://localhost:8513/cache/stats');
  const found: unknown =
    typeof stats === 'object' && stats !== null ? Reflect.get(stats, 'top_misses') : null;
  const misses: readonly { query: string; misses: number }[] = Array.isArray(found) ? found : [];
  expect(misses.length).toBeWithin(1, 11);
  expect(misses.map((each) => each.misses)).toEqual(misses.map((each) => each.misses).sort((a, b) => b - a));
  expect(misses[0]?.query).toMatch(/^(ohlc|metrics|curves):/);
  return `${misses[0]?.query} ${misses[0]?.misses} times`;
}

async function f10(world: World): Promise<string> {
  const redis = await until('Redis to be up', async () => {
    const found = (await world.health('projection')).dependencies.redis;
    return found?.status === 'up' ? found : null;
  });
  expect(redis).toMatchObject({
    latency_ms: expect.any(Number),
    pool: { size: 1, in_use: expect.any(Number) },
  });
  return JSON.stringify(redis);
}

async function f11(world: World): Promise<string> {
  const post = (path: string, body?: object) => {
    const words =
      body === undefined ? '' : ` -H "Content-Type: application/json" -d '${JSON.stringify(body)}'`;
    return world.station.json(`curl -sf -X POST "http://localhost:8513${path}"${words}`);
  };
  const removes = async (path: string, field: string, body?: object): Promise<void> => {
    await answers(world);
    expect(Number((await post(path, body))[field])).toBeGreaterThan(0);
    expect((await ask(world)).cached).toBe(false);
  };
  await removes('/cache/invalidate', 'invalidated', { pattern: 'ohlc:CAISO:*' });
  await removes('/cache/invalidate/market?market=CAISO', 'invalidated');
  await removes('/cache/refresh', 'refreshed', { market: 'CAISO', data_types: ['ohlc_bars'] });
  await removes('/cache/clear', 'cleared');
  expect(await post('/cache/invalidate/location?location=NODE_00')).toHaveProperty('invalidated');
  expect(await world.station.json('curl -sf http://localhost:8513/cache/info')).toHaveProperty('info');
  const long = { pattern: 'x'.repeat(300) };
  const json = `-H "Content-Type: application/json" -d '${JSON.stringify(long)}'`;
  const quiet = `curl -s -o /dev/null -w '%{http_code}' -X POST`;
  const refused = await world.station.type(`${quiet} http://localhost:8513/cache/invalidate ${json}`);
  expect(refused.out).toBe('422');
  const commands = await world.station.says('redis-cli INFO commandstats');
  expect(commands).toContain('cmdstat_scan:');
  expect(commands).not.toContain('cmdstat_keys:');
  return 'by SCAN';
}
