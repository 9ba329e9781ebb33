// Builds the adapters and the pipeline over them: what `start` and `replay` have in common. Opens in the
// order in which a refusal costs least: the log's directory, then the engine.

import { hostname } from 'node:os';
import type { Environment } from '../configs/environment.ts';
import { memoryCache } from '../sinks/memory-cache.ts';
import { redisCache } from '../sinks/redis.ts';
import { nactHost } from './actor-system.ts';
import { systemClock, systemDraw } from './clock.ts';
import { Database } from './database.ts';
import type { Done } from './done.ts';
import { EventLog } from './events.ts';
import { AnswerCache } from './http/answer-cache.ts';
import type { Connectors } from './live/connectors.ts';
import type { Self } from './live/hold.ts';
import { openConnectors } from './live/open-connectors.ts';
import type { Log } from './log/log.ts';
import { LogFault } from './log/log-fault.ts';
import { type Loggers, logEvent } from './logging.ts';
import type { OpenedLog } from './open-log.ts';
import { projectionOptions } from './options/projection.ts';
import { runtimePolicy } from './options.ts';
import { Pipeline, type PipelinePorts } from './pipeline.ts';
import { pipelineSettings, retentionMs, silverOf } from './pipeline-settings.ts';
import { eventsTopic } from './services.ts';
import type { Prepared } from './startup.ts';
import type { ConnectorTelemetry, Telemetry } from './telemetry.ts';
import type { StageName, SupervisorEvent } from './views.ts';
import type { News } from './workers/messages.ts';
import { Workers } from './workers/workers.ts';
import { type Failure, failureOf } from './write-failure.ts';

const QUERY_CHARS_MAX = 300;
const RETRY_MS = 1_000;

export interface Launch {
  readonly prepared: Prepared;
  readonly environment: Environment;
  readonly opened: OpenedLog;
  readonly loggers: Loggers;
  readonly events: EventLog;
  readonly telemetry: ReadonlyMap<StageName, Telemetry>;
  readonly connectorTelemetry: ConnectorTelemetry;
  readonly exhausted: (cause: string) => void;
  /** Where this process answers about its connectors; null, or unset: nowhere. */
  readonly address?: () => string | null;
}

export interface Launched {
  readonly pipeline: Pipeline;
  readonly database: Database;
  readonly cache: AnswerCache;
  /** Of CONNECTORS; none while recordings are replayed. */
  readonly connectors: Connectors;
  readonly workers: Workers;
  readonly log: Log;
  close(): Promise<void>;
}

/**
 * Events of services go to the service's own log; those of the tree above to `supervisor`. `counted` hears of
 * each as well.
 */
export function eventLog(loggers: Loggers, counted: (event: SupervisorEvent) => void): EventLog {
  return new EventLog(systemClock, (event) => {
    logEvent(loggers(fileOf(event)), event);
    counted(event);
  });
}

function fileOf({ service }: SupervisorEvent): string {
  const name = service.replace(/-(service|rebuilder)$/, '');
  return name === 'markets' ? 'supervisor' : name;
}

/**
 * Opens the engine and builds the pipeline over the log; nothing runs before `pipeline.start()`. Waits for a
 * log that is away; closes it when the engine cannot be opened.
 */
