// Starts that are refused, as processes: exit code 78, a clear sentence on standard error, and as the last
// line of standard output one JSON object for machines. Nothing of a secret is ever written.

import { describe, expect, test } from 'bun:test';
import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { command, type Said } from '../support/command.ts';
import { configDir, EXISTING, FILES, SHIPPED } from '../support/config-dir.ts';
import { productEnvironment, startProduct, temporaryDirectory } from '../support/product.ts';
import { canMount, smallDisk } from '../support/tmpfs.ts';
import { until } from '../support/until.ts';

const SECRET = 'hunter2-very-secret';

interface Fatal {
  readonly check: string;
  readonly hint: string;
  readonly findings: readonly { readonly where: string; readonly key: string; readonly message: string }[];
}

/** What the last line says, once everything that holds for each refusal is seen to hold. */
function fatal({ code, lines, errors }: Said): Fatal {
  const last = JSON.parse(lines.at(-1) ?? '{}');
  expect({ code, level: last.level, event: last.event }, errors).toEqual({
    code: 78,
    level: 'fatal',
    event: 'startup_failed',
  });
  expect(last.hint).toBeString();
  for (const line of lines) expect(JSON.parse(line)).toBeObject();
  expect(errors).not.toBeEmpty();
  expect(errors).not.toMatch(/^\s+at /m);
  expect(lines.join('\n') + errors).not.toContain(SECRET);
  return last;
}

async function refused(env: Record<string, string>): Promise<Fatal> {
  using dir = temporaryDirectory();
  const said = fatal(await command('runtime/main.ts', dir.path, env));
  return said;
}

describe('configuration', () => {
  test('every broken file and every wrong variable, at once', async () => {
    using dir = configDir(SHIPPED, Object.fromEntries(FILES.map((file) => [file, 'a: 1\nb: [1, 2\n'])));
    const { check, hint, findings } = await refused({
      CONFIG_DIR: dir.path,
      PORT_PROJECTION: 'eighty',
      ROLE: 'projector',
      CLICKHOUSE_URL: `clickhouse://default:${SECRET}@db:9000`,
    });
    expect(check).toBe('configuration');
    expect(hint).toContain(`${findings.length} things are wrong`);
    for (const file of FILES) {
      expect(findings.some(({ where }) => where === `${join(dir.path, file)}.yaml:3:1`)).toBe(true);
    }
    const variables = findings.map(({ where }) => where).filter((where) => !where.includes('/'));
    expect(variables.sort()).toEqual(['CLICKHOUSE_URL', 'PORT_PROJECTION', 'ROLE']);
  });

  test('people read the same on standard error, a line each', async () => {
    using dir = temporaryDirectory();
    using configs = configDir(SHIPPED, { runtime: 'log: { partitions: many, retention_hours: -1 }\n' });
    const said = await command('runtime/main.ts', dir.path, { CONFIG_DIR: configs.path });
    expect(fatal(said).findings).toHaveLength(2);
    expect(said.errors.trim().split('\n')).toEqual([
      `${configs.path}/runtime.yaml:1:8: log.partitions: expected number, received string`,
      `${configs.path}/runtime.yaml:1:26: log.retention_hours: too small: expected number to be >0`,
    ]);
  });

  test.each([
    ['ROLE', { ROLE: 'normalization' }],
    ['KAFKA_BROKERS', { KAFKA_BROKERS: 'kafka:many' }],
    ['REDIS_URL', { REDIS_URL: `http://:${SECRET}@r` }],
    ['ADMIN_TOKEN', { ADMIN_TOKEN: 'CHANGE_ME' }],
    ['ADMIN_TOKEN_FILE', { ADMIN_TOKEN_FILE: '/nowhere/token' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'chatty' }],
  ] as const)('%s', async (where, env) => {
    const { check, findings } = await refused(env);
    expect(check).toBe('configuration');
    expect(findings.map((each) => each.where)).toEqual([where]);
  });

  test('more findings than a pipe takes at once arrive whole', async () => {
    const teams = Array.from(
      { length: 1_000 },
      (_, index) => `  t${index}: { email: 1, slack: 2, pagerduty: 3 }`,
    );
    using configs = configDir(SHIPPED, { contacts: `teams:\n${teams.join('\n')}\n` });
    using dir = temporaryDirectory();
    const [status, output] = [join(dir.path, 'status'), join(dir.path, 'output')];
    // The reader waits until the product has ended, or for as long as that takes which waits for its reader.
    const script = `{ "$0" runtime/main.ts 2>/dev/null; echo $? >${status}; } |
      { n=0; while [ ! -e ${status} ] && [ $n -lt 40 ]; do n=$((n+1)); sleep 0.1; done; cat >${output}; }`;
    const child = Bun.spawn(['sh', '-c', script, process.execPath], {
      cwd: join(SHIPPED, '..'),
      env: productEnvironment(dir.path, { CONFIG_DIR: configs.path }),
    });
    await child.exited;
    const lines = (await Bun.file(output).text()).trim().split('\n');
    const code = Number(await Bun.file(status).text());
    expect(fatal({ code, lines, errors: 'not kept' }).findings).toHaveLength(3_000);
  }, 30_000);

  test('no directory of that name', async () => {
    const { findings } = await refused({ CONFIG_DIR: '/nowhere/configs' });
    expect(findings).toHaveLength(5);
    expect(findings[0]?.where).toMatch(/^\/nowhere\/configs\/\w+\.yaml:1:1$/);
  });
});

