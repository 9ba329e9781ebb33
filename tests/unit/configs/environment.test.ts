// The environment: every wrong variable is a finding of its own, all at once, and no secret is ever shown.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, SECRETS, STAGES, type Variables } from '../../../configs/environment.ts';

const SECRET = 'hunter2-very-secret';

function wrong(variables: Variables): Record<string, string> {
  const { findings } = readEnvironment(variables);
  expect(JSON.stringify(findings)).not.toContain(SECRET);
  return Object.fromEntries(findings.map(({ key, message }) => [key, message]));
}

test('nothing set is the embedded default', () => {
  const { environment, findings, warnings } = readEnvironment({});
  expect([findings, warnings]).toEqual([[], []]);
  expect(environment).toMatchObject({
    roles: STAGES,
    connectors: [],
    host: '127.0.0.1',
    ports: {
      normalization: 8510,
      enrichment: 8511,
      aggregation: 8512,
      projection: 8513,
      'data-quality': 8514,
      connectors: 8515,
    },
    clickhouse: { kind: 'embedded', httpPort: 8123, tcpPort: 9000 },
    redisUrl: null,
    adminToken: null,
  });
});

test('an empty variable is one that is not set', () => {
  const empty = Object.fromEntries(
    [
      'ROLE',
      'DATA_DIR',
      'LOG_LEVEL',
      'PORT_PROJECTION',
      'KAFKA_BROKERS',
      'CLICKHOUSE_URL',
      'ADMIN_TOKEN_FILE',
    ].map((name) => [name, ' ']),
  );
  expect(readEnvironment(empty)).toEqual(readEnvironment({}));
});

test('a cluster is a name or a macro, of a server that is outside', () => {
  const url = { CLICKHOUSE_URL: 'http://clickhouse:8123' };
  for (const name of ['main', 'eu-1.prod', '{cluster}']) {
    const { environment, findings } = readEnvironment({ ...url, CLICKHOUSE_CLUSTER: name });
    expect(findings).toEqual([]);
    expect(environment.clickhouse).toEqual({ kind: 'server', url: url.CLICKHOUSE_URL, cluster: name });
  }
  expect(readEnvironment(url).environment.clickhouse).toMatchObject({ cluster: null });
  for (const name of ["a' b", "x'; DROP", '{a}{b}']) {
    expect(wrong({ ...url, CLICKHOUSE_CLUSTER: name })).toEqual({
      CLICKHOUSE_CLUSTER: expect.stringContaining('expected a cluster'),
    });
  }
  expect(wrong({ CLICKHOUSE_CLUSTER: 'main' })).toEqual({
    CLICKHOUSE_CLUSTER: expect.stringContaining('set CLICKHOUSE_URL'),
  });
});

test('three wrong variables are three findings', () => {
  const found = wrong({
    PORT_PROJECTION: '85l3',
    ROLE: 'projector',
    CLICKHOUSE_URL: `clickhouse://default:${SECRET}@clickhouse:9000`,
  });
  expect(found).toEqual({
    PORT_PROJECTION: "expected a port, 0–65535, found '85l3'",
    ROLE: expect.stringContaining('unknown: projector; expected all, or some of normalization'),
    CLICKHOUSE_URL: expect.stringContaining('expected http://host:port or https://host:port'),
  });
});

test.each(['85l3', '-1', '65536', '8513.5', '0x2100', '1e3', '8513 8514'])(
  'PORT_*: %s is no port',
  (port) => {
    expect(wrong({ PORT_ENRICHMENT: port }).PORT_ENRICHMENT).toContain('expected a port, 0–65535');
  },
);

test('two services on one port are told apart', () => {
  expect(wrong({ PORT_ENRICHMENT: '8510' })).toEqual({
    PORT_ENRICHMENT: '8510 is also the port of normalization',
  });
  expect(wrong({ PORT_NORMALIZATION: '0', PORT_ENRICHMENT: '0' })).toEqual({});
});

test('a part of the services without brokers is refused', () => {
  const message = expect.stringContaining('services apart need KAFKA_BROKERS');
  for (const role of STAGES) expect(wrong({ ROLE: role })).toEqual({ ROLE: message });
  expect(wrong({ ROLE: 'normalization,enrichment' })).toEqual({ ROLE: message });
  for (const all of [
    'all',
    STAGES.join(','),
    'ALL',
    ' data_quality,projection,aggregation,enrichment,normalization',
  ])
    expect(wrong({ ROLE: all })).toEqual({});
});

test('connectors run within the whole, or alone with a port of their own', () => {
  const read = (variables: Variables) => readEnvironment(variables).environment;
  expect(read({ CONNECTORS: ' caiso, MISO,caiso,' })).toMatchObject({
    roles: STAGES,
    connectors: ['caiso', 'miso'],
  });
  const apart = { KAFKA_BROKERS: 'kafka:9092', CLICKHOUSE_URL: 'http://clickhouse:8123' };
  expect(read({ ...apart, ROLE: 'connectors', CONNECTORS: 'miso' })).toMatchObject({
    roles: ['connectors'],
    connectors: ['miso'],
  });
  const { CLICKHOUSE_URL: _, ...kafka } = apart;
  expect(wrong({ ...kafka, ROLE: 'connectors', CONNECTORS: 'miso' })).toEqual({});
  expect(read({ ...kafka, ROLE: 'connectors', CONNECTORS: 'miso' }).clickhouse).toEqual({ kind: 'unused' });
  expect(wrong({ ...kafka, ROLE: 'connectors,normalization', CONNECTORS: 'miso' })).toEqual({
    ROLE: 'services apart share one ClickHouse: set CLICKHOUSE_URL',
  });
  expect(wrong({ ...apart, ROLE: 'connectors' })).toEqual({
    CONNECTORS: expect.stringContaining('set it, such as caiso,miso'),
  });
  const beside = readEnvironment({ ...apart, ROLE: 'enrichment', CONNECTORS: 'miso' });
  expect([beside.findings, beside.environment.connectors]).toEqual([[], []]);
  expect(beside.warnings.map(({ key }) => key)).toEqual(['CONNECTORS']);
  expect(wrong({ ROLE: 'connectors', CONNECTORS: 'caiso' })).toEqual({
    ROLE: expect.stringContaining('services apart need KAFKA_BROKERS'),
  });
});

