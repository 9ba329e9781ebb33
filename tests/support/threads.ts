// The product's own composition inside a test, with its workers: what `bun run start` builds, without ports.
// A test may end a worker, ask the whole, and read what is in ClickHouse.

import { mkdirSync } from 'node:fs';
import type { Response } from '../../actors/feeds/feed.ts';
import { drainAll, eventLog, type Launched, launch } from '../../runtime/launch.ts';
import { openLoggers } from '../../runtime/logging.ts';
import { openLog } from '../../runtime/open-log.ts';
import { prepare } from '../../runtime/startup.ts';
import { ConnectorTelemetry } from '../../runtime/telemetry.ts';
import type { SupervisorEvent } from '../../runtime/views.ts';

export interface Threads {
  readonly launched: Launched;
  readonly events: readonly SupervisorEvent[];
  /** Resolves when everything that was fed has gone all the way. */
  feed(responses: readonly Response[]): Promise<void>;
  /** Resolves when all of it is on the log; everywhere else it may come later. */
  replay(responses: AsyncIterable<Response>): Promise<void>;
  stop(): Promise<void>;
}

export async function openThreads(
  dir: string,
  parallelism: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Threads> {
  mkdirSync(dir, { recursive: true });
  const anyPort = { CLICKHOUSE_HTTP_PORT: '0', CLICKHOUSE_TCP_PORT: '0' };
  const prepared = prepare({
    ...anyPort,
    DATA_DIR: dir,
    LOG_DIR: dir,
    PARALLELISM: String(parallelism),
    ...more,
  });
  const { environment } = prepared.config;
  const seen: SupervisorEvent[] = [];
  const loggers = openLoggers({ dir, level: 'warn', stdout: () => {} });
  const events = eventLog(loggers, (event) => seen.push(event));
  const opened = openLog(prepared.config, environment, { note: () => {}, told: () => {}, differs: () => {} });
  const launched = await launch({
    prepared,
    environment,
    opened,
    loggers,
    events,
    telemetry: new Map(),
    connectorTelemetry: new ConnectorTelemetry([]),
    exhausted: (cause) => {
      throw new Error(cause);
    },
  });
  const { pipeline, workers } = launched;
  await launched.database.migrate();
  await Promise.all([pipeline.start(), workers.start()]);
  const replay = (responses: AsyncIterable<Response>): Promise<void> =>
    pipeline.replay({
      name: `test-${pipeline.sources.length}`,
      responses,
      speed: null,
      chunkMax: 500,
      responseDone: () => {},
    });
  return {
    launched,
    events: seen,
    replay,
    async feed(responses) {
      await replay(each(responses));
      await pipeline.caughtUp(new AbortController().signal);
    },
    async stop() {
      await drainAll(launched);
      await launched.close();
    },
  };
}

async function* each(responses: readonly Response[]): AsyncIterable<Response> {
  yield* responses;
}
