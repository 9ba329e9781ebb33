// Installs the dependencies from bun.lock: one line of progress on stderr, one sentence when it fails.
// Two at once: the second waits and then finds the work done. The lock is an exclusive SQLite transaction,
// held by the operating system for the life of the process, so that an installer which was killed leaves none
// behind.

import { Database } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isInstalled, markInstalled } from './stamp.ts';

/** Why nothing was installed and what to do, and the exit code (sysexits.h) that says the kind. */
export interface InstallFailure {
  readonly sentence: string;
  readonly exitCode: number;
}

const WAIT_MS_MAX = 15 * 60_000;
const POLL_MS = 200;
const EXIT_UNAVAILABLE = 69;
const EXIT_CANNOT_CREATE = 73;
const EXIT_CONFIGURATION = 78;

/** Installs unless another process just did. Null when node_modules matches the lockfile. */
export async function install(root: string): Promise<InstallFailure | null> {
  try {
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    using lock = new Database(join(root, 'node_modules', '.install-lock'));
    if (!(await acquired(lock))) {
      return {
        sentence:
          'Another process has been installing dependencies for 15 minutes: end it and run this again.',
        exitCode: EXIT_UNAVAILABLE,
      };
    }
    if (isInstalled(root)) return null;
    const output = await bunInstall(root);
    if (output !== null) return explain(output);
    markInstalled(root);
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      sentence: `The dependencies cannot be written to ${join(root, 'node_modules')}: ${reason}`,
      exitCode: EXIT_CANNOT_CREATE,
    };
  }
}

async function acquired(lock: Database): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS_MAX;
  for (let told = false; performance.now() < deadline; told = true) {
    try {
      lock.run('BEGIN EXCLUSIVE');
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) throw error;
    }
    if (!told) process.stderr.write('waiting for another process that is installing dependencies …\n');
    await Bun.sleep(POLL_MS);
  }
  return false;
}

/** Null when it worked, else what bun printed. */
async function bunInstall(root: string): Promise<string | null> {
  const startMs = performance.now();
  process.stderr.write('installing dependencies from bun.lock (first run) … ');
  const child = Bun.spawn([process.execPath, 'install', '--frozen-lockfile', '--no-progress'], {
    cwd: root,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NO_COLOR: '1' },
  });
  const stop = (signal: NodeJS.Signals) => {
    child.kill(signal);
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const [out, err, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  process.off('SIGINT', stop).off('SIGTERM', stop);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  process.stderr.write(exitCode === 0 ? `done in ${seconds} s\n` : 'failed\n');
  return exitCode === 0 ? null : `${out}\n${err}`;
}

/** From what `bun install` prints, why it failed. Exported for its test. */
export function explain(output: string): InstallFailure {
  const download = /error: (\S+) downloading/.exec(output) ?? /error: \w+ \S+ - (\d{3})/.exec(output);
  if (download !== null) {
    const sentence =
      `The package registry cannot be reached (${download[1]}): connect this machine to it, ` +
      'or name a mirror in BUN_CONFIG_REGISTRY, and run the same command again.';
    return { sentence, exitCode: EXIT_UNAVAILABLE };
  }
  if (output.includes('lockfile is frozen')) {
    const sentence = 'package.json and bun.lock disagree: run `bun install` and commit bun.lock with it.';
    return { sentence, exitCode: EXIT_CONFIGURATION };
  }
  const lines = output.split('\n').filter((line) => line.startsWith('error'));
  const said = lines.slice(0, 3).join('; ') || output.trim().slice(-300);
  return { sentence: `\`bun install --frozen-lockfile\` failed: ${said}`, exitCode: 1 };
}
