// `bun tests/container/apart.ts <root of the store> <its run root> <image>`, for scripts/container.sh: every
// service of docker-compose.yml from the image, over a real Kafka, ClickHouse and Redis. Each becomes healthy
// by the image's own check, takes part while a market publishes and the connectors follow theirs, and leaves
// in order; the judge of the soak has the last word.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES, type Role } from '../../configs/environment.ts';
import { Bed } from '../soak/bed.ts';
import { judged } from '../soak/judge.ts';
import { countOf } from '../support/gold.ts';
import { kafkaMissing } from '../support/kafka.ts';
import { seedOf, shuffled } from '../support/random.ts';
import { REDIS, redisIn, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { Deployment, portVariable } from './deployment.ts';
import { Operators } from './operators.ts';

const READ_MINUTES_MAX = 6;
const HEALTHY_MS_MAX = 120_000;
const QUERY = '/query/ohlc?market=CAISO&run=RTPD&delivery_location=Q0&bar_size=1H&limit=100';
/** Runs that the connectors alone follow. */
const LIVE = "run IN ('RTM', 'DA_EXPOST')";

const fromMs = performance.now();
const say = (what: string): void =>
  console.log(`apart: ${what} (${Math.round((performance.now() - fromMs) / 1_000)} s)`);

interface World {
  readonly bed: Bed;
  readonly redis: TestRedis;
  readonly operators: Operators;
  readonly deployment: Deployment;
}

/** Asked again until it is content, as an engine does. */
async function healthy(deployment: Deployment, role: Role): Promise<void> {
  let cause: string | null = null;
  const isContent = async (): Promise<boolean> => {
    cause = await deployment.unwell(role);
    return cause === null;
  };
  await until('healthy', isContent, HEALTHY_MS_MAX).catch((error) => {
    throw new Error(`the health check of ${role}: ${cause}`, { cause: error });
  });
}

async function started({ bed, deployment }: World): Promise<void> {
  // One after the other, so that a machine with two cores has each of them ready in time.
  for (const role of ROLES) await deployment.start(role);
  say('every service is ready');
  await Promise.all(ROLES.map((role) => healthy(deployment, role)));
  const elsewhere = await deployment.unwell('normalization', { [portVariable('normalization')]: '1' });
  if (!elsewhere?.startsWith('1:')) throw new Error(`at a port where nothing listens: ${elsewhere}`);
  say('the health check is content with each, and not with a port where nothing listens');
  bed.publish();
  await bed.feed();
  await bed.progress('from containers');
}

/** One of them is drained and started again on its volumes, while the market publishes. */
async function again({ bed, deployment }: World): Promise<void> {
  const [role = 'normalization'] = shuffled(ROLES, bed.draw);
  await deployment.stop(role);
  await deployment.start(role);
  await healthy(deployment, role);
  await bed.progress(`after ${role} came back`);
  say(`${role} was drained and started again`);
}

/** The containers have done all of it, and nobody else. */
async function worked({ bed, redis, operators, deployment }: World): Promise<void> {
  operators.rest();
  await bed.quiet();
  const isRead = async (): Promise<boolean> =>
    (await bed.lag()) === 0 &&
    (await countOf(bed.clickhouse, 'silver_normalized_market_data', LIVE)) === operators.served;
  await bed.met('all is read', isRead, READ_MINUTES_MAX);
  if (operators.served === 0) throw new Error('the connectors asked for nothing');
  const projection = deployment.product('projection');
  const { results: read } = await projection.json('projection', `${QUERY}&use_cache=false`);
  for (let n = 0; n < 2; n += 1) {
    const { results } = await projection.json('projection', QUERY);
    if (!Bun.deepEquals(results, read) || JSON.stringify(read).length < QUERY.length) {
      throw new Error(`the cache answers ${JSON.stringify(results)}, ClickHouse ${JSON.stringify(read)}`);
    }
  }
  if (Number(await redis.send('DBSIZE')) === 0) throw new Error('nothing is in Redis');
}

async function tried(world: World): Promise<string[]> {
  const { bed, operators, deployment } = world;
  await started(world);
  await again(world);
  await worked(world);
  await Promise.all(ROLES.map((role) => deployment.stop(role)));
  say(`each left by SIGTERM with 0; ${operators.served} prices came from the connectors`);
  const { ticks, faults } = await judged(bed, operators.priced());
  say(`${ticks} ticks judged, ${faults.length} faults`);
  return [...faults];
}

/** The servers and the containers go before this process does. */
function stopped(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  // Whoever waits for it hears of it, however late.
  promise.catch(() => {});
  return promise;
}

async function main(): Promise<string[]> {
  const [root = '', runRoot = '', image = ''] = process.argv.slice(2);
  const missing = kafkaMissing() ?? (REDIS === null ? 'redis-server not installed' : null);
  if (missing !== null) throw new Error(missing);
  const stop = stopped();
  const bed = await Bed.open({ nodes: 1, seed: seedOf('apart') });
  try {
    const redis = redisIn(() => bed.dir);
    bed.ends(() => redis.signal('SIGKILL'));
    await redis.start();
    const operators = new Operators();
    bed.ends(() => operators.stop());
    const yaml = join(bed.dir, 'connectors.yaml');
    writeFileSync(yaml, operators.connectorsYaml);
    const servers = {
      'kafka:9092': Number(bed.brokers.split(':')[1]),
      'clickhouse:8123': Number(new URL(bed.clickhouseUrl).port),
      'redis:6379': Number(new URL(redis.url).port),
    };
    const files = { connectors: { '/app/configs/connectors.yaml': yaml } };
    const store = { root, runRoot };
    const deployment = await Deployment.open({ store, image, dir: bed.dir, servers, files });
    bed.ends(() => deployment.close());
    say(`a container each of ${ROLES.join(', ')}`);
    return await Promise.race([tried({ bed, redis, operators, deployment }), stop]);
  } finally {
    await bed.close();
  }
}

const faults = await main();
for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);
