// ClickHouse and Redis: the embedded engine really started for a moment, an outside server really asked. An
// address is told as host and port, never with its account.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClickHouse } from '../../sinks/clickhouse.ts';
import { startEmbeddedClickHouse } from '../../sinks/clickhouse-embedded.ts';
import { redisCache } from '../../sinks/redis.ts';
import { systemClock } from '../clock.ts';
import { type Check, type Line, line, redacted, secretsIn } from './check.ts';
import { lacking } from './cpu.ts';
import { isHeldNow, whyTaken } from './machine.ts';

const ENGINE_START_MS_MAX = 60_000;
const ANSWER_MS_MAX = 5_000;
const LOOK_MS = 50;
/** Of the connections that the server allows. */
const CONNECTIONS_SHARE_MAX = 0.8;
const NAME = 'clickhouse';

export const clickhouse: Check = {
  name: NAME,
  needs: ['CLICKHOUSE_URL', 'CLICKHOUSE_HTTP_PORT', 'CLICKHOUSE_TCP_PORT'],
  run({ environment }) {
    const { clickhouse: of } = environment;
    if (of.kind === 'unused') return [line('ok', NAME, 'not used: connectors apart read and write no rows')];
    if (of.kind === 'server') return serverLines(of.url);
    return engineLines(of, isHeldNow(environment.dataDir));
  },
};

/** `running`: the product runs on this data, so that its own engine may be what holds the ports. */
async function engineLines(
  { httpPort, tcpPort }: { readonly httpPort: number; readonly tcpPort: number },
  running: boolean,
): Promise<Line[]> {
  const wanted = [
    ['CLICKHOUSE_HTTP_PORT', httpPort],
    ['CLICKHOUSE_TCP_PORT', tcpPort],
  ] as const;
  const taken = wanted
    .filter(([, port]) => port !== 0 && whyTaken('127.0.0.1', port) !== null)
    .map(([variable, port]) => {
      const message = `port ${port} of the embedded engine is in use: stop what listens there`;
      return line(running ? 'warn' : 'fail', NAME, `${message}, or set ${variable}`);
    });
  return [...taken, await engineLine()];
}

async function engineLine(): Promise<Line> {
  const missing = lacking();
  if (missing !== null) {
    return line(
      'fail',
      NAME,
      `the embedded engine cannot run here: ${missing}; set CLICKHOUSE_URL to a server`,
    );
  }
  const dir = mkdtempSync(join(tmpdir(), 'carbon-doctor-'));
  try {
    const engine = await startEmbeddedClickHouse({
      dir,
      httpPort: 0,
      tcpPort: 0,
      logFile: join(dir, 'engine.log'),
      startTimeoutMs: ENGINE_START_MS_MAX,
    });
    const client = clientOf(engine.url);
    try {
      const [found] = await client.rows<{ version: string }>('SELECT version() AS version');
      return line('ok', NAME, `the embedded engine runs here: ClickHouse ${found?.version}`);
    } finally {
      await client.close();
      await engine.stop();
    }
  } catch (error) {
    return line('fail', NAME, error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function clientOf(url: string): ClickHouse {
  return new ClickHouse({ url, connectionsMax: 1, requestTimeoutMs: ANSWER_MS_MAX });
}

async function serverLines(url: string): Promise<Line[]> {
  const target = new URL(url).host;
  const client = clientOf(url);
  try {
    const [found] = await client.rows<{ version: string; final: string; user: string }>(
      "SELECT version() AS version, toString(getSetting('final')) AS final, currentUser() AS user",
    );
    const reached = [
      line('ok', NAME, `${target} answers: ClickHouse ${found?.version}`),
      await connectionsLine(client, target),
    ];
    if (found?.final === 'true' || found?.final === '1') {
      return [...reached, line('ok', NAME, `${target}: final is on for this account`)];
    }
    const off = `${target}: final is off for ${found?.user}, so a plain count() shows superseded rows`;
    return [...reached, line('warn', NAME, `${off}: ALTER USER ${found?.user} SETTINGS final = 1`)];
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const message = `${target}: ${redacted(said, secretsIn(url))}`;
    return [line('fail', NAME, `${message}; check that it runs, and CLICKHOUSE_URL`)];
  } finally {
    await client.close();
  }
}

/** How many connections the server allows, and how many there are. An account may be denied to know. */
async function connectionsLine(client: ClickHouse, target: string): Promise<Line> {
  const of = await client
    .rows<{ most: string; used: string }>(
      `SELECT (SELECT value FROM system.server_settings WHERE name = 'max_connections') AS most,
              toString(sum(value)) AS used FROM system.metrics
       WHERE metric IN ('TCPConnection', 'HTTPConnection', 'InterserverConnection')`,
    )
    .catch(() => []);
  const [found] = of;
  if (found === undefined) return line('ok', NAME, `${target}: this account may not see max_connections`);
  const { most, used } = found;
  const told = `${target}: max_connections ${most}, ${used} in use`;
  if (Number(used) < Number(most) * CONNECTIONS_SHARE_MAX) return line('ok', NAME, told);
  return line('warn', NAME, `${told}: raise max_connections, or lower clickhouse.pool_size`);
}

export const redis: Check = {
  name: 'redis',
  needs: ['REDIS_URL'],
  async run({ environment: { redisUrl } }) {
    if (redisUrl === null) return [line('ok', 'redis', 'answers are cached in this process')];
    const target = new URL(redisUrl).host;
    const cache = redisCache(redisUrl, 1);
    try {
      const why = await answered(() => cache.health());
      if (why === null) return [line('ok', 'redis', `${target} answers`)];
      const message = `${target}: ${redacted(why, secretsIn(redisUrl))}`;
      return [line('warn', 'redis', `${message}; queries work without it, slower: check REDIS_URL`)];
    } finally {
      await cache.close();
    }
  },
};

/** Asks again until there is no complaint left, or time is up; the last complaint. */
async function answered(ask: () => Promise<string | null>): Promise<string | null> {
  const deadline = systemClock.nowMs() + ANSWER_MS_MAX;
  for (;;) {
    const why = await ask();
    if (why === null || systemClock.nowMs() > deadline) return why;
    await Bun.sleep(LOOK_MS);
  }
}
