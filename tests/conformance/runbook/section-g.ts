// G. Issue 6, topics: what the stock tools show, more consumers, more partitions while it runs, compression.

import { expect } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, TOPIC } from '../../../runtime/services.ts';
import { command } from '../../support/command.ts';
import { configDir, edited, SHIPPED, textOf } from '../../support/config-dir.ts';
import { type Line, temporaryDirectory } from '../../support/product.ts';
import { readTopic } from '../../support/topics.ts';
import { until } from '../../support/until.ts';
import { later, row } from './rows.ts';
import { groupRows } from './tool-output.ts';
import type { World } from './world.ts';

const MINUTES = 60_000;
const TOOL = "the stock tool from the broker's jars";
const DESCRIBE = 'kafka-consumer-groups --bootstrap-server kafka:9092 --all-groups --describe';
const TOPIC_LINE = 'kafka-topics --bootstrap-server kafka:9092 --describe --topic normalized.market.ticks.v1';
const SCALE = 'kubectl scale deployment normalization-service --replicas=5 -n carbon-ingestion';
const ALTER = `kafka-topics --bootstrap-server kafka:9092 \\
  --alter --topic normalized.market.ticks.v1 \\
  --partitions 10`;

export function sectionG(world: World): void {
  row('G1', 'every group is listed with its members, and no other', { used: TOOL }, () => g1(world));
  row('G2', 'the topic is declared, none is made by accident', { used: TOOL }, () => g2(world));
  const scale = {
    used: 'a recorder of kubectl; processes',
    without: 'the Deployment, which comes later',
    boundMs: 6 * MINUTES,
  };
  row('G3', 'five normalizations and one again under load', scale, () => g3(world));
  const alter = { used: TOOL, without: 'twenty of them: KAFKA_INCREASES=20', boundMs: 6 * MINUTES };
  row('G4', 'ten partitions while records come', alter, () => g4(world));
  later('G5', 'hot reload of max_poll_records');
  later('G6', 'hot reload of fetch_min_bytes and fetch_max_wait_ms');
  const packed = {
    used: 'the broker’s own dump of its files',
    without: 'gzip, none: kafka-settings.test.ts',
  };
  row('G7', 'compression of the file is that of the batches; another word is refused', packed, () =>
    g7(world),
  );
  later('G8', 'alert HighKafkaConsumerLag');
}

const GROUPS = [...SERVICES.map(({ group }) => group), 'aggregation-rebuilder'].sort();

async function g1(world: World): Promise<string> {
  await world.settled();
  const rows = await until('a member for each partition', async () => {
    const found = groupRows(await world.station.says(DESCRIBE));
    return found.every(({ member }) => member !== '-') ? found : null;
  });
  expect([...new Set(rows.map(({ group }) => group))].sort()).toEqual(GROUPS);
  expect(rows.filter(({ lag }) => lag > 0)).toEqual([]);
  return `${rows.length} partitions in ${GROUPS.length} groups`;
}

async function g2(world: World): Promise<string> {
  const said = await world.station.says(TOPIC_LINE);
  expect(said).toMatch(/PartitionCount: 8\s+ReplicationFactor: 1\s/);
  expect(said).toContain(`retention.ms=${168 * 3_600_000}`);
  const words = ['--bootstrap-server', world.kafka.brokers, '--describe', '--entity-type', 'brokers'];
  const broker = await world.kafka.tool('kafka.admin.ConfigCommand', [
    ...words,
    '--entity-name',
    '1',
    '--all',
  ]);
  expect(broker).toContain('auto.create.topics.enable=false');
  return said.split('\n')[0]?.replaceAll('\t', ' ') ?? '';
}

async function g3(world: World): Promise<string> {
  await world.station.says(SCALE);
  expect(world.station.told().at(-1)).toBe(SCALE);
  for (let n = 1; n < 5; n += 1) {
    await world.feeder.quarters(2);
    await world.addNormalization();
  }
  const line = 'kafka-consumer-groups --bootstrap-server kafka:9092 --describe --group normalization-service';
  const members = async (): Promise<number> => {
    const rows = groupRows(await world.station.says(line));
    return new Set(rows.map(({ member }) => member)).size;
  };
  await until('five members', async () => (await members()) === 5, 2 * MINUTES);
  for (let n = 1; n < 5; n += 1) {
    await world.feeder.quarters(2);
    await world.removeNormalization();
  }
  await until('one member', async () => (await members()) === 1, 2 * MINUTES);
  expect(await world.faults()).toEqual([]);
  return `${world.feeder.count} ticks, each once and in order`;
}

async function g4(world: World): Promise<string> {
  const starts = [world.main, ...world.enrichment].map(({ pid }) => pid);
  await world.feeder.quarters(6);
  await world.station.says(ALTER);
  // Whoever notices it first does it, and tells it.
  const processes = [world.main, ...world.enrichment];
  const open = ({ cause }: Line) => String(cause).includes('is open: 10 partitions');
  const opened = () => processes.some(({ lines }) => lines.some(open));
  await until('the new layout', opened, 3 * MINUTES);
  await world.feeder.quarters(4);
  expect(await world.faults()).toEqual([]);
  expect([world.main, ...world.enrichment].map(({ pid }) => pid)).toEqual(starts);
  const rows = groupRows(await world.station.says(DESCRIBE));
  for (const group of ['enrichment-service', 'data-quality-service', 'projection-service']) {
    const own = rows.filter((each) => each.group === group && each.topic === TOPIC.ticks);
    expect(own).toHaveLength(10);
    expect(own.filter(({ lag }) => lag > 0)).toEqual([]);
  }
  const ticks = await world.reading((log) => readTopic(log, TOPIC.ticks));
  expect(ticks.some(({ partition }) => partition >= 8)).toBe(true);
  return `${world.feeder.count} ticks, each once and in order`;
}

async function g7(world: World): Promise<string> {
  const [data = ''] = world.kafka.nodes.map((node) => node.data);
  const dir = join(data, `${TOPIC.enriched}-0`);
  const files = readdirSync(dir).filter((name) => name.endsWith('.log'));
  const paths = files.map((name) => join(dir, name)).join(',');
  const text = await world.kafka.tool('DumpLogSegments', ['--files', paths]);
  const lines = text.split('\n').filter((line) => line.includes('isControl: false'));
  const codecs = lines.map((line) => /compresscodec: (\w+)/.exec(line)?.[1]?.toLowerCase());
  expect(new Set(codecs)).toEqual(new Set(['zstd']));
  const runtime = edited(textOf(SHIPPED, 'runtime'), 'compression: zstd', 'compression: lz9');
  using configs = configDir(SHIPPED, { runtime });
  using place = temporaryDirectory();
  const { code, errors } = await command('runtime/main.ts', place.path, { CONFIG_DIR: configs.path });
  expect(code).toBe(78);
  expect(errors).toContain('kafka.compression');
  return `${codecs.length} batches of zstd`;
}