describe('ports', () => {
  test('in use: the variable that changes it is named', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const { check, hint } = await refused({ PORT_AGGREGATION: String(taken.port) });
    expect(check).toBe('port');
    expect(hint).toBe(`port ${taken.port} is in use: stop what listens there, or set PORT_AGGREGATION`);
  });

  test('in use for the embedded engine', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const { check, hint } = await refused({ CLICKHOUSE_TCP_PORT: String(taken.port) });
    expect(check).toBe('clickhouse');
    expect(hint).toContain(`port ${taken.port} of ClickHouse is in use: set CLICKHOUSE_TCP_PORT`);
  });

  test('an address of another machine', async () => {
    const { check, hint } = await refused({ HOST: '203.0.113.9' });
    expect([check, hint]).toEqual(['address', '203.0.113.9 is no address of this machine: set HOST']);
  });
});

describe('directories', () => {
  test('the data directory is held by another process', async () => {
    using dir = temporaryDirectory();
    const log = openEmbeddedLog({ dir: join(dir.path, 'data', 'log'), nowMs: Date.now });
    try {
      const { check, hint } = fatal(await command('runtime/main.ts', dir.path));
      expect(check).toBe('data_directory');
      expect(hint).toMatch(/data\/log is held by another process: stop it, or set DATA_DIR/);
    } finally {
      await log.close();
    }
  });

  test.each([
    ['DATA_DIR', 'data_directory'],
    ['LOG_DIR', 'log_directory'],
  ] as const)('%s leads through a file', async (variable, expected) => {
    using dir = temporaryDirectory();
    writeFileSync(join(dir.path, 'file'), '');
    const path = join(dir.path, 'file', 'below');
    const { check, hint } = fatal(await command('runtime/main.ts', dir.path, { [variable]: path }));
    expect(check).toBe(expected);
    expect(hint).toMatch(new RegExp(`a part of the path is not a directory .*set ${variable}`));
  });

  test('a log that is none', async () => {
    using dir = temporaryDirectory();
    const path = join(dir.path, 'data', 'log');
    await Bun.write(join(path, 'log.sqlite'), 'x'.repeat(10_000));
    const { check, hint } = fatal(await command('runtime/main.ts', dir.path));
    expect(check).toBe('data_directory');
    expect(hint).toContain('file is not a database: put a backup in its place');
    expect(await Bun.file(join(path, 'log.sqlite')).text()).toBe('x'.repeat(10_000));
  });

  test.skipIf(!canMount)('a read-only file system (needs the right to mount)', async () => {
    for (const variable of ['DATA_DIR', 'LOG_DIR']) {
      using disk = smallDisk('1m');
      disk.readOnly();
      const { hint } = await refused({ [variable]: join(disk.path, 'dir') });
      expect(hint).toMatch(new RegExp(`its file system is read-only \\(EROFS\\); .*set ${variable}`));
    }
  });

  test.skipIf(!canMount)('a full disk (needs the right to mount)', async () => {
    using disk = smallDisk('1m');
    disk.fill(0);
    const { check, hint } = await refused({ DATA_DIR: disk.path });
    expect(check).toBe('data_directory');
    expect(hint).toContain('the disk is full (ENOSPC)');
    expect(readdirSync(disk.path)).toEqual(['ballast']);
  });
});

test.skipIf(!canMount)(
  'a disk that fills up while it runs (needs the right to mount)',
  async () => {
    using disk = smallDisk('400m');
    await using product = await startProduct({ env: { DATA_DIR: disk.path } });
    disk.fill(100_000);
    const { cause } = await until('the disk is told to be full', async () => {
      const response = await product.get('normalization', '/health');
      return response.status === 503 ? JSON.parse(await response.text()) : null;
    });
    expect(cause).toContain('disk is full');
    expect((await product.get('normalization', '/health/live')).status).toBe(200);
    disk.relieve();
    const { balanced, ticks } = await product.sampleIn();
    expect(balanced).toBe(true);
    expect(ticks).toBeGreaterThan(80_000);
    expect((await product.get('normalization', '/health')).status).toBe(200);
    expect(await product.stop()).toBe(0);
  },
  240_000,
);

test('an existing installation’s files start, and say what has no effect', async () => {
  using dir = temporaryDirectory();
  const configs = join(dir.path, 'configs');
  cpSync(EXISTING, configs, { recursive: true });
  await using product = await startProduct({ dir: dir.path, env: { CONFIG_DIR: configs } });
  const said = product.lines.filter(({ event }) => event === 'configuration');
  expect(said.length).toBeGreaterThan(50);
  expect(said.every(({ level }) => level === 'warn')).toBe(true);
  const health = await product.get('aggregation', '/health/ready');
  expect(health.status).toBe(200);
  expect(await product.stop()).toBe(0);
  expect(existsSync(join(dir.path, 'logs', 'runtime.log'))).toBe(true);
});
