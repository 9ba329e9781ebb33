// B. Issue 1, a service that does not start: what a process says and how it leaves, what the doctor finds.

import { expect } from 'bun:test';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { topicSpecs } from '../../../runtime/services.ts';
import { command, type Said } from '../../support/command.ts';
import { composeServices, ROOT } from '../../support/compose.ts';
import { configDir, SHIPPED } from '../../support/config-dir.ts';
import { Product, temporaryDirectory } from '../../support/product.ts';
import { until } from '../../support/until.ts';
import { later, row } from './rows.ts';
import type { World } from './world.ts';

const SECRET = 'hunter2-very-secret';
const NOWHERE = '127.0.0.1:1';
const FIVE = [
  'normalization_rules',
  'enrichment_taxonomy',
  'aggregation_policies',
  'projection_policies',
  'data_quality_rules',
] as const;

export function sectionB(world: World): void {
  row('B1', 'a dependency that is away ends nothing, a wrong configuration leaves with 78', {}, b1);
  const logs = { used: 'a recorder of kubectl', without: 'the Deployment, which comes later' };
  row('B2', 'kubectl logs: standard output is JSON lines', logs, () => b2(world));
  const compose = { used: 'a recorder of docker-compose', without: 'a Docker engine' };
  row('B3', 'docker-compose logs normalization: there is such a service', compose, () => b3(world));
  later('B4', 'labels of the Kubernetes manifests');
  const health = { used: compose.used, without: 'a Docker engine; from the image: scripts/container.sh' };
  row('B5', 'docker-compose ps: the health check finds the services well', health, () => b5(world));
  row('B6', 'three wrong variables are three findings, no value shown', {}, b6);
  row('B7', 'the doctor and 8513 name the database that fails, without its password', {}, b7);
  row('B8', 'the doctor has a line a broker, and counts the topics', {}, () => b8(world));
  const ten = { without: 'ten ways a file: unit/configs/broken.test.ts' };
  row('B9', 'the doctor names file, line, column and what was expected in all five files', ten, b9);
  row('B10', 'secrets in files: mode, emptiness, placeholder', {}, b10);
  later('B11', 'alert ServiceNotStarting');
}

async function doctor(env: Record<string, string>, ...words: string[]): Promise<Said> {
  using dir = temporaryDirectory();
  const said = await command('runtime/cli/doctor.ts', dir.path, env, ...words);
  expect(said.lines.join('\n') + said.errors).not.toContain(SECRET);
  return said;
}

/** What a start says that is refused. */
async function refusal(env: Record<string, string>): Promise<Record<string, unknown>> {
  using dir = temporaryDirectory();
  const { code, lines, errors } = await command('runtime/main.ts', dir.path, env);
  expect(code).toBe(78);
  expect(lines.join('\n') + errors).not.toContain(SECRET);
  return JSON.parse(lines.at(-1) ?? '{}');
}

async function b1(): Promise<string> {
  const last = await refusal({ PORT_PROJECTION: 'eighty' });
  expect(last).toMatchObject({ level: 'fatal', event: 'startup_failed', check: 'configuration' });
  expect(last.hint).toBeString();
  await using product = new Product({ env: { KAFKA_BROKERS: NOWHERE, CLICKHOUSE_URL: `http://${NOWHERE}` } });
  await product.line('a port', (line) => line.event === 'listening' && line.service === 'normalization');
  const told = await until('health to tell of Kafka', async () => {
    const response = await product.get('normalization', '/health');
    const text = await response.text();
    return response.status === 503 && text.includes(NOWHERE) ? text : null;
  });
  expect((await product.get('normalization', '/health/live')).status).toBe(200);
  return JSON.parse(told).status;
}

async function b2(world: World): Promise<string> {
  const line = 'kubectl logs deployment/normalization-service -n carbon-ingestion';
  await world.station.says(line);
  expect(world.station.told()).toContain(line);
  const { lines } = world.main;
  expect(lines.length).toBeGreaterThan(10);
  for (const each of lines) {
    expect([typeof each.level, typeof each.time, typeof each.service]).toEqual(Array(3).fill('string'));
  }
  return `${lines.length} lines`;
}

async function b3(world: World): Promise<string> {
  await world.station.says('docker-compose logs normalization');
  const [told] = world.station.told().slice(-1);
  const service = told?.split(' ').at(-1) ?? '';
  expect(composeServices()[service]?.environment?.ROLE).toBe('normalization');
  return service;
}

