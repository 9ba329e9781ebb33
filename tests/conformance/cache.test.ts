// Both caches, one suite; and what only Redis can do to us: be away, hang, be flushed, hold what is not ours.

import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { memoryCache } from '../../sinks/memory-cache.ts';
import { redisCache } from '../../sinks/redis.ts';
import type { Cache } from '../../sinks/sink.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { cacheConformance, ENTRIES_MAX } from './cache.ts';

setDefaultTimeout(60_000);
let nowMs = 0;

cacheConformance({
  name: 'memory',
  skip: false,
  open: async (entriesMax) => memoryCache(entriesMax, () => nowMs),
  later: (seconds) => {
    nowMs += seconds * 1_000;
  },
});

const skip = REDIS === null;
const server = redisForTests();
const reason = 'needs redis-server on the PATH';

/** Longer than a machine of tests stalls: a miss would be its own, and not the cache's. */
const PATIENT_MS = 10_000;

/** `commandMsMax`: unset where the server is stopped or killed, as in production. */
async function connected(entriesMax: number, commandMsMax?: number): Promise<Cache> {
  const cache = redisCache(server.url, entriesMax, commandMsMax);
  await until('a connection', async () => (await cache.health()) === null);
  return cache;
}

async function counted(pattern: RegExp): Promise<number> {
  const stats = String(await server.send('INFO', 'commandstats'));
  return Number(pattern.exec(stats)?.[1] ?? 0);
}

describe.skipIf(skip)(`redis (${reason})`, () => {
  beforeAll(() => server.start());

  cacheConformance({
    name: 'redis',
    skip,
    open: (entriesMax) => connected(entriesMax, PATIENT_MS),
    later: () => {},
  });

  test('patterns are found by SCAN, never by KEYS; time to live is set with the value', async () => {
    const cache = await connected(10_000, PATIENT_MS);
    await cache.clear();
    for (let n = 0; n < 2_000; n += 1) await cache.set(`ohlc:${n}`, 'x', 60);
    expect(await cache.removeMatching('ohlc:1*')).toBe(1_111);
    expect(await cache.clear()).toBe(889);
    expect(await counted(/cmdstat_scan:calls=(\d+)/)).toBeGreaterThan(3);
    expect(await counted(/cmdstat_keys:calls=(\d+)/)).toBe(0);
    await cache.set('ohlc:ttl', 'x', 90);
    expect(Number(await server.send('TTL', 'ohlc:ttl'))).toBeGreaterThan(80);
    await cache.close();
  });

  test("other programs' keys are neither removed nor counted against ours", async () => {
    const cache = await connected(ENTRIES_MAX);
    await cache.clear();
    for (let n = 0; n < ENTRIES_MAX * 2; n += 1) await server.send('SET', `session:${n}`, 'theirs');
    for (let n = 0; n < ENTRIES_MAX * 2; n += 1) await cache.set(`ohlc:${n}`, 'x', 60);
    expect(await cache.get(`ohlc:${ENTRIES_MAX * 2 - 1}`)).toBe('x');
    await cache.clear();
    const left = await server.send('DBSIZE');
    expect(left).toBe(ENTRIES_MAX * 2);
    await server.send('FLUSHALL');
    await cache.close();
  });

  test('a value of another kind is a miss', async () => {
    const cache = await connected(10, PATIENT_MS);
    await server.send('LPUSH', 'ohlc:list', 'a');
    expect(await cache.get('ohlc:list')).toBeNull();
    await server.send('FLUSHALL');
    await cache.close();
  });

  test('flushed at any time: misses, and what is put afterwards is there', async () => {
    const cache = await connected(1_000, PATIENT_MS);
    for (let round = 0; round < 20; round += 1) {
      const work = Array.from({ length: 20 }, async (_, n) => {
        await cache.set(`ohlc:${n}`, `${round}`, 60);
        const found = await cache.get(`ohlc:${n}`);
        expect([null, `${round}`]).toContain(found);
      });
      await Promise.all([...work, server.send('FLUSHALL')]);
    }
    await cache.set('ohlc:after', 'x', 60);
    expect(await cache.get('ohlc:after')).toBe('x');
    await cache.close();
  });

  test('a server that hangs is a miss, and serves again when it goes on', async () => {
    const cache = await connected(1_000);
    await cache.set('ohlc:a', 'x', 60);
    await server.signal('SIGSTOP');
    expect(await cache.get('ohlc:a')).toBeNull();
    await cache.set('ohlc:b', 'x', 60);
    expect(await cache.removeMatching('*')).toBe(0);
    expect(await cache.stats()).toMatchObject({ available: false });
    expect(await cache.health()).toContain('cannot be reached');
    await server.signal('SIGCONT');
    await until('the value again', async () => (await cache.get('ohlc:a')) === 'x');
    await cache.close();
  });

  test('killed under load: nothing but misses; started again it serves by itself', async () => {
    const cache = await connected(1_000);
    for (let round = 0; round < 3; round += 1) {
      let running = true;
      let done = 0;
      const load = Array.from({ length: 8 }, async (_, n) => {
        while (running) {
          await cache.set(`ohlc:${n}`, 'x', 60);
          expect([null, 'x']).toContain(await cache.get(`ohlc:${n}`));
          await cache.remove([`ohlc:${n}`]);
          await cache.removeMatching('ohlc:*');
          done += 1;
          await new Promise((turn) => setImmediate(turn));
        }
      });
      await until('some work', () => done > 20);
      await server.signal('SIGKILL');
      const before = done;
      await until('work without a server', () => done > before + 20);
      expect(await cache.health()).toContain('cannot be reached');
      expect((await cache.stats()).failures).toBeGreaterThan(0);
      await server.start();
      await until('a connection', async () => (await cache.health()) === null);
      running = false;
      await Promise.all(load);
      await cache.set('ohlc:again', 'x', 60);
      expect(await cache.get('ohlc:again')).toBe('x');
    }
    await cache.close();
  });

  test('one that was not there at first is used once it is', async () => {
    await server.signal('SIGKILL');
    const cache = redisCache(server.url, 10);
    expect(await cache.get('ohlc:a')).toBeNull();
    expect(await cache.health()).toContain('cannot be reached');
    await server.start();
    await until('a connection', async () => (await cache.health()) === null);
    await cache.close();
  });
});
