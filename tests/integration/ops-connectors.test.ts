// `bun run ops connectors` and the runbook's scripts as operators run them: each a process, its words, its
// exit code. The operator is a stand-in on loopback that keeps OASIS's rules.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { command } from '../support/command.ts';
import { configDir, edited, SHIPPED, textOf } from '../support/config-dir.ts';
import { type Answer, Oasis, oasisError, throttlePage } from '../support/operators/oasis.ts';
import { Product, productEnvironment, temporaryDirectory } from '../support/product.ts';

setDefaultTimeout(120_000);

const root = resolve(import.meta.dir, '../..');
const place = temporaryDirectory();
afterAll(() => place[Symbol.dispose]());

const ops = (env: Readonly<Record<string, string>>, ...words: string[]) =>
  command('runtime/cli/ops.ts', place.path, env, 'connectors', ...words);

/** Through the Python script, as the runbook writes it. */
async function script(file: string, env: Readonly<Record<string, string>>, ...words: string[]) {
  const child = Bun.spawn(['python3', `scripts/${file}.py`, ...words], {
    cwd: root,
    env: productEnvironment(place.path, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, output, errors };
}

const CONNECTORS = textOf(SHIPPED, 'connectors');
const BROKEN = edited(CONNECTORS, 'source: caiso.dam', 'source: caiso.dma');

test('list, info and validate say what is followed, and exit 0', async () => {
  const listed = await ops({}, 'list');
  expect(listed.code).toBe(0);
  expect(listed.lines.map((line) => line.split(/\s+/).slice(0, 3))).toEqual([
    ['caiso', 'enabled', 'CAISO'],
    ['miso', 'enabled', 'MISO'],
  ]);
  const info = await ops({}, 'info', 'caiso', '--json');
  const told: { base_urls: unknown; feeds: { run: string }[] } = JSON.parse(info.lines[0] ?? '');
  expect(told.base_urls).toEqual({ oasis: 'https://oasis.caiso.com/oasisapi' });
  expect(told.feeds.map(({ run }) => run)).toEqual(expect.arrayContaining(['DAM', 'RTPD', 'RTM', 'HASP']));
  expect((await ops({}, 'validate-all')).code).toBe(0);
});

test('a connector that is wrong is told with its place, and the others stay usable', async () => {
  using dir = configDir(SHIPPED, { connectors: BROKEN });
  const env = { CONFIG_DIR: dir.path };
  const all = await ops(env, 'validate-all');
  expect(all.code).toBe(1);
  expect(all.lines.join('\n')).toContain(
    "connectors.caiso.live.dam.source: no 'caiso.dma'; known are caiso.dam",
  );
  expect((await ops(env, 'validate', 'caiso')).code).toBe(1);
  expect((await ops(env, 'validate', 'miso')).code).toBe(0);
  const tried = await ops(env, 'test', 'caiso', '--offline');
  expect([tried.code, tried.errors]).toEqual([1, expect.stringContaining('caiso.dma')]);
});

test('a value of the wrong kind is told with line and column', async () => {
  const text = edited(CONNECTORS, 'request_interval_ms: 5000', 'request_interval_ms: often');
  using dir = configDir(SHIPPED, { connectors: text });
  const line = text.split('\n').findIndex((each) => each.endsWith(': often')) + 1;
  const said = await ops({ CONFIG_DIR: dir.path }, 'validate', 'caiso');
  expect(said.code).toBe(1);
  expect(said.lines.join('\n')).toContain(
    `connectors.yaml:${line}:7: connectors.caiso.limits.request_interval_ms`,
  );
});

test('the index lists invalid connectors and is written all the same', async () => {
  using dir = configDir(SHIPPED, { connectors: BROKEN });
  const out = join(place.path, 'index', 'connectors.json');
  const said = await script('generate_connectors_index', { CONFIG_DIR: dir.path }, '--out', out);
  expect([said.code, said.errors]).toEqual([0, '']);
  const index: { connectors: { name: string; valid: boolean; problems: string[] }[] } = JSON.parse(
    readFileSync(out, 'utf8'),
  );
  expect(index.connectors.map(({ name, valid }) => [name, valid])).toEqual([
    ['caiso', false],
    ['miso', true],
  ]);
  expect(index.connectors[0]?.problems).toHaveLength(1);
});

test('test --offline parses and normalizes the bundled recordings', async () => {
  const said = await script('connector_manager', {}, 'test', 'caiso', '--offline', '--json');
  expect(said.code).toBe(0);
  const { trials }: { trials: Record<string, unknown>[] } = JSON.parse(said.output);
  // The counts of the recordings' own README.
  expect(trials.map((each) => [each.rows_read, each.records, each.ticks, each.rejected])).toEqual([
    [162_848, 40_712, 40_712, 0],
    [5_760, 1_152, 1_152, 0],
    [1_152, 288, 288, 0],
  ]);
  expect((await ops({}, 'test', 'miso', '--offline')).code).toBe(0);
});

test('a recording that is no response of the market is refused by its name', async () => {
  const file = join(place.path, 'notes.txt');
  writeFileSync(file, 'nothing of a market');
  const said = await ops({}, 'test', 'caiso', '--offline', '--file', file);
  expect([said.code, said.errors]).toEqual([1, expect.stringContaining('no response of CAISO')]);
});

/** OASIS on loopback with prices of every hour; `say` may answer instead. */
function operator(say: (() => Answer) | null) {
  const oasis = new Oasis({ versions: (_run, _node, startMs) => [{ outMs: 0, cents: startMs % 9_999 }] });
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const { status, headers, body } = say?.() ?? oasis.answer(new URL(request.url), Date.now());
      return new Response(new Uint8Array(body), { status, headers });
    },
  });
  const url = `http://127.0.0.1:${server.port}/oasisapi`;
  const text = edited(
    edited(
      edited(CONNECTORS, 'https://oasis.caiso.com/oasisapi', url),
      'interval_ms: 5000',
      'interval_ms: 50',
    ),
    'market: CAISO',
    'market: CAISO\n    allow_private_addresses: true',
  );
  const dir = configDir(SHIPPED, { connectors: text });
  return {
    env: { CONFIG_DIR: dir.path },
    async [Symbol.asyncDispose]() {
      dir[Symbol.dispose]();
      await server.stop(true);
    },
  };
}

