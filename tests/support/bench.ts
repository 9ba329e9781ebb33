// The whole pipeline inside a test: the real log, services, supervisors and ClickHouse engine in a directory
// of its own, composed as the product composes them. What a test may choose: how batches are cut, and the
// order in which a feed gives its records.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cursor } from '../../actors/connector.ts';
import type { RawRecord } from '../../actors/domain/wire.ts';
import type { Feed, Response } from '../../actors/feeds/feed.ts';
import { findFeed, markets } from '../../actors/feeds/markets.ts';
import { nactHost } from '../../runtime/actor-system.ts';
import { systemClock, systemDraw } from '../../runtime/clock.ts';
import type { Conservation } from '../../runtime/conservation.ts';
import { Database } from '../../runtime/database.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import type { Log } from '../../runtime/log/log.ts';
import { runtimePolicy } from '../../runtime/options.ts';
import { Pipeline } from '../../runtime/pipeline.ts';
import { prepare } from '../../runtime/startup.ts';
import type { RecordEvent, ServiceName } from '../../runtime/views.ts';
import type { ClickHouse } from '../../sinks/clickhouse.ts';
import { silverTicks } from '../../sinks/queries.ts';

export interface BenchOptions {
  readonly dir: string;
  /** Closed with the bench; unset: the embedded one in `dir`. */
  readonly log?: Log;
  /** A ClickHouse that runs already; unset: the embedded one in `dir`. */
  readonly clickhouseUrl?: string;
  /** Services that are hosted; unset: all. */
  readonly roles?: ReadonlySet<ServiceName>;
  /** Hears every event; unset: nobody. */
  readonly record?: RecordEvent;
  /** Records of one batch of a stage; unset: as shipped. */
  readonly batchMax?: number;
  /** Records of one batch for the sink; unset: as shipped. */
  readonly sinkMax?: number;
  /** Records of one transaction of a connector. */
  readonly chunkMax?: number;
  /** The order in which each response's records go onto the log; unset: the feed's. */
  readonly reorder?: (records: readonly RawRecord[]) => readonly RawRecord[];
}

export interface Bench {
  readonly pipeline: Pipeline;
  readonly clickhouse: ClickHouse;
  readonly log: Log;
  /** Feeds groups of responses, all groups at the same time; resolves when everything has caught up. */
  feed(...groups: readonly (readonly Response[])[]): Promise<Cursor[]>;
  conservation(): Promise<Conservation>;
  close(): Promise<void>;
}

export async function openBench(options: BenchOptions): Promise<Bench> {
  const { dir, chunkMax = 2_000 } = options;
  mkdirSync(dir, { recursive: true });
  const url = options.clickhouseUrl ?? '';
  const anyPort = { CLICKHOUSE_HTTP_PORT: '0', CLICKHOUSE_TCP_PORT: '0', CLICKHOUSE_URL: url };
  const variables = { DATA_DIR: dir, LOG_DIR: dir, ...anyPort };
  const { config, stages } = prepare(variables);
  const shipped = runtimePolicy(config);
  const { batchMax = shipped.batchRecordsMax, sinkMax = shipped.sinkRecordsMax } = options;
  const policy = { ...shipped, batchRecordsMax: batchMax, sinkRecordsMax: sinkMax };
  const log = options.log ?? openEmbeddedLog({ dir: join(dir, 'log'), nowMs: systemClock.nowMs });
  const { record = () => {} } = options;
  const ports = { clock: systemClock, draw: systemDraw, record };
  const { environment } = config;
  const settings = { environment, poolSize: 10, timeoutMs: 30_000, backoff: policy.backoff };
  const database = await Database.open(ports, settings);
  await database.migrate();
  const { clickhouse, sink } = database;
  const pipeline = new Pipeline(
    {
      ...ports,
      host: nactHost(),
      log,
      silver: (instrument, fromUs, toUs) => silverTicks(clickhouse, instrument, fromUs, toUs),
      sink,
      committed: () => {},
      extracted: () => {},
      wrote: () => {},
      failed: () => {},
      exhausted: (cause) => {
        throw new Error(cause);
      },
    },
    {
      roles: options.roles ?? new Set(environment.roles),
      markets,
      connectors: Object.keys(config.connectors.connectors),
      partitions: config.runtime.log.partitions,
      retentionMs: config.runtime.log.retention_hours * 3_600_000,
      sinkTimeoutMs: 30_000,
      policy,
      stages,
      findFeed: feedFinder(options.reorder),
    },
  );
  await pipeline.start();
  const feed = async (...groups: readonly (readonly Response[])[]): Promise<Cursor[]> => {
    const cursors: Cursor[] = [];
    const replays = groups.map((responses) =>
      pipeline.replay({
        name: `test-${pipeline.sources.length}`,
        responses: each(responses),
        speed: null,
        chunkMax,
        responseDone: (cursor) => cursors.push(cursor),
      }),
    );
    await Promise.all(replays);
    await pipeline.caughtUp(new AbortController().signal);
    return cursors;
  };
  const close = async (): Promise<void> => {
    await pipeline.drain();
    await database.close();
    await log.close();
  };
  return { pipeline, clickhouse, log, feed, conservation: () => pipeline.conservation(), close };
}

async function* each(responses: readonly Response[]): AsyncIterable<Response> {
  yield* responses;
}

function feedFinder(reorder: BenchOptions['reorder']): (response: Response) => Feed | null {
  if (reorder === undefined) return findFeed;
  return (response) => {
    const feed = findFeed(response);
    if (feed === null) return null;
    return {
      ...feed,
      parse: (of) => {
        const parsed = feed.parse(of);
        return { ...parsed, records: reorder(parsed.records) };
      },
    };
  };
}
