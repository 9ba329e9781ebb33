// C. Issue 2, lag: what the stock tool says of it, more processes, more workers, and what is looked at next.

import { expect } from 'bun:test';
import { join } from 'node:path';
import { rawTopic } from '../../../runtime/services.ts';
import { configDir, SHIPPED } from '../../support/config-dir.ts';
import { MarketServer } from '../../support/operators/market-server.ts';
import { Product } from '../../support/product.ts';
import { parsePrometheus } from '../../support/prometheus.ts';
import { until } from '../../support/until.ts';
import { NODES } from './feeder.ts';
import { later, row } from './rows.ts';
import { groupRows } from './tool-output.ts';
import type { World } from './world.ts';

const MINUTES = 60_000;
const GROUP = 'enrichment-service';
const DESCRIBE = `kafka-consumer-groups --bootstrap-server kafka:9092 \\
  --describe --group enrichment-service`;
const BACKLOG_QUARTERS = 30;
const SLOW_MS = 1_300;
const NO_SIZE = 'the Deployment and its autoscaler, which come later';

export function sectionC(world: World): void {
  row('C1', 'kafka_consumer_lag is there a partition', { without: 'its alert, which comes later' }, () =>
    c1(world),
  );
  const tool = {
    used: "the stock tool from the broker's jars; LAG counts the markers of transactions besides",
    without: 'a restore long enough to look at it',
    boundMs: 5 * MINUTES,
  };
  row('C2', '1500 ticks behind a stopped enrichment are its lag, and then none', tool, () => c2(world));
  later('C3', 'labels and resource requests of the Kubernetes manifests');
  const scale = { used: 'a recorder of kubectl; processes', without: NO_SIZE, boundMs: 8 * MINUTES };
  row('C4', 'one, five and one enrichment under load', scale, () => c4(world));
  const workers = {
    used: 'a recorder of kubectl; a process that is started with it',
    without: 'throughput with I/O: enrichment has none; scaling: bench parallelism',
    boundMs: 5 * MINUTES,
  };
  row('C5', 'PARALLELISM=8', workers, () => c5(world));
  row('C6', 'grep finds stage, market, key, offset and trace of an error', { used: 'grep' }, () => c6(world));
  row('C7', 'write latency is measured, slow queries are in the log', { used: 'SIGSTOP' }, () => c7(world));
  row('C8', "latency of the operators' sites is measured", { used: 'a stand-in of an operator' }, c8);
  later('C9', 'alert ConsumerLagGrowingAfterScale');
}

async function c1(world: World): Promise<string> {
  const samples = (await world.metrics('enrichment')).get('kafka_consumer_lag')?.samples ?? [];
  expect(samples).toHaveLength(8);
  for (const { labels } of samples) {
    expect(labels).toMatchObject({ service: 'enrichment', topic: 'normalized.market.ticks.v1' });
  }
  return `${samples.length} partitions`;
}

async function c2(world: World): Promise<string> {
  // Each partition has been read from before, so that the tool knows where its group stands.
  await world.feeder.quarters(1);
  await world.settled();
  await world.removeEnrichment();
  const sent = (await world.feeder.quarters(BACKLOG_QUARTERS)).length;
  await until('normalization', async () => (await world.lag('normalization-service')) === 0, 2 * MINUTES);
  const behind = groupRows(await world.station.says(DESCRIBE), GROUP);
  const lag = behind.reduce((sum, each) => sum + each.lag, 0);
  expect(behind).toHaveLength(8);
  expect(new Set(behind.map(({ topic }) => topic))).toEqual(new Set(['normalized.market.ticks.v1']));
  expect(lag).toBeGreaterThanOrEqual(sent);
  expect(lag).toBeLessThan(sent * 1.1);
  await world.addEnrichment();
  await world.settled();
  const after = groupRows(await world.station.says(DESCRIBE), GROUP);
  expect(after.map((each) => each.lag)).toEqual(Array(8).fill(0));
  return `LAG ${lag} of ${sent} ticks`;
}

