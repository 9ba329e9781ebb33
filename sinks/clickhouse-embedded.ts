// Starts and stops the embedded ClickHouse engine: a child process with the genuine server inside. One
// directory, one engine; acknowledged inserts survive its death. Keeping it alive is the runtime's decision,
// not made here.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Fault } from './sink.ts';

export interface EmbeddedOptions {
  readonly dir: string;
  /** 0: any free port. */
  readonly httpPort: number;
  readonly tcpPort: number;
  /** File for what the engine says. */
  readonly logFile: string;
  readonly startTimeoutMs: number;
}

export interface EmbeddedEngine {
  readonly url: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly pid: number;
  readonly exited: Promise<number>;
  stop(): Promise<void>;
}

const POLL_MS = 20;
const STOP_MS_MAX = 8_000;
const PREDECESSOR_MS_MAX = 30_000;
const PID_FILE = 'engine.pid';
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Resolves when the engine serves. Throws a Fault that says what to set when it cannot. */
export async function startEmbeddedClickHouse(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const library = findLibrary();
  await predecessorGone(options.dir);
  await requirePort(options.httpPort, 'CLICKHOUSE_HTTP_PORT');
  await requirePort(options.tcpPort, 'CLICKHOUSE_TCP_PORT');
  mkdirSync(join(options.dir, 'store'), { recursive: true });
  const portsFile = join(options.dir, 'ports.json');
  rmSync(portsFile, { force: true });
  const log = openLog(options.logFile);
  const child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, 'clickhouse-engine.ts'),
      library,
      options.dir,
      String(options.httpPort),
      String(options.tcpPort),
      '--config-file',
      writeConfig(options.dir),
      '--log-level=error',
      '--final=1',
      '--max_partitions_per_insert_block=0',
    ],
    { stdin: 'pipe', stdout: log, stderr: log, detached: true, env: { PATH: '/usr/bin:/bin', TZ: 'UTC' } },
  );
  closeSync(log);
  writeFileSync(join(options.dir, PID_FILE), String(child.pid));
  const ports = await waitForPorts(portsFile, child, options);
  return {
    url: `http://127.0.0.1:${ports.http}`,
    httpPort: ports.http,
    tcpPort: ports.tcp,
    pid: child.pid,
    exited: child.exited,
    async stop() {
      child.stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await child.exited;
      clearTimeout(late);
    },
  };
}

/** What the engine says, errors alone; a file that has grown large makes room at the next start. */
function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}

/** Backups go to files below the directory; everything else is the engine's default. */
function writeConfig(dir: string): string {
  const path = join(dir, 'engine.xml');
  const backups = join(dir, 'backups');
  mkdirSync(backups, { recursive: true });
  const config = `<clickhouse>
  <logger><level>warning</level><console>true</console></logger>
  <backups><allowed_path>${backups}</allowed_path></backups>
  <merge_tree><non_replicated_deduplication_window>1000</non_replicated_deduplication_window></merge_tree>
</clickhouse>
`;
  writeFileSync(path, config);
  return path;
}

function packageName(): string {
  const libc = process.platform === 'linux' ? '-gnu' : '';
  return `@chdb/lib-${process.platform}-${process.arch}${libc}`;
}

/** Path of the engine's library. Throws a Fault when this machine cannot run it. */
export function findLibrary(): string {
  const name = packageName();
  try {
    return join(require.resolve(`${name}/package.json`), '..', 'libchdb.so');
  } catch (error) {
    const missing = `the embedded ClickHouse engine (${name}) is not installed here`;
    const message = `${missing}: set CLICKHOUSE_URL to a server`;
    throw new Fault(message, 'clickhouse_engine_missing', false, { cause: error });
  }
}

/**
 * The engine of a process that was killed ends by itself, a moment later; until then it holds the directory
 * and its ports. Waits for that, and no longer than it can take.
 */
async function predecessorGone(dir: string): Promise<void> {
  const file = join(dir, PID_FILE);
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const deadline = performance.now() + PREDECESSOR_MS_MAX;
  while (pid > 0 && serves(pid, dir) && performance.now() < deadline) await Bun.sleep(POLL_MS);
  rmSync(file, { force: true });
}

/** Whether that process is still the engine of the directory; where there is no /proc, whether it lives. */
function serves(pid: number, dir: string): boolean {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function requirePort(port: number, variable: string): Promise<void> {
  if (port === 0) return;
  try {
    const probe = Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } });
    probe.stop(true);
  } catch (error) {
    const message = `port ${port} of ClickHouse is in use: set ${variable} to a free port`;
    throw new Fault(message, 'port_in_use', false, { cause: error });
  }
}

async function waitForPorts(
  file: string,
  child: { readonly exitCode: number | null; kill(signal: 'SIGKILL'): void },
  options: EmbeddedOptions,
): Promise<{ http: number; tcp: number }> {
  const deadline = performance.now() + options.startTimeoutMs;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) {
      const ended = `the ClickHouse engine ended with ${child.exitCode}`;
      const message = `${ended}: see ${options.logFile}, or set CLICKHOUSE_URL`;
      throw new Fault(message, 'clickhouse_engine_failed', false);
    }
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (text.endsWith('}\n')) return JSON.parse(text);
    await Bun.sleep(POLL_MS);
  }
  child.kill('SIGKILL');
  const late = `the ClickHouse engine did not serve within ${options.startTimeoutMs} ms`;
  const message = `${late}: see ${options.logFile}`;
  throw new Fault(message, 'clickhouse_engine_failed', true);
}
