// Redis outside of the process: away at the start, killed, hanging, flushed under load, full. Queries answer
// the same from ClickHouse, health says degraded and never 503, and its keys can be read and are few.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copySampledData, type Product, startProduct } from '../support/product.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const FLUSHES = 20;
const newDir = temporaryDirs('carbon-redis-outage');
const redis = redisForTests();
const QUERY = '/query/ohlc?market=CAISO&run=DAM&bar_size=1H&limit=50';

interface Answer {
  readonly results: readonly unknown[];
  readonly cached: boolean;
}

describe.skipIf(REDIS === null)('Redis (needs redis-server on the PATH)', () => {
  let product: Product;
  let expected: readonly unknown[];

  beforeAll(async () => {
    const dir = newDir();
    await copySampledData(dir);
    product = await startProduct({ dir, env: { REDIS_URL: redis.url } });
  }, 8 * MINUTES);

  afterAll(() => product[Symbol.asyncDispose](), MINUTES);

  async function ask(path = QUERY): Promise<Answer> {
    const response = await product.get('projection', path);
    expect(response.status).toBe(200);
    return JSON.parse(await response.text());
  }

  async function health(): Promise<{ code: number; status: string; redis: string | undefined }> {
    const response = await product.get('projection', '/health');
    const { status, dependencies } = JSON.parse(await response.text());
    return { code: response.status, status, redis: dependencies.redis?.status };
  }

  const healthy = () => until('it is back', async () => (await health()).status === 'healthy');
  const cachedAgain = () => until('an answer of the cache', async () => (await ask()).cached);

  async function worksWithout(): Promise<void> {
    for (let n = 0; n < 3; n += 1) expect(await ask()).toMatchObject({ cached: false, results: expected });
    expect(await health()).toEqual({ code: 200, status: 'degraded', redis: 'down' });
    expect((await product.get('projection', '/health/live')).status).toBe(200);
    expect(await product.json('projection', '/cache/stats')).toMatchObject({ stats: { available: false } });
  }

  test(
    'away at the start',
    async () => {
      expected = (await ask(`${QUERY}&use_cache=false`)).results;
      expect(expected).toHaveLength(50);
      await worksWithout();
      await redis.start();
      await healthy();
      await cachedAgain();
      expect((await ask()).results).toEqual(expected);
    },
    MINUTES,
  );

  test('keys can be read, and others of the same question find them', async () => {
    const keys = await redis.send('KEYS', '*');
    expect(keys).toEqual([expect.stringMatching(/^ohlc:CAISO:DAM:/)]);
    expect(Number(await redis.send('DBSIZE'))).toBe(1);
  });

  test(
    'killed and started again',
    async () => {
      await redis.signal('SIGKILL');
      await worksWithout();
      await redis.start();
      await healthy();
      await cachedAgain();
    },
    MINUTES,
  );

  test(
    'hanging',
    async () => {
      await redis.signal('SIGSTOP');
      await worksWithout();
      await redis.signal('SIGCONT');
      await healthy();
      await cachedAgain();
    },
    MINUTES,
  );

  test(
    `flushed ${FLUSHES} times under load`,
    async () => {
      let running = true;
      const answers = { cached: 0, read: 0 };
      const load = Array.from({ length: 4 }, async () => {
        while (running) {
          const { cached, results } = await ask();
          expect(results).toEqual(expected);
          answers[cached ? 'cached' : 'read'] += 1;
        }
      });
      for (let n = 0; n < FLUSHES; n += 1) {
        const { cached, read } = answers;
        await redis.send('FLUSHDB');
        await until('answers', () => answers.cached > cached && answers.read > read);
      }
      running = false;
      await Promise.all(load);
    },
    2 * MINUTES,
  );

  test(
    'full: what it does not take is read again',
    async () => {
      await redis.send('FLUSHDB');
      await redis.send('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await redis.send('CONFIG', 'SET', 'maxmemory', '1');
      for (let n = 0; n < 3; n += 1) expect(await ask()).toMatchObject({ cached: false, results: expected });
      expect((await health()).code).toBe(200);
      await redis.send('CONFIG', 'SET', 'maxmemory', '0');
      await cachedAgain();
      const commands = String(await redis.send('INFO', 'commandstats'));
      expect(/cmdstat_keys:calls=(\d+)/.exec(commands)?.[1]).toBeUndefined();
    },
    MINUTES,
  );
});
