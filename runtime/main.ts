// The composition root of `bun run start`: configuration, ports, pipeline, the recorded sample once, signals.
// The ports open first, so that whoever asks gets an honest "starting".

import type { Environment } from '../configs/environment.ts';
import { processVariables } from '../configs/load.ts';
import manifest from '../package.json' with { type: 'json' };
import { systemClock } from './clock.ts';
import type { EventLog } from './events.ts';
import { drainAll, eventLog, type Launched, launch } from './launch.ts';
import { nameOf } from './live/hold.ts';
import { startConnectors } from './live/open-connectors.ts';
import { openLoggers } from './logging.ts';
import { type LogVoice, openLog } from './open-log.ts';
import type { Pipeline } from './pipeline.ts';
import { openPorts, type Ports } from './ports.ts';
import { repeating } from './repeating.ts';
import { Retries } from './retries.ts';
import { takeSample } from './sample.ts';
import { CONNECTORS, SERVICES } from './services.ts';
import {
  EXIT_CONFIG,
  EXIT_EXHAUSTED,
  prepare,
  printRefusal,
  refusalOf,
  requireDirectories,
} from './startup.ts';
import { humanVoice, machineVoice, number, terminal, type Voice } from './terminal.ts';
import type { EventKind } from './views.ts';

const LEAVE_MS_MAX = 2_000;
const DRAIN_MS_MAX = 30_000;
const RETAIN_MS = 600_000;
const AUDIT_MS = 600_000;
const AUDIT_AGAIN_MS = 15_000;
/** Without a failure for so long, the log is well again. */
const LOG_QUIET_MS = 30_000;
const AS_IT_IS = 'left as it is: compare its partitions, retention and cleanup policy with runtime.yaml';
const TTY = process.stdout.isTTY === true;

const USAGE = `usage: bun run start

Runs the services on 8510–8514 and replays the recorded sample once, or with CONNECTORS=caiso,miso follows
the operators live. Settings are variables, described in README.md under "Variables":
  DATA_DIR (./data)  CONFIG_DIR (./configs)  LOG_DIR (./logs)  HOST (127.0.0.1)
  PORT_NORMALIZATION … PORT_DATA_QUALITY (8510–8514)  PORT_CONNECTORS (8515, ROLE=connectors)
  CLICKHOUSE_URL (unset: embedded)  REDIS_URL (unset: in this process)  ADMIN_TOKEN  LOG_LEVEL (info)
Others: bun run replay --help, bun run doctor --help`;

async function main(): Promise<void> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    console.log(USAGE);
    return;
  }
  const startedMs = systemClock.nowMs();
  const prepared = prepare(processVariables());
  const { environment } = prepared.config;
  requireDirectories(environment);
  const screen = TTY ? terminal(process.stdout) : null;
  const loggers = openLoggers({
    dir: environment.logDir,
    level: environment.logLevel,
    stdout: (line) => (screen === null ? process.stdout.write(line) : screen.line(line)),
  });
  const logger = loggers('runtime');
  for (const warning of prepared.warnings) logger.warn({ event: 'configuration', message: warning });
  const draining = { now: false };
  const voice = screen === null ? machineVoice(logger) : humanVoice(screen, logger);
  const ports = await openPorts({
    prepared,
    loggers,
    version: manifest.version,
    draining: () => draining.now,
    startedMs,
  });
  voice.say('start', `Carbon ingestion ${manifest.version}, data in ${environment.dataDir}`, {
    lines: [...SERVICES, CONNECTORS].flatMap(({ name, description }) => {
      const at = ports.urlOf(name);
      return at === null ? [] : [`${at}  ${name.padEnd(14)} ${description}`];
    }),
    fields: { version: manifest.version, pid: process.pid, data_dir: environment.dataDir },
  });
  const events = eventLog(loggers, ports.counted);
  const troubled = troubles(events, logger, ports);
  const opened = openLog(prepared.config, environment, troubled);
  ports.opened(opened);
  const launched = await launch({
    prepared,
    environment,
    opened,
    loggers,
    events,
    telemetry: ports.telemetry,
    connectorTelemetry: ports.connectorTelemetry,
    exhausted: (cause) => giveUp(cause, logger, events),
    address: ports.anyAddress,
  });
  const stop = onSignals(launched, ports, draining, voice);
  await launched.database.migrate();
  const started = launched.pipeline.start(() => ports.restoring(launched, events));
  const [differing] = await Promise.all([started, launched.workers.start()]);
  for (const topic of differing) troubled.differs(`${topic} exists and is not as declared`, AS_IT_IS);
  sayReady(launched, voice, startedMs);
  keepRetention(launched);
  if (environment.connectors.length > 0) return await followLive(launched, environment, voice, stop);
  // A part of the services has nobody to feed it here: the whole replays the sample.
  if (environment.roles.length < SERVICES.length) return;
  await takeSample({
    pipeline: launched.pipeline,
    clock: systemClock,
    tenantId: prepared.config.runtime.tenant_id,
    urlOf: ports.urlOf,
    voice,
    stop,
  });
}

