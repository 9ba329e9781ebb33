// The composition root of `bun run start`: configuration, ports, pipeline, the recorded sample once, signals.
// The ports open first, so that whoever asks gets an honest "starting".

import { processVariables } from '../configs/load.ts';
import manifest from '../package.json' with { type: 'json' };
import { systemClock } from './clock.ts';
import { eventLog, type Launched, launch } from './launch.ts';
import { openLoggers } from './logging.ts';
import { openPorts, type Ports } from './ports.ts';
import { sampleResponses } from './recordings.ts';
import { SERVICES } from './services.ts';
import { EXIT_CONFIG, EXIT_EXHAUSTED, type Prepared, prepare, printRefusal, refusalOf } from './startup.ts';
import { number, progressLine, type Terminal, terminal } from './terminal.ts';

const DRAIN_MS_MAX = 30_000;
const RETAIN_MS = 600_000;
const CHUNK_MAX = 2_000;
const TTY = process.stdout.isTTY === true;

const USAGE = `usage: bun run start

Runs the services on 8510–8514 and replays the recorded sample once. Settings are variables, described in
README.md under "Variables":
  DATA_DIR (./data)  CONFIG_DIR (./configs)  LOG_DIR (./logs)  HOST (127.0.0.1)
  PORT_NORMALIZATION … PORT_DATA_QUALITY (8510–8514)
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
  const screen = TTY ? terminal(process.stdout) : null;
  const loggers = openLoggers({
    dir: environment.logDir,
    level: environment.logLevel,
    stdout: (line) => (screen === null ? process.stdout.write(line) : screen.line(line)),
  });
  const logger = loggers('runtime');
  for (const warning of prepared.warnings) logger.warn({ event: 'configuration', message: warning });
  const draining = { now: false };
  const ports = await openPorts({
    prepared,
    loggers,
    version: manifest.version,
    draining: () => draining.now,
    startedMs,
  });
  const events = eventLog(loggers);
  const leave = (code: number): never => process.exit(code);
  const launched = await launch({
    prepared,
    environment,
    loggers,
    events,
    telemetry: ports.telemetry,
    exhausted: (cause) => {
      logger.fatal({ event: 'exhausted', message: `every restart budget is used up: ${cause}` });
      leave(EXIT_EXHAUSTED);
    },
  });
  const stopper = onSignals(launched, ports, draining, (message) => tell(screen, logger, message));
  await launched.database.migrate();
  const differing = await launched.pipeline.start();
  await events.attach(launched.log);
  for (const topic of differing) logger.warn({ event: 'topic_differs', message: topic });
  ports.ready(launched, events);
  announce(prepared, ports, launched, startedMs, (message) => tell(screen, logger, message));
  keepRetention(launched);
  await replaySample(prepared, launched, screen, logger, stopper);
}

type Tell = (message: string) => void;

function tell(screen: Terminal | null, logger: { info(of: object): void }, message: string): void {
  if (screen === null) logger.info({ event: 'runtime', message });
  else screen.say(message);
}

function announce(
  prepared: Prepared,
  ports: Ports,
  { pipeline }: Launched,
  startedMs: number,
  say: Tell,
): void {
  const { environment } = prepared.config;
  const seconds = ((systemClock.nowMs() - startedMs) / 1_000).toFixed(1);
  say(`Carbon ingestion ${manifest.version}, ready in ${seconds} s, data in ${environment.dataDir}`);
  for (const { name, description } of SERVICES) {
    const port = ports.listening.get(name)?.port;
    if (port !== undefined) say(`  http://${environment.host}:${port}  ${name.padEnd(14)} ${description}`);
  }
  const instruments = pipeline.platform.directory.all().size;
  if (instruments > 0) say(`  ${number(instruments)} instruments restored`);
}

/** SIGTERM and SIGINT drain in order and lose nothing; a second one does not wait. */
function onSignals(launched: Launched, ports: Ports, draining: { now: boolean }, say: Tell): AbortSignal {
  const stop = new AbortController();
  const shutDown = async (signal: string): Promise<void> => {
    if (draining.now) process.exit(130);
    draining.now = true;
    stop.abort();
    say(`${signal}: draining; a second signal does not wait`);
    const late = setTimeout(() => process.exit(1), DRAIN_MS_MAX);
    await launched.pipeline.drain();
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
  const again = (): void => {
    systemClock.after(RETAIN_MS, () => {
      log.retain(systemClock.nowMs()).then(again, again);
    });
  };
  again();
}

async function replaySample(
  prepared: Prepared,
  { pipeline }: Launched,
  screen: Terminal | null,
  logger: { info(of: object): void },
  stop: AbortSignal,
): Promise<void> {
  let fresh = 0;
  const ticker = setInterval(
    async () => {
      const { meter } = pipeline;
      if (meter.extracted === 0) return;
      const lag = await pipeline.lag();
      if (screen !== null) screen.progress(progressLine('replaying', meter, lag));
      else
        logger.info({
          event: 'progress',
          ticks: meter.ticks,
          ticks_per_second: meter.rate(null),
          bars: meter.bars,
          lag,
        });
    },
    screen === null ? 2_000 : 200,
  );
  await pipeline.replay({
    name: 'sample',
    responses: sampleResponses(prepared.config.runtime.tenant_id),
    speed: null,
    chunkMax: CHUNK_MAX,
    responseDone: (_, isFresh) => {
      if (isFresh) fresh += 1;
    },
  });
  await pipeline.caughtUp(stop);
  clearInterval(ticker);
  screen?.progress('');
  if (stop.aborted) return;
  const { balanced } = await pipeline.conservation();
  const { ticks, bars } = pipeline.meter;
  const say = (message: string): void => tell(screen, logger, message);
  const holds = balanced ? 'holds' : 'DOES NOT HOLD';
  say(
    fresh > 0
      ? `The sample is in: ${number(ticks)} ticks, ${number(bars)} bar rows; conservation ${holds}.`
      : 'The recorded sample was replayed before; nothing was repeated.',
  );
  say('Idle and healthy. Look inside: curl localhost:8512/actors/CAISO');
  say('Query: curl "localhost:8513/query/ohlc?market=CAISO&limit=5"');
  say('Your own recordings: bun run replay <files or folders>. Live feeds come with a later version.');
}

try {
  await main();
} catch (error) {
  const refusal = refusalOf(error);
  if (refusal === null) throw error;
  printRefusal(refusal);
  process.exit(EXIT_CONFIG);
}
