// scripts/run.ts as a user meets it, on a tiny project in a folder of its own: first run, second run,
// registry out of reach, two at once, a killed installer. The dependency is a local folder, so that no
// network is used.

import { afterEach, expect, test } from 'bun:test';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { explain } from '../../../scripts/install.ts';

const scripts = resolve(import.meta.dir, '../../../scripts');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const TARGET = `
import { answer } from 'dep';
const { argv, pid } = process;
console.log(JSON.stringify({ answer, argv: argv.slice(2), main: import.meta.main, pid }));
process.exit(7);
`;

interface Result {
  readonly pid: number;
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

async function project(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'run-'));
  folders.push(root);
  mkdirSync(join(root, 'scripts'));
  for (const name of ['run.ts', 'install.ts', 'stamp.ts']) {
    cpSync(join(scripts, name), join(root, 'scripts', name));
  }
  mkdirSync(join(root, 'dep'));
  writeFileSync(join(root, 'dep/package.json'), '{"name":"dep","version":"1.0.0","main":"index.js"}');
  writeFileSync(join(root, 'dep/index.js'), 'export const answer = 42;');
  writeFileSync(
    join(root, 'package.json'),
    '{"name":"p","type":"module","dependencies":{"dep":"file:./dep"}}',
  );
  writeFileSync(join(root, 'target.ts'), TARGET);
  await spawned(root, ['install', '--lockfile-only']);
  return root;
}

function start(root: string, args: readonly string[], env: Record<string, string> = {}) {
  return Bun.spawn([process.execPath, ...args], {
    cwd: root,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, BUN_INSTALL_CACHE_DIR: join(root, 'cache'), ...env },
  });
}

async function spawned(root: string, args: readonly string[], env?: Record<string, string>): Promise<Result> {
  const child = start(root, args, env);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { pid: child.pid, exitCode: await child.exited, out, err };
}

/** What the process says next, or nothing at its end. */
async function line(reader: { read(): Promise<{ value?: Uint8Array | undefined }> }): Promise<string> {
  return new TextDecoder().decode((await reader.read()).value);
}

const RUN = ['scripts/run.ts', 'target.ts', 'a', '--b=c d'];

test('the first run installs, says so in one line on stderr, and becomes the target', async () => {
  const root = await project();
  const result = await spawned(root, RUN);
  expect(result.err).toMatch(/^installing dependencies from bun\.lock \(first run\) … done in [\d.]+ s\n$/);
  expect(JSON.parse(result.out)).toEqual({ answer: 42, argv: ['a', '--b=c d'], main: true, pid: result.pid });
  expect(result.exitCode).toBe(7);
});

test('the second run installs nothing and says nothing; a changed lockfile installs again', async () => {
  const root = await project();
  await spawned(root, RUN);
  expect((await spawned(root, RUN)).err).toBe('');
  writeFileSync(join(root, 'bun.lock'), `${readFileSync(join(root, 'bun.lock'), 'utf8')}\n`);
  expect((await spawned(root, RUN)).err).toContain('installing dependencies');
});

test('a registry out of reach is one sentence, exit code 69, and the target does not run', async () => {
  const root = await project();
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const closedPort = listener.port;
  listener.stop(true);
  writeFileSync(join(root, 'package.json'), '{"name":"p","dependencies":{"far":"1.0.0"}}');
  const entry = `["far@1.0.0", "", {}, "sha512-${'A'.repeat(86)}=="]`;
  const workspace = '{ "": { "name": "p", "dependencies": { "far": "1.0.0" } } }';
  const lock = `{ "lockfileVersion": 1, "workspaces": ${workspace}, "packages": { "far": ${entry} } }`;
  writeFileSync(join(root, 'bun.lock'), lock);
  const result = await spawned(root, RUN, { BUN_CONFIG_REGISTRY: `http://127.0.0.1:${closedPort}/` });
  expect(result.err).toMatch(
    /failed\nThe package registry cannot be reached \(ConnectionRefused\): .*again\.\n$/,
  );
  expect(result.exitCode).toBe(69);
  expect(result.out).toBe('');
  expect(existsSync(join(root, 'node_modules/.installed'))).toBe(false);
});

test('three that wait for an installer which is killed install once, and all of them run', async () => {
  const root = await project();
  mkdirSync(join(root, 'node_modules'));
  const hold = `
    const { Database } = await import('bun:sqlite');
    const lock = new Database('node_modules/.install-lock');
    lock.run('BEGIN EXCLUSIVE');
    console.log('held');
    setInterval(() => lock.filename, 1000);
  `;
  const holder = start(root, ['-e', hold]);
  await holder.stdout.getReader().read();
  const waiters = [start(root, RUN), start(root, RUN), start(root, RUN)];
  const spoken = waiters.map((waiter) => waiter.stderr.getReader());
  for (const reader of spoken) expect(await line(reader)).toContain('waiting for another process');
  holder.kill('SIGKILL');
  expect(await Promise.all(waiters.map((waiter) => waiter.exited))).toEqual([7, 7, 7]);
  const rest = await Promise.all(spoken.map(line));
  expect(rest.filter((text) => text.startsWith('installing dependencies'))).toHaveLength(1);
});

test('no target, and what bun says, are told in one sentence', async () => {
  const root = await project();
  expect(await spawned(root, ['scripts/run.ts'])).toMatchObject({ exitCode: 64, out: '' });
  expect(explain('error: lockfile had changes, but lockfile is frozen')).toMatchObject({ exitCode: 78 });
  expect(explain('error: DNSResolveFailed downloading tarball a@1').sentence).toContain('DNSResolveFailed');
  expect(explain('error: Integrity check failed for tarball').sentence).toContain('Integrity check failed');
});
