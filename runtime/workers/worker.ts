// A worker: a thread with one member of each hosted group, its actors, and its own way to ClickHouse. It
// starts when it is told how, answers about what lives in it, and leaves group by group. It has no ports, no
// connectors and no events of its own: what it has to say goes to the thread that started it.

import { heapStats } from 'bun:jsc';
import { parentPort } from 'node:worker_threads';
import { invariant } from '../../actors/domain/invariant.ts';
import { markets } from '../../actors/feeds/markets.ts';
import { nactHost } from '../actor-system.ts';
import { systemClock, systemDraw } from '../clock.ts';
import { Database } from '../database.ts';
import { actorsPlace } from '../inspection.ts';
import type { Log } from '../log/log.ts';
import { RemoteLog } from '../log/remote-log.ts';
import { openLog } from '../open-log.ts';
import { projectionOptions } from '../options/projection.ts';
import { runtimePolicy, stageOptions } from '../options.ts';
import { inWords } from '../overtaken.ts';
import { ledgersOf } from '../partition-ledgers.ts';
import { Pipeline } from '../pipeline.ts';
import { pipelineSettings, silverOf } from '../pipeline-settings.ts';
import { actorsOf, quarantinedIn, stuckIn } from '../platform-report.ts';
import { restoringIn } from '../staleness.ts';
import type { ActorsPlace, EventKind, RecordEvent } from '../views.ts';
import { failureOf } from '../write-failure.ts';
import type { FromWorker, Order, Question, Report, ToWorker } from './messages.ts';
import { Wire } from './wire.ts';

interface Hosted {
  readonly pipeline: Pipeline;
  readonly place: ActorsPlace;
  close(): Promise<void>;
}

let hosted: Hosted | null = null;

invariant(parentPort !== null, 'a worker is started by a thread');
const port = parentPort;
const wire = new Wire<FromWorker, ToWorker>((message) => port.postMessage(message), answer);
port.on('message', (message) => wire.receive(message));
const remote = new RemoteLog(wire);
let name = '';
/** Paths of actors are the same in every worker: an event says in which it was. */
const record: RecordEvent = (event) =>
  wire.tell({ call: 'event', event: { ...event, actor: `${event.actor}@${name}` } });

function answer(of: ToWorker): unknown {
  switch (of.call) {
    case 'assigned':
      return remote.assigned(of);
    case 'start':
      return start(of.order);
    case 'leaving':
      return here().pipeline.platform.leaving();
    case 'drain':
      return here().pipeline.platform.groups.get(of.group)?.drain();
    case 'close':
      return here().close();
    case 'report':
      return report(here().pipeline);
    default:
      return look(here().place, of);
  }
}

function here(): Hosted {
  invariant(hosted !== null, 'the worker was started');
  return hosted;
}

function look(place: ActorsPlace, of: Question): Promise<unknown> {
  switch (of.call) {
    case 'tree':
      return place.tree();
    case 'markets':
      return place.markets();
    case 'market':
      return place.market(of.market, of.limit, of.after);
    case 'instruments':
      return place.instruments(of.market, of.name);
    case 'near':
      return place.near(of.market, of.name);
    case 'release':
      return place.release(of.instrument);
  }
}

async function start({ worker, config, environment, clickhouseUrl }: Order): Promise<void> {
  name = worker;
  const log = ownLog(worker, config, environment) ?? remote;
  const { kind } = environment.clickhouse;
  const cluster = kind === 'server' ? environment.clickhouse.cluster : null;
  const server = { kind: 'server' as const, url: clickhouseUrl, cluster };
  const clickhouse = kind === 'unused' ? environment.clickhouse : server;
  const policy = runtimePolicy(config);
  const { connectionsMax: poolSize, timeoutMs } = projectionOptions(config);
  const ports = { clock: systemClock, draw: systemDraw, record };
  const settings = {
    environment: { ...environment, clickhouse },
    poolSize,
    timeoutMs,
    backoff: policy.backoff,
  };
  const database = await Database.open(ports, settings);
  await database.migrate();
  const pipeline = new Pipeline(
    {
      ...ports,
      host: nactHost(),
      log,
      silver: silverOf(database),
      sink: database.sink,
      committed: (done) => wire.tell({ call: 'done', done }),
      extracted: () => {},
      wrote: (topic, { rows, millis }, keys) =>
        wire.tell({ call: 'wrote', topic, rows, millis, keys: keys() }),
      failed: (rows, fault) => wire.tell({ call: 'failed', failure: failureOf(rows, fault) }),
      exhausted: (cause) => wire.tell({ call: 'exhausted', cause }),
    },
    pipelineSettings(config, environment, stageOptions(config, markets)),
  );
  const place = actorsPlace({
    platform: pipeline.platform,
    connectors: () => [],
    sinks: () => [],
    // Both are counted where all of the process is.
    rate: () => 0,
    tellsLag: false,
    nowMs: systemClock.nowMs,
  });
  const close = async (): Promise<void> => {
    await database.close();
    await log.close();
  };
  hosted = { pipeline, place, close };
  await pipeline.start();
}

/** On Kafka a connection of its own, as another member of the same groups; else null. */
function ownLog(worker: string, config: Order['config'], environment: Order['environment']): Log | null {
  if (environment.kafka === null) return null;
  const say = (kind: EventKind, cause: string, decision: string): void =>
    record({ kind, service: 'markets', actor: 'log', cause, decision, budget_left: null });
  return openLog(config, environment, {
    worker,
    note: (cause) => say('dependency_down', cause, 'tried again; input waits'),
    told: (cause, decision) => say('rebalance', cause, decision),
    // Of the same topics, the process's own thread tells.
    differs: () => {},
  }).log;
}

function report(pipeline: Pipeline): Report {
  const { platform } = pipeline;
  const groups = [...platform.groups].map(([name, group]) => ({
    group: name,
    ready: group.ready,
    stuck: stuckIn(group),
    quarantined: quarantinedIn(name, platform.directory),
    restoring: restoringIn(platform.groups, [name])[0] ?? null,
    gaps: group.gaps.all.map(inWords),
  }));
  const heapBytes = heapStats().heapSize;
  return {
    groups,
    ledgers: [...ledgersOf(platform.groups)],
    actors: actorsOf(platform.directory),
    heapBytes,
  };
}
