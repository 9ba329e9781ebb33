// Answers over a real Redis that is flushed, killed and filled by others while questions are asked and rows
// change: every answer is the one that the rows give at that moment or later, never an older one, never an
// error.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { AnswerCache } from '../../runtime/http/answer-cache.ts';
import { queryKey } from '../../sinks/cache-keys.ts';
import type { GoldQuery } from '../../sinks/queries.ts';
import { redisCache } from '../../sinks/redis.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);
const server = redisForTests();
const on = { enabled: true, ttlSeconds: 300 };
const CLASSES = { ohlc: on, metrics: on, curves: on };

function question(location: string): GoldQuery {
  return {
    kind: 'ohlc',
    market: 'CAISO',
    run: 'RTM',
    location,
    startDate: null,
    endDate: null,
    type: null,
    barSize: null,
    windowSize: null,
    limit: 1_000,
    cursor: null,
  };
}

/** Rows that stand, one number a location, and the questions about them. */
class World {
  readonly rows = new Map<string, number>();
  readonly cache: AnswerCache;

  constructor(boot: string) {
    this.cache = new AnswerCache(redisCache(server.url, 1_000), CLASSES, boot);
  }

  change(location: string): void {
    this.rows.set(location, (this.rows.get(location) ?? 0) + 1);
    this.cache.changed('ohlc', [`CAISO:RTM:${location}`]);
  }

  /** Asks; fails when the answer is older than the rows were when it was asked. */
  async ask(location: string): Promise<boolean> {
    const atLeast = this.rows.get(location) ?? 0;
    const { page, cached } = await this.cache.answer(question(location), true, async () => {
      return { rows: [{ value: this.rows.get(location) ?? 0 }], next: null };
    });
    expect(Number(page.rows[0]?.value)).toBeGreaterThanOrEqual(atLeast);
    return cached;
  }
}

describe.skipIf(REDIS === null)('answers over redis (needs redis-server on the PATH)', () => {
  test('are never stale and never fail, whatever happens to it', async () => {
    await server.start();
    const world = new World('one');
    await until('a connection', async () => (await world.cache.health()) === null);
    let running = true;
    let asked = 0;
    let hits = 0;
    const askers = Array.from({ length: 6 }, async (_, n) => {
      for (let turn = n; running; turn += 1) {
        if (turn % 5 === 0) world.change(`L${turn % 3}`);
        if (await world.ask(`L${turn % 4}`)) hits += 1;
        asked += 1;
        await new Promise((done) => setImmediate(done));
      }
    });
    for (let flush = 0; flush < 20; flush += 1) {
      const before = asked;
      await server.send('FLUSHALL');
      await until('more questions', () => asked > before + 20);
    }
    await server.signal('SIGKILL');
    const away = asked;
    await until('questions without it', () => asked > away + 20);
    await server.start();
    await until('a connection', async () => (await world.cache.health()) === null);
    const back = hits;
    await until('hits again', () => hits > back + 10);
    running = false;
    await Promise.all(askers);
    await world.cache.close();
  });

  test('of another process, or spoilt, are misses', async () => {
    const [one, two] = [new World('one'), new World('two')];
    await until(
      'connections',
      async () => (await one.cache.health()) === null && (await two.cache.health()) === null,
    );
    await one.ask('X');
    expect(await one.ask('X')).toBe(true);
    expect(await two.ask('X')).toBe(false);
    const key = queryKey(question('X'));
    const stored = String(await server.send('GET', key));
    for (const spoilt of ['', 'x', stored.slice(0, -3), `${stored.split('\n')[0]}\n`, '{"rows":[]}']) {
      await server.send('SET', key, spoilt);
      expect(await two.ask('X')).toBe(false);
    }
    expect(await two.ask('X')).toBe(true);
    for (const world of [one, two]) await world.cache.close();
  });
});