export async function launch(of: Launch): Promise<Launched> {
  const { config } = of.prepared;
  const { environment, events } = of;
  const policy = runtimePolicy(config);
  const { log } = of.opened;
  try {
    await attachEvents(of);
    const ports = { clock: systemClock, draw: systemDraw, record: events.record };
    const { connectionsMax: poolSize, timeoutMs } = projectionOptions(config);
    const database = await Database.open(ports, {
      environment,
      poolSize,
      timeoutMs,
      backoff: policy.backoff,
      slow: (query, millis) => slow(of, query, millis),
    });
    const cache = answerCache(of);
    const pipeline = pipelineOf(of, log, database, cache, () => workers.ledgers());
    const secret = (name: string) => environment.operatorKeys[name] ?? null;
    const { plans } = of.prepared;
    const self = selfOf(of);
    const connectors = openConnectors(pipeline.intake(), plans, of.connectorTelemetry, secret, self);
    pipeline.sources.push(...connectors.feedings());
    const workers = workersOf(of, { pipeline, database, cache, connectors, log });
    const close = async (): Promise<void> => {
      await workers.close();
      await events.close();
      await cache.close();
      await database.close();
      await log.close();
    };
    return { pipeline, database, cache, connectors, workers, log, close };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** This process, for those who share its log. */
function selfOf({ opened, address }: Launch): Self {
  const id = crypto.randomUUID();
  return {
    id,
    worker: opened.worker ?? id,
    host: hostname(),
    pid: process.pid,
    url: address ?? (() => null),
  };
}

/** Connectors first, then service by service in every thread at once. */
export async function drainAll({
  pipeline,
  workers,
  connectors,
}: Pick<Launched, 'pipeline' | 'workers' | 'connectors'>): Promise<void> {
  pipeline.platform.leaving();
  await workers.leave();
  await pipeline.drain((group) => workers.drain(group));
  await connectors.release();
}

/** Events are read back before the first is recorded, however long the log is away. */
async function attachEvents({ opened, events, prepared }: Launch): Promise<void> {
  const { log, worker } = opened;
  for (;;) {
    try {
      await log.bootstrap([eventsTopic(retentionMs(prepared.config))]);
      return await events.attach(log, worker);
    } catch (error) {
      if (!(error instanceof LogFault && error.retryable)) throw error;
      await new Promise<void>((done) => systemClock.after(RETRY_MS, done));
    }
  }
}

function answerCache({ prepared, environment }: Launch): AnswerCache {
  const { classes, entriesMax } = projectionOptions(prepared.config);
  const store =
    environment.redisUrl === null
      ? memoryCache(entriesMax, systemClock.nowMs)
      : redisCache(environment.redisUrl, entriesMax);
  return new AnswerCache(store, classes, (ms, work) => systemClock.after(ms, work));
}

function wrote(
  { telemetry }: Launch,
  cache: AnswerCache,
  topic: string,
  millis: number,
  keys: () => ReadonlySet<string>,
): void {
  telemetry.get('projection')?.written(topic, millis);
  cache.wrote(topic, keys);
}

/** The log of slow queries. */
function slow({ loggers }: Launch, query: string, millis: number): void {
  const text = query.replaceAll(/\s+/g, ' ').slice(0, QUERY_CHARS_MAX);
  loggers('projection').warn({ event: 'slow_query', millis: Math.round(millis), query: text });
}

function failed({ telemetry, loggers }: Launch, failure: Failure): void {
  telemetry.get('projection')?.error(failure.code, 1);
  loggers('projection').warn({ event: 'write_failed', ...failure });
}

/** The threads besides this one; none with PARALLELISM=1. */
function workersOf(of: Launch, { pipeline, database, cache }: Omit<Launched, 'workers' | 'close'>): Workers {
  const { prepared, environment, events, opened, exhausted } = of;
  const { config } = prepared;
  const { backoff, routerRestarts: restarts } = runtimePolicy(config);
  const heard = (news: News): void => {
    switch (news.call) {
      case 'event':
        return events.record(news.event);
      case 'done':
        pipeline.meter.batch(news.done);
        return committed(of, news.done);
      case 'wrote':
        pipeline.meter.wrote(news.topic, news.rows);
        return wrote(of, cache, news.topic, news.millis, () => news.keys);
      case 'failed':
        return failed(of, news.failure);
      case 'exhausted':
        return exhausted(news.cause);
    }
  };
  const clickhouseUrl = database.url;
  return new Workers(
    { clock: systemClock, draw: systemDraw, record: events.record, log: opened.log, heard, exhausted },
    {
      names: Array.from({ length: environment.parallelism - 1 }, (_, n) => `w${n + 2}`),
      order: (worker) => ({ worker, config, environment, clickhouseUrl }),
      restarts,
      backoff,
    },
  );
}

function pipelineOf(
  of: Launch,
  log: Log,
  database: Database,
  cache: AnswerCache,
  elsewhere: PipelinePorts['elsewhere'] & object,
): Pipeline {
  const { prepared, environment, events } = of;
  const { config, stages } = prepared;
  return new Pipeline(
    {
      host: nactHost(),
      clock: systemClock,
      draw: systemDraw,
      log,
      silver: silverOf(database),
      sink: database.sink,
      record: events.record,
      committed: (done) => committed(of, done),
      extracted: (market, records) => of.connectorTelemetry.extracted(market, records),
      wrote: (topic, { millis }, keys) => wrote(of, cache, topic, millis, keys),
      failed: (rows, fault) => failed(of, failureOf(rows, fault)),
      elsewhere,
      exhausted: of.exhausted,
    },
    pipelineSettings(config, environment, stages),
  );
}

/** Metrics of a commit, one event a batch for what it refused, and a line for the first of those. */
function committed({ telemetry, events, loggers }: Launch, done: Done): void {
  const { service, group, of, seconds, records, ingested, letters, refused } = done;
  const metrics = telemetry.get(service);
  metrics?.batch(seconds);
  const [last] = ingested;
  if (last !== undefined) metrics?.endToEnd((systemClock.nowMs() - last[1]) / 1_000);
  for (const [market, ms] of ingested) metrics?.projected(market, ms);
  if (letters === 0) return;
  metrics?.error('rejected', letters);
  for (const { detail: message, ...each } of refused) {
    loggers(service).error({ event: 'record_refused', stage: service, ...each, message });
  }
  events.record({
    kind: 'dead_letter',
    service: group,
    actor: `services/${service}/${of.topic}-${of.partition}`,
    cause: `${letters} of ${records} records refused`,
    decision: 'dead letters with reason and origin: GET /dead-letters',
    budget_left: null,
  });
}
