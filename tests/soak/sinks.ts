// ClickHouse is killed and loses replies after it has written, Redis is killed and flushed, while services
// apart write and somebody asks. What the cache answers in the end is what ClickHouse says.

import { startEngine } from '../support/engine.ts';
import type { Product } from '../support/product.ts';
import { until } from '../support/until.ts';
import { Apart } from './apart.ts';
import type { Bed } from './bed.ts';
import type { Tally } from './tally.ts';

const ROLES = ['normalization,enrichment,aggregation,data-quality', 'projection'] as const;
const LOST_AT_ONCE = 10;
/** Shorter than what the market waits for: it stops when projection is too far behind. */
const AWAY_MS_MAX = 4_000;
const QUERIES = Array.from(
  { length: 12 },
  (_, n) => `/query/ohlc?market=CAISO&run=RTPD&delivery_location=Q${n}&bar_size=1H&limit=100`,
);

export async function clickhouseKilled(bed: Bed, count: number, tally: Tally): Promise<void> {
  const { clickhouseServer, draw } = bed;
  const apart = await opened(bed);
  for (let n = 0; n < count; n += 1) {
    await written(bed, 'before a kill');
    await Bun.sleep(draw() * AWAY_MS_MAX);
    process.kill(clickhouseServer.engine.pid, 'SIGKILL');
    await clickhouseServer.engine.exited;
    await Bun.sleep(draw() * AWAY_MS_MAX);
    clickhouseServer.engine = await startEngine(bed.engineDir);
    tally.happened('SIGKILLs of ClickHouse');
  }
  await written(bed, 'after the last kill');
  await apart.end();
}

export async function repliesLost(bed: Bed, count: number, tally: Tally): Promise<void> {
  const { clickhouseProxy } = bed;
  const apart = await opened(bed);
  const end = clickhouseProxy.lost + count;
  for (let { lost } = clickhouseProxy; lost < end; lost = clickhouseProxy.lost) {
    await written(bed, 'before replies are lost');
    clickhouseProxy.turn('lose');
    const goal = Math.min(end, lost + LOST_AT_ONCE);
    await bed.met(`${goal} lost replies`, async () => clickhouseProxy.lost >= goal, 4);
    clickhouseProxy.turn('pass');
    tally.happened('replies lost after the write', clickhouseProxy.lost - lost);
  }
  await written(bed, 'after the last lost reply');
  await apart.end();
}

export async function redisTroubled(bed: Bed, count: number, tally: Tally): Promise<void> {
  const apart = await opened(bed);
  const { redis } = apart;
  const projection = apart.product('projection');
  const asking = new AbortController();
  const answers = { count: 0 };
  const load = (async () => {
    while (!asking.signal.aborted) {
      await ask(projection, QUERIES[answers.count % QUERIES.length] ?? '');
      answers.count += 1;
      await Bun.sleep(20);
    }
  })();
  const asked = (more: number): Promise<unknown> => {
    const goal = answers.count + more;
    return Promise.race([load, bed.met('answers', async () => answers.count >= goal, 2)]);
  };
  for (let n = 0; n < count; n += 1) {
    await written(bed, 'before Redis is troubled');
    await asked(20);
    if (n % 2 === 0) {
      await redis.signal('SIGKILL');
      await asked(20);
      await redis.start();
    } else await redis.send('FLUSHALL');
    tally.count(n % 2 === 0 ? 'killed' : 'flushed');
    tally.happened('SIGKILLs and flushes of Redis');
  }
  await bed.quiet();
  await bed.met('all is read', async () => (await bed.lag()) === 0, 5);
  asking.abort();
  await load;
  tally.count('answers', answers.count);
  await agrees(projection);
  await apart.end();
}

async function opened(bed: Bed): Promise<Apart> {
  const apart = await Apart.open(bed, ROLES);
  await bed.feed();
  return apart;
}

/** The sum of the positions that projection has committed. */
export async function committedOf(bed: Bed): Promise<number> {
  const lags = await bed.log.lag('projection-service');
  return lags.reduce((sum, each) => sum + each.committed, 0);
}

/** Resolves when projection has committed more, so that ClickHouse has it. */
export async function written(bed: Bed, what: string): Promise<void> {
  const from = await until('positions', () => committedOf(bed).catch(() => null), 60_000);
  await bed.met(`rows ${what}`, async () => (await committedOf(bed)) > from, 4);
}

async function ask(projection: Product, query: string): Promise<unknown> {
  const response = await projection.get('projection', query);
  if (response.status !== 200) throw new Error(`${query}: ${response.status} ${await response.text()}`);
  const { results }: { results: unknown } = JSON.parse(await response.text());
  return results;
}

/** Nothing is written any more: an answer of the cache is one that holds. Throws where it is not. */
async function agrees(projection: Product): Promise<void> {
  for (const query of QUERIES) {
    const [cached, read] = [await ask(projection, query), await ask(projection, `${query}&use_cache=false`)];
    if (JSON.stringify(cached) !== JSON.stringify(read)) throw new Error(`the cache is wrong: ${query}`);
  }
}
