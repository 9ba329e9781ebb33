// This machine: the Bun that runs, the directories, the ports of the services.

import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { freeBytes, whyUnwritable } from '../directories.ts';
import { isHeld } from '../log/embedded-lock.ts';
import type { ServiceName } from '../views.ts';
import { type Check, type Line, line, type Patient } from './check.ts';

const FREE_WANTED = 2 * 1024 ** 3;
const FREE_NEEDED = 256 * 1024 ** 2;
const ANSWER_MS_MAX = 2_000;

export const bunVersion: Check = {
  name: 'bun',
  needs: [],
  run() {
    const range = manifest.engines.bun;
    if (Bun.semver.satisfies(Bun.version, range)) return [line('ok', 'bun', `Bun ${Bun.version}`)];
    return [line('fail', 'bun', `Bun ${Bun.version}: this needs ${range}; upgrade Bun`)];
  },
};

export const dataDirectory: Check = {
  name: 'data_directory',
  needs: [],
  run({ environment: { dataDir } }) {
    const found = directory('data_directory', 'DATA_DIR', dataDir);
    if (found.level === 'fail') return [found];
    return [found, holder(dataDir), space(dataDir)];
  },
};

export const logDirectory: Check = {
  name: 'log_directory',
  needs: [],
  run: ({ environment }) => [directory('log_directory', 'LOG_DIR', environment.logDir)],
};

function directory(check: string, variable: string, dir: string): Line {
  const why = whyUnwritable(dir);
  if (why === null) return line('ok', check, `${dir} can be written`);
  return line('fail', check, `${dir} cannot be written: ${why}; correct that, or set ${variable}`);
}

function holder(dataDir: string): Line {
  try {
    if (!isHeld(join(dataDir, 'log'))) return line('ok', 'data_directory', `${dataDir} is held by nobody`);
    const held = `${dataDir} is held by a running process`;
    return line('warn', 'data_directory', `${held}: before another start stop it, or set DATA_DIR`);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return line('fail', 'data_directory', `${said}: correct that, or set DATA_DIR`);
  }
}

/** Whether the product runs on this data. */
export function isHeldNow(dataDir: string): boolean {
  try {
    return isHeld(join(dataDir, 'log'));
  } catch {
    return false;
  }
}

function space(dataDir: string): Line {
  const free = freeBytes(dataDir);
  if (free === null) return line('warn', 'disk_space', `${dataDir}: the system does not tell its free space`);
  const told = `${dataDir}: ${(free / 1024 ** 3).toFixed(1)} GiB free`;
  if (free < FREE_NEEDED) return line('fail', 'disk_space', `${told}: free some, or set DATA_DIR`);
  if (free < FREE_WANTED) return line('warn', 'disk_space', `${told}: 2 GiB are a good start`);
  return line('ok', 'disk_space', told);
}

export const ports: Check = {
  name: 'port',
  needs: ['HOST'],
  run: ({ environment, wrong }) =>
    Promise.all(
      environment.roles.flatMap((role) => {
        const variable = `PORT_${role.replaceAll('-', '_').toUpperCase()}`;
        return wrong.has(variable) ? [] : [portLine(environment, role, variable)];
      }),
    ),
};

async function portLine(
  { host, ports: of }: Patient['environment'],
  role: ServiceName,
  variable: string,
): Promise<Line> {
  const port = of[role];
  if (port === 0) return line('ok', 'port', `${role}: any free port`);
  const why = whyTaken(host, port);
  if (why === null) return line('ok', 'port', `${port} is free for ${role}`);
  if (why !== 'EADDRINUSE') {
    return line('fail', 'port', `${host}:${port} for ${role}: ${why}; set HOST or ${variable}`);
  }
  if (await isOurs(host, port, role)) {
    return line('warn', 'port', `${port}: ${role} already runs there: before another start stop it`);
  }
  return line('fail', 'port', `${port} for ${role} is in use: stop what listens there, or set ${variable}`);
}

/** Null when one can listen there, else the system's code. */
export function whyTaken(host: string, port: number): string | null {
  try {
    Bun.listen({ hostname: host, port, socket: { data() {} } }).stop(true);
    return null;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether the service itself answers there. */
async function isOurs(host: string, port: number, role: ServiceName): Promise<boolean> {
  try {
    const at = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    const url = `http://${at.includes(':') ? `[${at}]` : at}:${port}/info`;
    const answer: unknown = await (await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })).json();
    return typeof answer === 'object' && answer !== null && Reflect.get(answer, 'service') === role;
  } catch {
    return false;
  }
}
