// `bun run replay`: feeds recordings through the whole pipeline, says what became of each file and each
// record, and exports the gold tables. Exit 0 only when conservation holds and every file could be used. A
// stop by a signal leaves a directory that the next replay goes on from.

import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cursor } from '../../actors/connector.ts';
import { processVariables } from '../../configs/load.ts';
import { exportGold } from '../../sinks/export.ts';
import { systemClock } from '../clock.ts';
import { drainAll, eventLog, type Launched, launch } from '../launch.ts';
import { openLoggers } from '../logging.ts';
import { openLog } from '../open-log.ts';
import { fileResponses, listRecordings, type Unreadable } from '../recordings.ts';
import { TOPIC } from '../services.ts';
import { EXIT_CONFIG, EXIT_EXHAUSTED, prepare, printRefusal, refusalOf, StartRefused } from '../startup.ts';
import { ConnectorTelemetry } from '../telemetry.ts';
import { humanVoice, machineVoice, terminal, type Voice } from '../terminal.ts';
import { UsageError } from './arguments.ts';
import { failedFiles, type ReplaySummary, reportLines } from './replay-report.ts';
import { readWish, USAGE, type Wish } from './replay-wish.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
/** A replay has a log of its own, whatever the running services use. */
const ALONE = { ROLE: 'all', KAFKA_BROKERS: '', CONNECTORS: '' };
const ANY_PORT = { CLICKHOUSE_HTTP_PORT: '0', CLICKHOUSE_TCP_PORT: '0' };

async function main(wish: Wish): Promise<number> {
  if (wish.exportDir !== null) requireWritable(wish.exportDir);
  if (wish.data !== null) return replayIn(wish, wish.data);
  const temporary = mkdtempSync(join(tmpdir(), 'carbon-replay-'));
  const remove = (): void => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  process.on('exit', remove);
  return replayIn(wish, temporary);
}

/** No brokers are asked: it works alone. */
const SILENT = { note: () => {}, told: () => {}, differs: () => {} };

/** Found out before the work, not after it. Throws StartRefused. */
function requireWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const hint = `${messageOf(error)}: give --export a directory that can be written`;
    throw new StartRefused({ check: 'export_directory', hint, findings: [] });
  }
}

async function replayIn(wish: Wish, dataDir: string): Promise<number> {
  const prepared = prepare({ ...ANY_PORT, ...processVariables(), ...ALONE, DATA_DIR: dataDir });
  const environment = { ...prepared.config.environment, logDir: join(dataDir, 'logs') };
  const screen = process.stderr.isTTY === true ? terminal(process.stderr) : null;
  const stdout = screen === null ? (line: string) => process.stderr.write(line) : screen.line;
  const loggers = openLoggers({ dir: environment.logDir, level: environment.logLevel, stdout });
  const logger = loggers('replay');
  for (const message of prepared.warnings) logger.warn({ event: 'configuration', message });
  const voice = screen === null ? machineVoice(logger) : humanVoice(screen, logger);
  const events = eventLog(loggers, () => {});
  const exhausted = (cause: string): void => {
    logger.fatal({ event: 'exhausted', message: `every restart budget is used up: ${cause}` });
    process.exit(EXIT_EXHAUSTED);
  };
  const stop = onSignals(voice);
  const opened = openLog(prepared.config, environment, SILENT);
  const metrics = { telemetry: new Map(), connectorTelemetry: new ConnectorTelemetry([]) };
  const launched = await launch({ prepared, environment, opened, loggers, events, ...metrics, exhausted });
  let summary: ReplaySummary;
  try {
    await launched.database.migrate();
    await Promise.all([launched.pipeline.start(), launched.workers.start()]);
    summary = await replay(wish, launched, prepared.config.runtime.tenant_id, voice, stop);
    await drainAll(launched);
  } finally {
    await launched.close();
  }
  return report(wish, summary);
}

