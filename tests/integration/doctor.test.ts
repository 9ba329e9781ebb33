// The doctor as a process: what it says of a good machine and of each thing that is wrong with it, and how it
// leaves. Servers and occupants of ports are real ones.

import { describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { startEmbeddedClickHouse } from '../../sinks/clickhouse-embedded.ts';
import { command, type Said } from '../support/command.ts';
import { configDir, EXISTING, edited, FILES, SHIPPED, textOf } from '../support/config-dir.ts';
import { temporaryDirectory } from '../support/product.ts';
import { canMount, smallDisk } from '../support/tmpfs.ts';

const SECRET = 'hunter2-very-secret';
/** Nothing listens there: no engine is started to be looked at. */
const AWAY = { CLICKHOUSE_URL: 'http://127.0.0.1:1' };

async function doctor(env: Record<string, string>, ...words: string[]): Promise<Said> {
  using dir = temporaryDirectory();
  const said = await command('runtime/cli/doctor.ts', dir.path, env, ...words);
  expect(said.lines.join('\n') + said.errors).not.toContain(SECRET);
  expect(said.lines.join('\n') + said.errors).not.toMatch(/^\s+at /m);
  expect(existsSync(join(dir.path, 'data')) || existsSync(join(dir.path, 'logs'))).toBe(false);
  return said;
}

function about({ lines }: Said, check: string): readonly string[] {
  return lines.filter((each) => each.slice(6).startsWith(check));
}

test('a good machine: every line is ok', async () => {
  const said = await doctor({});
  expect(said.lines.filter((each) => !each.startsWith('ok '))).toEqual(['Nothing is in the way of a start.']);
  expect(about(said, 'clickhouse')[0]).toMatch(/the embedded engine runs here: ClickHouse \d+\.\d+/);
  expect(about(said, 'port')).toHaveLength(5);
  for (const check of ['configuration', 'bun', 'data_directory', 'disk_space', 'log_directory', 'redis'])
    expect(about(said, check).length).toBeGreaterThan(0);
  expect(said.code).toBe(0);
});

test('--json: one document with the same', async () => {
  const said = await doctor(AWAY, '--json');
  expect(said.lines).toHaveLength(1);
  const told = JSON.parse(said.lines[0] ?? '');
  expect(told).toMatchObject({ status: 'fail', exit_code: 1 });
  expect(said.code).toBe(1);
  expect(told.checks.filter((each: { level: string }) => each.level === 'fail')).toEqual([
    { level: 'fail', check: 'clickhouse', message: expect.stringContaining('127.0.0.1:1') },
  ]);
});

test('--help says how it leaves; a word that it does not know is wrong usage', async () => {
  const help = await doctor({}, '--help');
  expect(help.code).toBe(0);
  expect(help.lines.join('\n')).toMatch(/Exit: 0 .*1 .*64 .*\n?78 /s);
  const wrong = await doctor({}, '--everything');
  expect([wrong.code, wrong.lines]).toEqual([64, []]);
  expect(wrong.errors).toContain('unknown option --everything');
});

describe('configuration', () => {
  test.each(FILES)('%s.yaml broken: place, key and what was expected', async (file) => {
    using dir = configDir(SHIPPED, { [file]: '- a list\n' });
    const said = await doctor({ CONFIG_DIR: dir.path }, '--config');
    expect(said.code).toBe(78);
    expect(about(said, 'configuration')[0]).toMatch(
      new RegExp(
        `^FAIL  configuration   ${dir.path}/${file}\\.yaml:1:1: expected (object|record), received array$`,
      ),
    );
  });

  test('several files at once, with keys', async () => {
    const [before = ''] = textOf(SHIPPED, 'runtime').split('partitions: 8');
    const line = before.split('\n').length;
    using dir = configDir(SHIPPED, {
      runtime: edited(textOf(SHIPPED, 'runtime'), 'partitions: 8', 'partitions: many'),
      projection_policies: edited(textOf(SHIPPED, 'projection_policies'), 'pool_size: 10', 'pool_size: 0'),
    });
    const said = await doctor({ CONFIG_DIR: dir.path }, '--config');
    expect(said.lines.map((each) => each.replace(`${dir.path}/`, ''))).toEqual([
      expect.stringMatching(/^FAIL .*projection_policies.yaml:4:3: clickhouse.pool_size: .*number to be >0$/),
      `FAIL  configuration   runtime.yaml:${line}:3: log.partitions: expected number, received string`,
      '2 things are in the way of a start.',
    ]);
  });

  test('an existing installation’s files: warnings, and fit to start', async () => {
    const said = await doctor({ CONFIG_DIR: EXISTING }, '--config');
    expect(said.code).toBe(0);
    expect(said.lines.filter((each) => each.startsWith('warn')).length).toBeGreaterThan(50);
  });

  test('three wrong variables are three lines; the rest is looked at all the same', async () => {
    const said = await doctor({
      PORT_PROJECTION: '99999',
      ROLE: 'projection',
      CLICKHOUSE_URL: `db://u:${SECRET}@h`,
    });
    expect(said.code).toBe(78);
    const told = about(said, 'environment');
    expect(told.map((each) => each.slice(0, 4))).toEqual(['FAIL', 'FAIL', 'FAIL']);
    for (const name of ['PORT_PROJECTION', 'ROLE', 'CLICKHOUSE_URL'])
      expect(told.some((each) => each.includes(`${name}: `))).toBe(true);
    expect(about(said, 'clickhouse')).toEqual(['warn  clickhouse      not checked: CLICKHOUSE_URL is wrong']);
    expect(about(said, 'data_directory')[0]).toStartWith('ok');
  });

  test('brokers are refused as a start refuses them', async () => {
    const said = await doctor({ KAFKA_BROKERS: 'kafka:many' }, '--config');
    expect([said.code, about(said, 'environment').length]).toEqual([78, 1]);
    expect(about(said, 'environment')[0]).toContain('FAIL  environment     KAFKA_BROKERS: ');
  });
});

describe('secrets', () => {
  test.each([
    ['is missing', null, 0o440, /cannot be read: ENOENT/],
    ['is empty', '\n', 0o440, /is empty/],
    ['is a placeholder', 'CHANGE_ME\n', 0o440, /placeholder CHANGE_ME/],
    ['is open to all', SECRET, 0o644, /mode 0644: expected 0440 or less/],
    ['is good', SECRET, 0o440, /ADMIN_TOKEN comes from/],
  ] as const)('a file that %s', async (_, content, mode, message) => {
    using dir = temporaryDirectory();
    const path = join(dir.path, 'token');
    if (content !== null) writeFileSync(path, content);
    if (content !== null) chmodSync(path, mode);
    const said = await doctor({ ADMIN_TOKEN_FILE: path }, '--config');
    const good = message.source.includes('comes from');
    expect(said.code).toBe(good ? 0 : 78);
    const [told] = about(said, good ? 'secret' : 'environment');
    expect(told).toMatch(message);
  });
});

const OR_SET = 'stop what listens there, or set';

describe('machine', () => {
  test('a port in use by another, and by the service itself', async () => {
    using other = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    using own = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => Response.json({ service: 'enrichment' }),
    });
    const said = await doctor({
      ...AWAY,
      PORT_PROJECTION: String(other.port),
      PORT_ENRICHMENT: String(own.port),
    });
    expect(said.code).toBe(1);
    expect(about(said, 'port').filter((each) => !each.startsWith('ok'))).toEqual([
      `warn  port            ${own.port}: enrichment already runs there: before another start stop it`,
      `FAIL  port            ${other.port} for projection is in use: ${OR_SET} PORT_PROJECTION`,
    ]);
  });

  test('a data directory that is held, and one that leads through a file', async () => {
    using dir = temporaryDirectory();
    const data = join(dir.path, 'mine');
    const log = openEmbeddedLog({ dir: join(data, 'log'), nowMs: Date.now });
    const held = await doctor({ ...AWAY, DATA_DIR: data });
    await log.close();
    expect(about(held, 'data_directory')[1]).toMatch(/^warn .*is held by a running process: .*DATA_DIR$/);
    const free = await doctor({ ...AWAY, DATA_DIR: data, LOG_DIR: join(data, 'log', 'log.sqlite', 'x') });
    expect(about(free, 'data_directory')[1]).toMatch(/^ok .*held by nobody$/);
    expect(about(free, 'log_directory')).toEqual([
      expect.stringMatching(/^FAIL .*not a directory.*; correct that, or set LOG_DIR$/),
    ]);
    expect(readdirSync(data)).toEqual(['log']);
  });

  test.skipIf(!canMount)('little and no space, and a read-only disk (needs the right to mount)', async () => {
    using disk = smallDisk('8m');
    const little = await doctor({ ...AWAY, DATA_DIR: disk.path });
    expect(about(little, 'disk_space')[0]).toMatch(/^FAIL .* 0\.0 GiB free: free some, or set DATA_DIR$/);
    disk.fill(0);
    const full = await doctor({ ...AWAY, DATA_DIR: disk.path });
    expect(about(full, 'data_directory')[0]).toContain('the disk is full (ENOSPC)');
    disk.relieve();
    disk.readOnly();
    const closed = await doctor({ ...AWAY, LOG_DIR: disk.path });
    expect(about(closed, 'log_directory')[0]).toContain('its file system is read-only (EROFS)');
  });
});