function sayReady({ workers, pipeline }: Launched, voice: Voice, startedMs: number): void {
  const seconds = (systemClock.nowMs() - startedMs) / 1_000;
  const others = workers.actors().reduce((sum, { instruments }) => sum + instruments, 0);
  const instruments = pipeline.platform.directory.index.size + others;
  const restored = instruments === 0 ? '' : `, ${number(instruments)} instruments restored`;
  voice.say('ready', `ready in ${seconds.toFixed(1)} s${restored}`, { fields: { seconds, instruments } });
}

async function followLive(
  { connectors, pipeline }: Launched,
  { kafka }: Environment,
  voice: Voice,
  stop: AbortSignal,
): Promise<void> {
  await startConnectors(connectors, pipeline.intake(), stop);
  if (stop.aborted) return;
  const lines = connectors.all.map(({ plan, feeds, state, hold }) => {
    const what = feeds.map(({ settings }) => settings.source.run).join(', ');
    if (hold.other !== null) return `${plan.name.padEnd(8)} stands by: ${nameOf(hold.other)} follows it`;
    const off = state.enabled ? '' : `: disabled, ${state.reason ?? 'by connectors.yaml'}`;
    return `${plan.name.padEnd(8)} ${what}${off}`;
  });
  const fields = { connectors: connectors.all.map(({ plan }) => plan.name) };
  voice.say('live', 'following live; GET /connectors tells how it goes', { lines, fields });
  // Where others have partitions too, this process has a part of the ledgers, which cannot balance.
  if (kafka === null) keepAudit(pipeline, stop);
}

/** The books, whenever they are due and nothing moves; an imbalance is an event. */
function keepAudit(pipeline: Pipeline, stop: AbortSignal): void {
  const again = (delayMs: number): void => {
    systemClock.after(delayMs, () => {
      if (stop.aborted) return;
      pipeline.auditQuiet().then(
        (found) => again(found === null ? AUDIT_AGAIN_MS : AUDIT_MS),
        () => again(AUDIT_MS),
      );
    });
  };
  again(AUDIT_AGAIN_MS);
}

/** The steps that led here belong on the topic too, if the log still takes them. */
function giveUp(cause: string, logger: { fatal(of: object): void }, events: EventLog): void {
  logger.fatal({ event: 'exhausted', message: `every restart budget is used up: ${cause}` });
  const leave = (): never => process.exit(EXIT_EXHAUSTED);
  systemClock.after(LEAVE_MS_MAX, leave);
  void events.close().finally(leave);
}

/** The log failed and is tried again, or its topics grew: an event once events are kept, a line before. */
function troubles(
  events: EventLog,
  logger: { warn(of: object): void },
  { addressOf: urlOf }: Pick<Ports, 'addressOf'>,
): LogVoice {
  const say = (kind: EventKind, cause: string, decision: string): void => {
    const about = { service: 'markets', actor: 'log', cause, decision, budget_left: null };
    if (events.attached) events.record({ kind, ...about });
    else logger.warn({ event: kind, message: cause, decision });
  };
  const retries = new Retries({
    clock: systemClock,
    record: ({ kind, cause, decision }) => say(kind, cause, decision),
    service: 'markets',
    actor: 'log',
    kinds: ['dependency_down', 'dependency_up'],
    quietMs: LOG_QUIET_MS,
  });
  return {
    note: (cause) => retries.failed('log', cause, 'tried again; input waits'),
    told: (cause, decision) => say('rebalance', cause, decision),
    differs: (cause, decision) => say('topic_differs', cause, decision),
    urlOf,
  };
}

/** SIGTERM and SIGINT drain in order and lose nothing; a second one does not wait. */
function onSignals(launched: Launched, ports: Ports, draining: { now: boolean }, voice: Voice): AbortSignal {
  const stop = new AbortController();
  const shutDown = async (signal: string): Promise<void> => {
    if (draining.now) process.exit(130);
    draining.now = true;
    stop.abort();
    voice.quiet();
    voice.say('draining', `${signal}: finishing what is in hand; a second signal does not wait`);
    const late = setTimeout(() => process.exit(1), DRAIN_MS_MAX);
    await drainAll(launched);
    await ports.stop();
    await launched.close();
    clearTimeout(late);
    process.exit(0);
  };
  process.on('SIGTERM', () => void shutDown('SIGTERM'));
  process.on('SIGINT', () => void shutDown('SIGINT'));
  return stop.signal;
}

function keepRetention({ log }: Launched): void {
  // What failed is tried again the next time.
  repeating(systemClock, RETAIN_MS, () => log.retain(systemClock.nowMs()).catch(() => {}));
}

try {
  await main();
} catch (error) {
  const refusal = refusalOf(error);
  if (refusal === null) throw error;
  await printRefusal(refusal);
  process.exit(EXIT_CONFIG);
}
