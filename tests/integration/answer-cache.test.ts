// Answers over a real Redis that is flushed, killed and filled by others while questions are asked and rows
// change: every answer is the one that the rows give at that moment or later, never an older one, never an
// error.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { AnswerCache } from '../../runtime/http/answer-cache.ts';
import { queryKey } from '../../sinks/cache-keys.ts';
import type { GoldQuery } from '../../sinks/queries.ts';
import { COMMAND_MS_MAX, redisCache } from '../../sinks/redis.ts';
import { REDIS, redisForTests } from '../support/redis.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);
const server = redisForTests();
/** Longer than a machine of tests stalls: a miss would be its own, and not the cache's. */
const PATIENT_MS = 10_000;
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

/** Rows that stand, one number a location. */
type Rows = Map<string, number>;

/** A process: its cache over the shared Redis, and the questions about rows that it shares, too. */
class World {
  readonly cache: AnswerCache;

  constructor(
    readonly rows: Rows = new Map(),
    commandMsMax = PATIENT_MS,
  ) {
    const later = (ms: number, work: () => void) => void setTimeout(work, ms);
    this.cache = new AnswerCache(redisCache(server.url, 1_000, commandMsMax), CLASSES, later);
  }

  change(location: string): void {
    this.rows.set(location, (this.rows.get(location) ?? 0) + 1);
    this.cache.changed('ohlc', [`CAISO:RTM:${location}`]);
  }

  async look(location: string) {
    const { page, cached } = await this.cache.answer(question(location), true, async () => {
      return { rows: [{ value: this.rows.get(location) ?? 0 }], next: null };
    });
    return { value: Number(page.rows[0]?.value), cached };
  }

  /** Asks; fails when the answer is older than the rows were when it was asked. */
  async ask(location: string): Promise<boolean> {
    const atLeast = this.rows.get(location) ?? 0;
    const { value, cached } = await this.look(location);
    expect(value).toBeGreaterThanOrEqual(atLeast);
    return cached;
  }

  async connected(): Promise<this> {
    await until('a connection', async () => (await this.cache.health()) === null);
    return this;
  }
}

describe.skipIf(REDIS === null)('answers over redis (needs redis-server on the PATH)', () => {
  test('are never stale and never fail, whatever happens to it', async () => {
    await server.start();
    const world = await new World().connected();
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

  test('are those of every process, until any of them changes their rows', async () => {
    const rows: Rows = new Map();
    const one = await new World(rows).connected();
    const two = await new World(rows).connected();
    for (const location of ['X', 'Y']) expect(await one.ask(location)).toBe(false);
    for (const location of ['X', 'Y']) expect(await two.ask(location)).toBe(true);
    for (let round = 0; round < 20; round += 1) {
      const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
      writer.change('X');
      await until('the other to see it', async () => (await reader.look('X')).value === rows.get('X'));
      // No answer about another location went.
      expect(await reader.ask('Y')).toBe(true);
    }
    for (const world of [one, two]) await world.cache.close();
  });

  test('whose rows were read before a change of another process are not kept after it', async () => {
    const rows: Rows = new Map();
    const one = await new World(rows).connected();
    const two = await new World(rows).connected();
    const slow = Promise.withResolvers<void>();
    const reads = Promise.withResolvers<void>();
    const late = one.cache.answer(question('Z'), true, async () => {
      const value = rows.get('Z') ?? 0;
      reads.resolve();
      await slow.promise;
      return { rows: [{ value }], next: null };
    });
    await reads.promise;
    two.change('Z');
    await until(
      'the change to be told',
      async () => Number(await server.send('EXISTS', 'changes:ohlc')) === 0,
    );
    slow.resolve();
    expect(Number((await late).page.rows[0]?.value)).toBe(0);
    for (const world of [one, two]) expect((await world.look('Z')).value).toBe(1);
    for (const world of [one, two]) await world.cache.close();
  });

  test('go by a change that Redis did not take at first, hanging or full', async () => {
    const rows: Rows = new Map();
    const one = await new World(rows, COMMAND_MS_MAX).connected();
    const two = await new World(rows).connected();
    await one.ask('H');
    expect(await two.ask('H')).toBe(true);
    await server.signal('SIGSTOP');
    one.change('H');
    expect(await one.ask('H')).toBe(false);
    await server.signal('SIGCONT');
    await until('the other to see it', async () => (await two.look('H')).value === 1);
    await one.ask('H');
    await server.send('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await server.send('CONFIG', 'SET', 'maxmemory', '1');
    one.change('H');
    await until('the other to see it', async () => (await two.look('H')).value === 2);
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
    for (const world of [one, two]) await world.cache.close();
  });

  test('that are spoilt are misses', async () => {
    const world = await new World().connected();
    await world.ask('S');
    const key = queryKey(question('S'));
    const stored = String(await server.send('GET', key));
    for (const spoilt of ['', 'x', stored.slice(0, -3), `${stored.split('\n')[0]}\n`, '{"rows":[]}']) {
      await server.send('SET', key, spoilt);
      expect(await world.ask('S')).toBe(false);
    }
    expect(await world.ask('S')).toBe(true);
    await world.cache.close();
  });
});
