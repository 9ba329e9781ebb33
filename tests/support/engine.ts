// A real ClickHouse for a test file: the embedded engine in a temporary directory, on free ports, with the
// schema of the platform, ended and removed when the tests have run.

import { afterAll, beforeAll } from 'bun:test';
import { join } from 'node:path';
import { ClickHouse } from '../../sinks/clickhouse.ts';
import { type EmbeddedEngine, startEmbeddedClickHouse } from '../../sinks/clickhouse-embedded.ts';
import { migrate } from '../../sinks/migrations.ts';
import { temporaryDirs } from './temporary.ts';

const START_MS_MAX = 60_000;

export interface TestEngine {
  readonly clickhouse: ClickHouse;
  readonly engine: EmbeddedEngine;
  readonly dir: string;
}

export function startEngine(dir: string, httpPort = 0, tcpPort = 0): Promise<EmbeddedEngine> {
  const logFile = join(dir, 'engine.log');
  return startEmbeddedClickHouse({ dir, httpPort, tcpPort, logFile, startTimeoutMs: START_MS_MAX });
}

export function clientOf(engine: EmbeddedEngine): ClickHouse {
  return new ClickHouse({ url: engine.url, connectionsMax: 4, requestTimeoutMs: 30_000 });
}

/** Call at the top of a test file; the function gives the engine once the tests run. */
export function engineForTests(): () => TestEngine {
  const newDir = temporaryDirs('carbon-engine');
  let running: TestEngine | null = null;
  beforeAll(async () => {
    const dir = newDir();
    const engine = await startEngine(dir);
    const clickhouse = clientOf(engine);
    running = { clickhouse, engine, dir };
    await migrate(clickhouse, null);
  }, START_MS_MAX);
  afterAll(async () => {
    await running?.clickhouse.close();
    await running?.engine.stop();
  }, START_MS_MAX);
  return () => {
    if (running === null) throw new Error('the engine does not run yet');
    return running;
  };
}