/** Aborts at the first signal; the second does not wait. */
function onSignals(voice: Voice): AbortSignal {
  const stop = new AbortController();
  const stopped = (signal: string) => (): void => {
    if (stop.signal.aborted) process.exit(EXIT_INTERRUPTED);
    stop.abort();
    voice.quiet();
    voice.say('stopping', `${signal}: finishing what is in hand; a second signal does not wait`);
  };
  process.on('SIGINT', stopped('SIGINT'));
  process.on('SIGTERM', stopped('SIGTERM'));
  return stop.signal;
}

async function replay(
  wish: Wish,
  launched: Launched,
  tenantId: string,
  voice: Voice,
  stop: AbortSignal,
): Promise<ReplaySummary> {
  const { pipeline } = launched;
  const { files, unreadable: unlisted } = listRecordings(wish.paths);
  const unreadable: Unreadable[] = [...unlisted];
  const responses: { cursor: Cursor; fresh: boolean }[] = [];
  const drain = (): void => {
    for (const source of pipeline.sources) source.drain();
  };
  stop.addEventListener('abort', drain);
  const ticker = setInterval(() => void showProgress(launched, voice), voice.progressMs);
  const fromMs = systemClock.nowMs();
  const fed = pipeline.replay({
    name: 'recordings',
    responses: fileResponses(files, tenantId, (each) => unreadable.push(each)),
    speed: wish.speed,
    responseDone: (cursor, fresh) => responses.push({ cursor, fresh }),
  });
  if (stop.aborted) drain();
  await fed;
  await pipeline.caughtUp(stop);
  const seconds = (systemClock.nowMs() - fromMs) / 1_000;
  clearInterval(ticker);
  voice.quiet();
  const { exported, failure } = stop.aborted ? NOTHING_EXPORTED : await exportTo(wish.exportDir, launched);
  if (failure !== null) unreadable.push(failure);
  const { meter } = pipeline;
  return {
    files: files.length,
    responses,
    unreadable,
    ticks: meter.ticks,
    seconds,
    rows: {
      bars: meter.bars,
      metrics: meter.rows(TOPIC.metrics),
      'curve points': meter.rows(TOPIC.curves),
      anomalies: meter.rows(TOPIC.anomalies),
      scores: meter.rows(TOPIC.scores),
    },
    conservation: stop.aborted ? null : await pipeline.audit(),
    exported,
  };
}

async function showProgress({ pipeline }: Launched, voice: Voice): Promise<void> {
  if (pipeline.meter.extracted > 0) voice.progress(pipeline.meter, await pipeline.lag());
}

const NOTHING_EXPORTED = { exported: [], failure: null };

async function exportTo(
  dir: string | null,
  { database }: Launched,
): Promise<{ exported: string[]; failure: Unreadable | null }> {
  if (dir === null) return NOTHING_EXPORTED;
  try {
    return { exported: await exportGold(database.clickhouse, dir), failure: null };
  } catch (error) {
    return { exported: [], failure: { path: dir, reason: `the export failed: ${messageOf(error)}` } };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function report(wish: Wish, summary: ReplaySummary): number {
  const lines = reportLines(summary);
  if (wish.data === null && wish.exportDir === null) {
    lines.push('nothing is kept: pass --data DIR or --export DIR to keep it');
  }
  const failed = failedFiles(summary);
  const out = wish.json ? process.stderr : process.stdout;
  out.write(`${lines.join('\n')}\n`);
  if (wish.json) process.stdout.write(`${JSON.stringify({ ...summary, failed })}\n`);
  return summary.conservation?.balanced === true && failed.length === 0 ? 0 : EXIT_FAILED;
}

try {
  const wish = readWish(process.argv.slice(2));
  if (wish === null) console.log(USAGE);
  else process.exit(await main(wish));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    process.exit(EXIT_USAGE);
  }
  const refusal = refusalOf(error);
  if (refusal === null) throw error;
  await printRefusal(refusal);
  process.exit(EXIT_CONFIG);
}
