// Builds the adapters and the pipeline over them: what `start` and `replay` have in common. Opens in the
// order in which a refusal costs least: the log's directory, then the engine.

import { findFeed, markets } from '../actors/feeds/markets.ts';
import type { Work } from '../actors/router-work.ts';
import type { Environment } from '../configs/environment.ts';
import type { Config } from '../configs/load.ts';
import { memoryCache } from '../sinks/memory-cache.ts';
import { silverTicks } from '../sinks/queries.ts';
import { redisCache } from '../sinks/redis.ts';
import { nactHost } from './actor-system.ts';
import { systemClock, systemDraw } from './clock.ts';
import { Database } from './database.ts';
import { EventLog } from './events.ts';
import { AnswerCache } from './http/answer-cache.ts';
import type { Connectors } from './live/connectors.ts';
import { openConnectors } from './live/open-connectors.ts';
import type { Log } from './log/log.ts';
import { LogFault } from './log/log-fault.ts';
import { type Loggers, logEvent } from './logging.ts';
import type { OpenedLog } from './open-log.ts';
import { projectionOptions } from './options/projection.ts';
import { runtimePolicy } from './options.ts';
import { Pipeline } from './pipeline.ts';
import { eventsTopic, TOPIC } from './services.ts';
import type { Prepared } from './startup.ts';
import type { ConnectorTelemetry, Telemetry } from './telemetry.ts';
import type { StageName, SupervisorEvent } from './views.ts';

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
}

export interface Launched {
  readonly pipeline: Pipeline;
  readonly database: Database;
  readonly cache: AnswerCache;
  /** Of CONNECTORS; none while recordings are replayed. */
  readonly connectors: Connectors;
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
    });
    const cache = answerCache(of);
    const pipeline = pipelineOf(of, log, database, cache);
    const secret = () => null;
    const connectors = openConnectors(pipeline.intake(), of.prepared.plans, of.connectorTelemetry, secret);
    pipeline.sources.push(...connectors.feedings());
    const close = async (): Promise<void> => {
      await events.close();
      await cache.close();
      await database.close();
      await log.close();
    };
    return { pipeline, database, cache, connectors, log, close };
  } catch (error) {
    await log.close();
    throw error;
  }
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

function retentionMs({ runtime }: Config): number {
  return runtime.log.retention_hours * 3_600_000;
}

function answerCache({ prepared, environment }: Launch): AnswerCache {
  const { classes, entriesMax } = projectionOptions(prepared.config);
  const store =
    environment.redisUrl === null
      ? memoryCache(entriesMax, systemClock.nowMs)
      : redisCache(environment.redisUrl, entriesMax);
  return new AnswerCache(store, classes, (ms, work) => systemClock.after(ms, work));
}

function pipelineOf(of: Launch, log: Log, database: Database, cache: AnswerCache): Pipeline {
  const { prepared, environment, events, telemetry, loggers } = of;
  const { config, stages } = prepared;
  const projection = telemetry.get('projection');
  return new Pipeline(
    {
      host: nactHost(),
      clock: systemClock,
      draw: systemDraw,
      log,
      silver: (instrument, fromUs, toUs) => silverTicks(database.clickhouse, instrument, fromUs, toUs),
      sink: database.sink,
      record: events.record,
      committed: (service, work, seconds) => committed(of, service, work, seconds),
      extracted: (market, records) => of.connectorTelemetry.extracted(market, records),
      wrote: (topic, { millis }, keys) => {
        projection?.written(topic, millis);
        cache.wrote(topic, keys);
      },
      failed: (topic, fault) => {
        projection?.error(fault.code, 1);
        loggers('projection').warn({ event: 'write_failed', topic, code: fault.code, cause: fault.message });
      },
      exhausted: of.exhausted,
    },
    {
      roles: new Set(environment.roles),
      markets,
      connectors: Object.keys(config.connectors.connectors),
      partitions: config.runtime.log.partitions,
      retentionMs: retentionMs(config),
      sinkTimeoutMs: projectionOptions(config).timeoutMs,
      policy: runtimePolicy(config),
      stages,
      findFeed,
    },
  );
}

/** Metrics of a commit, and one event a batch for what it refused. */
function committed({ telemetry, events }: Launch, service: StageName, work: Work, seconds: number): void {
  const metrics = telemetry.get(service);
  metrics?.batch(seconds);
  if (service === 'projection' && work.batch.topic === TOPIC.enriched) {
    const ingestedMs = ingestedMsOf(work);
    if (ingestedMs !== null) metrics?.endToEnd((systemClock.nowMs() - ingestedMs) / 1_000);
  }
  const letters = work.outputs.filter((each) => each.topic === work.settings.deadLetterTopic);
  if (letters.length === 0) return;
  metrics?.error('rejected', letters.length);
  const { topic, partition } = work.batch;
  events.record({
    kind: 'dead_letter',
    service: work.settings.service,
    actor: `services/${service}/${topic}-${partition}`,
    cause: `${letters.length} of ${work.batch.count} records refused`,
    decision: 'dead letters with reason and origin: GET /dead-letters',
    budget_left: null,
  });
}

const decoder = new TextDecoder();
const INGESTED = /"ingested_at":(\d{10,17})/;

/** When the raw record behind the batch's last record was appended; a sample, found by its text. */
function ingestedMsOf({ batch }: Work): number | null {
  if (batch.count === 0) return null;
  const found = INGESTED.exec(decoder.decode(batch.value(batch.count - 1)));
  return found === null ? null : Number(found[1]) / 1_000;
}