test('test really asks the operator, and says rows and latency', async () => {
  await using standIn = operator(null);
  const said = await ops(standIn.env, 'test', 'caiso', '--json');
  expect([said.code, said.errors]).toEqual([0, '']);
  const { trials }: { trials: Record<string, unknown>[] } = JSON.parse(said.lines[0] ?? '');
  expect(trials).toMatchObject([
    {
      source: 'caiso.dam',
      from: 'operator',
      outcome: 'response',
      http_status: 200,
      requests: 1,
      rejected: 0,
    },
  ]);
  // Three hubs of an operating day, one row of each of two components.
  const { rows_read, ticks } = trials[0] ?? {};
  expect([69, 72, 75]).toContain(Number(ticks));
  expect(rows_read).toBe(Number(ticks) * 2);
});

test.each([
  ['a throttle page under 200', () => throttlePage(200), 'throttled'],
  ['an invalid request', () => oasisError(1001), 'invalid'],
  ['a body that is cut', () => cut(), 'failed'],
])('test against %s fails and says why', async (_, say, outcome) => {
  await using standIn = operator(say);
  const said = await ops(standIn.env, 'test', 'caiso');
  expect(said.code).toBe(1);
  expect(said.lines[0]).toContain(`: ${outcome}`);
  expect(said.lines.length).toBeGreaterThan(3);
});

function cut(): Answer {
  const whole = oasisError(1000);
  return { ...whole, body: whole.body.subarray(0, 60) };
}

test('disable and enable switch the connector of the process that runs, with a reason', async () => {
  await using standIn = operator(null);
  await using product = new Product({ env: { ...standIn.env, CONNECTORS: 'caiso' } });
  await product.ready();
  const url = product.url('normalization', '');
  const off = await script(
    'connector_manager',
    {},
    'disable',
    'caiso',
    '--reason',
    'bad prices',
    '--url',
    url,
  );
  expect([off.code, off.output]).toEqual([0, 'caiso is disabled\n']);
  const shown = await product.json('normalization', '/connectors/caiso');
  expect(shown).toMatchObject({ enabled: false, reason: 'bad prices' });
  expect((await ops({}, 'enable', 'caiso', '--url', url)).code).toBe(0);
  expect(await product.json('normalization', '/connectors/caiso')).toMatchObject({ enabled: true });
  const unknown = await ops({}, 'disable', 'ercot', '--reason', 'none', '--url', url);
  expect([unknown.code, unknown.errors]).toEqual([1, expect.stringContaining("no connector 'ercot'")]);
}, 60_000);

test('enable and disable tell what to do when nothing runs', async () => {
  const said = await ops(
    { PORT_CONNECTORS: '1', PORT_NORMALIZATION: '2' },
    'disable',
    'caiso',
    '--reason',
    'bad prices',
  );
  expect(said.code).toBe(1);
  expect(said.errors).toContain('nothing answers at http://127.0.0.1:1');
  expect(said.errors).toContain('CONNECTORS=');
});

test('wrong words exit 64 and say which are right', async () => {
  mkdirSync(join(place.path, 'data'), { recursive: true });
  for (const words of [['tset'], ['test'], ['info', 'caiso', 'miso'], ['list', '--fast']]) {
    const said = await ops({}, ...words);
    expect([words, said.code]).toEqual([words, 64]);
    expect(said.errors).toContain('usage: bun run ops connectors');
  }
  const unknown = await ops({}, 'info', 'ercot');
  expect([unknown.code, unknown.errors]).toEqual([1, expect.stringContaining('known are caiso, miso')]);
});
