// Redis outside of the process: away at the start, killed, hanging, flushed under load, full. Queries answer
// the same from ClickHouse, health says degraded and never 503, and its keys can be read and are few.
//
// REDIS_KILLS=20: so many kills; unset: some.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ConfigDir, configDir, edited, SHIPPED, textOf } from '../support/config-dir.ts';
import { copySampledData, type Product, startProduct } from '../support/product.ts';
import { proxiesForTests, type TcpProxy } from '../support/proxy.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const FLUSHES = 20;
const KILLS = Number(process.env.REDIS_KILLS ?? 2);
const ENTRIES_MAX = 40;
const newDir = temporaryDirs('carbon-redis-outage');
const redis = redisForTests();
const newProxy = proxiesForTests();
const QUERY = '/query/ohlc?market=CAISO&run=DAM&bar_size=1H&limit=50';

interface Answer {
  readonly results: readonly unknown[];
  readonly cached: boolean;
}

describe.skipIf(REDIS === null)('Redis (needs redis-server on the PATH)', () => {
  let product: Product;
  let proxy: TcpProxy;
  let configs: ConfigDir;
  let expected: readonly unknown[];

  beforeAll(async () => {
    const dir = newDir();
    await copySampledData(dir);
    proxy = await newProxy('pass', () => Number(new URL(redis.url).port));
    const text = edited(
      textOf(SHIPPED, 'projection_policies'),
      'max_entries: 1000',
      `max_entries: ${ENTRIES_MAX}`,
    );
    configs = configDir(SHIPPED, { projection_policies: text });
    const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, CONFIG_DIR: configs.path };
    product = await startProduct({ dir, env });
  }, 8 * MINUTES);

  afterAll(async () => {
    await product[Symbol.asyncDispose]();
    configs[Symbol.dispose]();
  }, MINUTES);

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

  /** Every key that there is. */
  async function keys(): Promise<string[]> {
    const found = await redis.send('KEYS', '*');
    if (!Array.isArray(found)) throw new Error('no keys');
    // The command of the test itself is not the product's.
    await redis.send('CONFIG', 'RESETSTAT');
    return found.map(String).sort();
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
    expect(await keys()).toEqual(['changes:all', 'changes:ohlc', expect.stringMatching(/^ohlc:CAISO:DAM:/)]);
  });

  test(
    `killed and started again, ${KILLS} times`,
    async () => {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await redis.signal('SIGKILL');
        await worksWithout();
        await redis.start();
        await healthy();
        await cachedAgain();
      }
    },
    (1 + KILLS) * MINUTES,
  );

  test(
    'slow',
    async () => {
      proxy.turn('slow');
      await worksWithout();
      proxy.turn('pass');
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

  test(
    'after many questions every key can be read, and they are few',
    async () => {
      for (const kind of ['ohlc', 'metrics', 'curves']) {
        for (let n = 0; n < ENTRIES_MAX; n += 1) {
          const market = ['CAISO', 'MISO'][n % 2];
          const odd = encodeURIComponent(`A:b/${n} *`);
          const question = n % 4 === 0 ? `delivery_location=${odd}` : `limit=${n}`;
          const response = await product.get('projection', `/query/${kind}?market=${market}&${question}`);
          expect(response.status).toBe(200);
        }
      }
      const found = await keys();
      const readable = /^((ohlc|metrics|curves)(:[A-Za-z0-9._-]{1,64}){5}(:[0-9a-z]{1,13})?|changes:[a-z]+)$/;
      expect(found.filter((key) => !readable.test(key))).toEqual([]);
      expect(found.length).toBeGreaterThan(ENTRIES_MAX / 2);
      expect(found.length).toBeLessThanOrEqual(ENTRIES_MAX + 4);
    },
    MINUTES,
  );
});