test('a misspelt role is named beside good ones', () => {
  expect(wrong({ ROLE: 'normalization,agregation' }).ROLE).toStartWith('unknown: agregation;');
});

test.each([
  ['CLICKHOUSE_URL', 'clickhouse:8123'],
  ['CLICKHOUSE_URL', `https://user:${SECRET}@host:99999`],
  ['CLICKHOUSE_URL', 'http://'],
  ['CLICKHOUSE_URL', `tcp://default:${SECRET}@clickhouse:9000`],
  ['REDIS_URL', `http://:${SECRET}@redis:6379`],
  ['REDIS_URL', 'redis'],
])('%s=%s is malformed', (name, value) => {
  const found = wrong({ [name]: value });
  expect(Object.keys(found)).toEqual([name]);
  expect(found[name]).toMatch(/^expected (http|redis):\/\/host:port or/);
});

test('a password that was never filled in is told', () => {
  const found = wrong({ CLICKHOUSE_URL: 'http://default:CHANGE_ME@db:8123', ADMIN_TOKEN: 'CHANGE_ME' });
  expect(found).toEqual({
    CLICKHOUSE_URL: 'its password is still the placeholder CHANGE_ME',
    ADMIN_TOKEN: 'is still the placeholder CHANGE_ME: set it, or unset it',
  });
});

test('a log level that is none', () => {
  expect(wrong({ LOG_LEVEL: 'loud' })).toEqual({
    LOG_LEVEL: expect.stringContaining('expected one of trace'),
  });
  expect(wrong({ LOG_LEVEL: 'WARNING' })).toEqual({});
});

describe('secrets from files', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'carbon-secrets-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function secretFile(content: string, mode: number): string {
    const path = join(dir, `${mode.toString(8)}-${Bun.hash(content)}`);
    rmSync(path, { force: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  const GOOD = {
    CLICKHOUSE_URL: `http://u:${SECRET}@db:8123`,
    REDIS_URL: 'redis://r:6379',
    ADMIN_TOKEN: SECRET,
    KAFKA_SASL_PASSWORD: SECRET,
    KAFKA_TLS_KEY: SECRET,
    MISO_API_KEY: SECRET,
  };
  /** What must be set for the secret to be looked at. */
  const SASL = { KAFKA_BROKERS: 'k:9092', KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u' };
  const BESIDE: Partial<Record<(typeof SECRETS)[number], Variables>> = {
    KAFKA_SASL_PASSWORD: SASL,
    KAFKA_TLS_KEY: { KAFKA_BROKERS: 'k:9092', KAFKA_TLS_ENABLED: 'true' },
  };

  test.each(SECRETS)('%s_FILE is read, without its line end', (name) => {
    for (const mode of [0o440, 0o400, 0o600]) {
      const { environment, findings } = readEnvironment({
        ...BESIDE[name],
        [`${name}_FILE`]: secretFile(`${GOOD[name]}\n`, mode),
      });
      expect(findings.filter(({ key }) => key === name || key === `${name}_FILE`)).toEqual([]);
      const read = {
        CLICKHOUSE_URL: environment.clickhouse.kind === 'server' ? environment.clickhouse.url : null,
        REDIS_URL: environment.redisUrl,
        ADMIN_TOKEN: environment.adminToken,
        KAFKA_SASL_PASSWORD: environment.kafka?.sasl?.password,
        KAFKA_TLS_KEY: environment.kafka?.tls?.key,
        MISO_API_KEY: environment.operatorKeys.MISO_API_KEY,
      };
      expect(read[name]).toBe(GOOD[name]);
    }
  });

  test.each(SECRETS)('%s_FILE that cannot serve is refused, and says why', (name) => {
    const file = `${name}_FILE`;
    const why = (path: string) => wrong({ ...BESIDE[name], [file]: path })[file];
    expect(why(join(dir, 'absent'))).toMatch(/cannot be read: ENOENT/);
    expect(why(dir)).toMatch(/cannot be read: EISDIR/);
    expect(why(secretFile('', 0o440))).toEndWith('is empty');
    expect(why(secretFile(' \n', 0o440))).toEndWith('is empty');
    expect(why(secretFile('CHANGE_ME\n', 0o440))).toEndWith('still holds the placeholder CHANGE_ME');
    for (const mode of [0o444, 0o644, 0o460, 0o441, 0o666])
      expect(why(secretFile(GOOD[name], mode))).toContain('expected 0440 or less');
  });

  test('both a variable and its file are one too many', () => {
    const found = wrong({ ADMIN_TOKEN: SECRET, ADMIN_TOKEN_FILE: secretFile(SECRET, 0o440) });
    expect(found).toEqual({ ADMIN_TOKEN: 'both ADMIN_TOKEN and ADMIN_TOKEN_FILE are set: keep one' });
  });
});