describe('servers', () => {
  test('that are away: host and port, and no password', async () => {
    const said = await doctor({
      CLICKHOUSE_URL: `http://default:${SECRET}@127.0.0.1:1`,
      REDIS_URL: `redis://:${SECRET}@127.0.0.1:2`,
    });
    expect(said.code).toBe(1);
    expect(about(said, 'clickhouse')[0]).toMatch(/^FAIL {2}clickhouse {6}127\.0\.0\.1:1: .*CLICKHOUSE_URL$/);
    expect(about(said, 'redis')[0]).toMatch(/^warn {2}redis {11}127\.0\.0\.1:2: .*REDIS_URL$/);
    expect(about(said, 'secret')).toHaveLength(2);
  }, 240_000);

  test('a ClickHouse that answers, with final on and with final off', async () => {
    using dir = temporaryDirectory();
    const engine = await startEmbeddedClickHouse({
      dir: join(dir.path, 'engine'),
      httpPort: 0,
      tcpPort: 0,
      logFile: join(dir.path, 'engine.log'),
      startTimeoutMs: 60_000,
    });
    try {
      const on = await doctor({ CLICKHOUSE_URL: engine.url });
      expect(about(on, 'clickhouse').map((each) => each.slice(0, 4))).toEqual(['ok  ', 'ok  ', 'ok  ']);
      expect(about(on, 'clickhouse')[1]).toMatch(/max_connections \d+, \d+ in use$/);
      expect(on.code).toBe(0);
      const off = await doctor({ CLICKHOUSE_URL: `${engine.url}/?ch_final=0` });
      expect(about(off, 'clickhouse')[2]).toMatch(
        /^warn .*final is off for .*: ALTER USER .* SETTINGS final = 1$/,
      );
      expect(off.code).toBe(0);
      const taken = await doctor({ CLICKHOUSE_HTTP_PORT: String(engine.httpPort) });
      expect(about(taken, 'clickhouse')[0]).toMatch(
        /^FAIL .*in use: stop what .*, or set CLICKHOUSE_HTTP_PORT$/,
      );
      expect(taken.code).toBe(1);
    } finally {
      await engine.stop();
    }
  }, 60_000);
});