async function b5(world: World): Promise<string> {
  await world.station.says('docker-compose ps');
  expect(world.station.told().at(-1)).toBe('docker-compose ps');
  const [cmd, bun, file = ''] = composeServices().projection?.healthcheck.test ?? [];
  expect([cmd, bun]).toEqual(['CMD', 'bun']);
  for (const ROLE of ['normalization,aggregation,projection,data-quality', 'enrichment']) {
    const env = { PATH: process.env.PATH, ...world.env({ ROLE }) };
    const check = Bun.spawn([process.execPath, file], { cwd: ROOT, env, stderr: 'pipe' });
    expect([await check.exited, await check.stderr.text()]).toEqual([0, '']);
  }
  return file;
}

async function b6(): Promise<string> {
  const url = `clickhouse://default:${SECRET}@db:9000`;
  const { findings } = await refusal({ PORT_PROJECTION: 'eighty', ROLE: 'projector', CLICKHOUSE_URL: url });
  const where = Array.isArray(findings) ? findings.map((each) => String(each.where)) : [];
  expect(where.sort()).toEqual(['CLICKHOUSE_URL', 'PORT_PROJECTION', 'ROLE']);
  return where.join(', ');
}

async function b7(): Promise<string> {
  const env = { CLICKHOUSE_URL: `http://default:${SECRET}@${NOWHERE}` };
  const { lines, code } = await doctor(env);
  expect(code).toBe(1);
  const told = lines.find((each) => each.startsWith('FAIL') && each.includes('clickhouse')) ?? '';
  expect(told).toContain(NOWHERE);
  await using product = new Product({ env });
  await product.ready();
  const health = await until('8513 to tell of ClickHouse', async () => {
    const text = await (await product.get('projection', '/health')).text();
    return text.includes(NOWHERE) ? text : null;
  });
  expect(health).not.toContain(SECRET);
  return told.slice(6);
}

async function b8(world: World): Promise<string> {
  const brokers = `${world.kafka.brokers},${NOWHERE}`;
  const { lines } = await doctor({ KAFKA_BROKERS: brokers, CLICKHOUSE_URL: `http://${NOWHERE}` });
  const about = lines.filter((each) => each.slice(6).startsWith('kafka'));
  expect(about.find((each) => each.startsWith('ok') && each.includes(world.kafka.brokers))).toBeString();
  expect(about.find((each) => each.startsWith('FAIL') && each.includes(NOWHERE))).toBeString();
  const count = topicSpecs(['CAISO', 'MISO'], 1, 0).length;
  expect(about.find((each) => each.includes(`${count} of ${count} topics are there`))).toBeString();
  return `${count} topics`;
}

async function b9(): Promise<string> {
  using dir = configDir(SHIPPED, Object.fromEntries(FIVE.map((file) => [file, 'a: 1\nb: [1, 2\n'])));
  const { code, lines } = await doctor({ CONFIG_DIR: dir.path }, '--config');
  expect(code).toBe(78);
  for (const file of FIVE) expect(lines.join('\n')).toContain(`${dir.path}/${file}.yaml:3:1: `);
  using lists = configDir(SHIPPED, Object.fromEntries(FIVE.map((file) => [file, '- a list\n'])));
  const wrong = (await doctor({ CONFIG_DIR: lists.path }, '--config')).lines.join('\n');
  for (const file of FIVE) expect(wrong).toMatch(new RegExp(`${file}.yaml:1:1: expected (object|record)`));
  return 'broken twice each';
}

const SECRETS = [
  ['', 0o440, /is empty/],
  ['CHANGE_ME', 0o440, /placeholder CHANGE_ME/],
  [SECRET, 0o644, /mode 0644: expected 0440 or less/],
  [SECRET, 0o440, /ADMIN_TOKEN comes from/],
] as const;

async function b10(): Promise<string> {
  using dir = temporaryDirectory();
  for (const [n, [content, mode, message]] of SECRETS.entries()) {
    const path = join(dir.path, `token-${n}`);
    writeFileSync(path, content);
    chmodSync(path, mode);
    const { code, lines } = await doctor({ ADMIN_TOKEN_FILE: path }, '--config');
    expect(lines.join('\n')).toMatch(message);
    expect(code).toBe(n === SECRETS.length - 1 ? 0 : 78);
  }
  return `${SECRETS.length} cases`;
}
