// Runs `bun run replay` as a user does, as a process of its own, with nothing of this one's settings. What
// comes back is what the user sees: the exit code and the two streams.

import { Database } from 'bun:sqlite';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Check } from '../../runtime/conservation.ts';
import type { Unreadable } from '../../runtime/recordings.ts';
import { until } from './until.ts';

const root = resolve(import.meta.dir, '../..');

export interface ReplayProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly exitCode: number | null;
  kill(signal: NodeJS.Signals): void;
  stdout(): Promise<string>;
  stderr(): Promise<string>;
}

export function startReplay(
  variables: Readonly<Record<string, string>>,
  ...words: readonly string[]
): ReplayProcess {
  const { PATH, HOME, TMPDIR } = process.env;
  const child = Bun.spawn([process.execPath, 'runtime/cli/replay.ts', ...words], {
    cwd: root,
    env: { PATH, HOME, TMPDIR, TZ: 'UTC', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = new Response(child.stdout).text();
  const stderr = new Response(child.stderr).text();
  return {
    pid: child.pid,
    exited: child.exited,
    get exitCode() {
      return child.exitCode;
    },
    kill: (signal) => child.kill(signal),
    stdout: () => stdout,
    stderr: () => stderr,
  };
}

export interface Replayed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function replay(...words: readonly string[]): Promise<Replayed> {
  const child = startReplay({}, ...words);
  const code = await child.exited;
  return { code, stdout: await child.stdout(), stderr: await child.stderr() };
}

/** What `--json` prints. */
export interface Summary {
  readonly ticks: number;
  readonly seconds: number;
  readonly responses: readonly { readonly cursor: { readonly name: string }; readonly fresh: boolean }[];
  readonly failed: readonly Unreadable[];
  readonly exported: readonly string[];
  readonly conservation: { readonly balanced: boolean; readonly checks: readonly Check[] } | null;
}

export function summaryOf({ stdout }: Replayed): Summary {
  const summary: Summary = JSON.parse(stdout);
  return summary;
}

/** Records on all topics of a data directory, committed so far; 0 before there is a log. */
export function recordsOnLog(dataDir: string): number {
  const file = join(dataDir, 'log', 'log.sqlite');
  if (!existsSync(file)) return 0;
  const db = new Database(file, { readonly: true });
  try {
    const found = db.query<{ records: number | null }, []>('SELECT sum(next) AS records FROM ends').get();
    return found?.records ?? 0;
  } catch {
    // The file is there before its tables are.
    return 0;
  } finally {
    db.close();
  }
}

/** Kills the replay when so many records are on its log; false when it ended before that. */
export async function killAt(child: ReplayProcess, dataDir: string, records: number): Promise<boolean> {
  const look = () =>
    child.exitCode !== null || recordsOnLog(dataDir) >= records ? { ended: child.exitCode !== null } : null;
  const reached = await until(`${records} records on the log`, look, 120_000);
  if (reached.ended) return false;
  child.kill('SIGKILL');
  await child.exited;
  return true;
}