async function c4(world: World): Promise<string> {
  const line = 'kubectl scale deployment enrichment-service --replicas=5 -n carbon-ingestion';
  await world.station.says(line);
  expect(world.station.told().at(-1)).toBe(line);
  await world.feeder.quarters(4);
  for (let n = 1; n < 5; n += 1) {
    await world.addEnrichment();
    await world.feeder.quarters(2);
  }
  const members = async (): Promise<number> => {
    const found = groupRows(await world.station.says(DESCRIBE), GROUP);
    return new Set(found.map(({ member }) => member)).size;
  };
  await until('five members', async () => (await members()) === 5, 2 * MINUTES);
  for (let n = 1; n < 5; n += 1) {
    await world.feeder.quarters(2);
    await world.removeEnrichment();
  }
  await until('one member', async () => (await members()) === 1, 2 * MINUTES);
  expect(await world.faults()).toEqual([]);
  return `${world.feeder.count} ticks, each once and in order`;
}

async function c5(world: World): Promise<string> {
  const line = 'kubectl set env deployment/enrichment-service PARALLELISM=8 -n carbon-ingestion';
  await world.station.says(line);
  expect(world.station.told().at(-1)).toBe(line);
  await world.removeEnrichment();
  await world.addEnrichment({ PARALLELISM: '8' });
  const info = await world.station.json('curl -s http://localhost:8511/info');
  expect(info.parallelism).toBe(8);
  expect(info.workers).toHaveLength(7);
  await world.feeder.quarters(6);
  await world.settled();
  const owners = groupRows(await world.station.says(DESCRIBE), GROUP).map(({ member }) => member);
  expect(new Set(owners).size).toBeGreaterThan(1);
  await world.removeEnrichment();
  await world.addEnrichment();
  expect(await world.faults()).toEqual([]);
  return `${new Set(owners).size} workers own the 8 partitions`;
}

/** A price without a price, marked so that it is not asked for on the topics that follow. */
async function c6(world: World): Promise<string> {
  const trace = 'runbook-spoiled';
  const value = { data_type: 'market_price', event_id: trace, trace_id: trace, market: 'CAISO', run: 'RTPD' };
  const output = { topic: rawTopic('CAISO'), key: 'NODE_00', value: JSON.stringify(value) };
  await world.feeder.log.append('runbook', [output], []);
  const file = join(world.main.dir, 'logs', 'normalization.log');
  const grep = `grep '"level":"error"' ${file}`;
  const found = await until('the line', async () => {
    const { out } = await world.station.type(grep);
    return out.split('\n').find((each) => each.includes(trace));
  });
  const line = JSON.parse(found);
  expect(line).toMatchObject({
    event: 'record_refused',
    stage: 'normalization',
    market: 'CAISO',
    key: 'NODE_00',
    topic: output.topic,
    trace_id: trace,
  });
  expect(line.offset).toBeNumber();
  return `${line.reason}: ${line.message}`;
}

async function c7(world: World): Promise<string> {
  const histogram = (await world.metrics('projection')).get('clickhouse_write_latency_seconds');
  expect(histogram?.samples.length).toBeGreaterThan(0);
  const { pid } = world.engine;
  const slow = (line: Readonly<Record<string, unknown>>) =>
    line.event === 'slow_query' && String(line.query).includes('gold_ohlc_bars');
  // A question that leaves the product late on a busy machine is not slow yet.
  const { query, millis } = await until('the slow query', async () => {
    process.kill(pid, 'SIGSTOP');
    const asked = world.status('projection', '/query/ohlc?market=CAISO&limit=7&use_cache=false');
    await Bun.sleep(SLOW_MS);
    process.kill(pid, 'SIGCONT');
    expect(await asked).toBe(200);
    return world.main.lines.find(slow);
  });
  return `${millis} ms: ${String(query).slice(0, NODES)}…`;
}

async function c8(): Promise<string> {
  const operators = new MarketServer();
  using configs = configDir(SHIPPED, {
    connectors: operators.followedDayAhead(1),
  });
  try {
    const env = { CONNECTORS: 'caiso', CONFIG_DIR: configs.path, CLICKHOUSE_URL: 'http://127.0.0.1:1' };
    await using product = new Product({ env: { ...env, TMPDIR: configs.path } });
    await product.ready();
    const labels = await until('a request', async () => {
      const text = await (await product.get('normalization', '/metrics')).text();
      const samples = parsePrometheus(text).get('connector_request_seconds')?.samples ?? [];
      return samples.find(({ name, value }) => name.endsWith('_count') && value > 0)?.labels;
    });
    expect(labels.market).toBe('CAISO');
    expect(labels.endpoint).toBeString();
    return `endpoint ${labels.endpoint}`;
  } finally {
    await operators.stop();
  }
}
