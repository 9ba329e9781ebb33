// `bun run replay`: feeds recordings through the whole pipeline, says what became of each file and each
// record, and exports the gold tables. Exit 0 only when conservation holds and every file could be used.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cursor } from '../../actors/connector.ts';
import { processVariables } from '../../configs/load.ts';
import { exportGold } from '../../sinks/export.ts';
import { systemClock } from '../clock.ts';
import { eventLog, type Launched, launch } from '../launch.ts';
import { openLoggers } from '../logging.ts';
import { fileResponses, listRecordings, type Unreadable } from '../recordings.ts';
import { TOPIC } from '../services.ts';
import { EXIT_CONFIG, EXIT_EXHAUSTED, prepare, printRefusal, refusalOf } from '../startup.ts';
import { progressLine, terminal } from '../terminal.ts';
import { parseArguments, UsageError } from './arguments.ts';
import { failedFiles, type ReplaySummary, reportLines } from './replay-report.ts';

const USAGE = `usage: bun run replay <files or folders …> [--data DIR] [--speed max|10x|1x]
                      [--export DIR] [--json]

Feeds recordings of CAISO and MISO through the whole pipeline: log, services, ClickHouse.
  --data DIR    keep log and tables there (bun run start with DATA_DIR=DIR shows them);
                default: a fresh directory, removed at the end
  --speed S     max (default), or a multiple of the market's own time such as 10x
  --export DIR  write each gold table as <table>.csv and <table>.parquet
  --json        the summary as one JSON line on stdout; everything else on stderr
Exit: 0 conservation holds and every file was used; 1 not so; 64 wrong usage; 78 wrong configuration.`;

const EXIT_USAGE = 64;
const CHUNK_MAX = 2_000;
const ANY_PORT = { CLICKHOUSE_HTTP_PORT: '0', CLICKHOUSE_TCP_PORT: '0' };

interface Wish {
  readonly paths: readonly string[];
  readonly data: string | null;
  readonly speed: number | null;
  readonly exportDir: string | null;
  readonly json: boolean;
}

function readWish(words: readonly string[]): Wish | null {
  const { rest, flags } = parseArguments(words, {
    data: true,
    speed: true,
    export: true,
    json: false,
    help: false,
  });
  if (flags.has('help')) return null;
  if (rest.length === 0) throw new UsageError('name at least one file or folder');
  const speed = flags.get('speed') ?? 'max';
  const factor = /^(\d{1,6}(?:\.\d+)?)x$/.exec(speed)?.[1];
  if (speed !== 'max' && !(Number(factor) > 0)) {
    throw new UsageError(`--speed is max or a multiple such as 10x, not '${speed}'`);
  }
  return {
    paths: rest,
    data: flags.get('data') ?? null,
    speed: speed === 'max' ? null : Number(factor),
    exportDir: flags.get('export') ?? null,
    json: flags.has('json'),
  };
}

async function main(wish: Wish): Promise<number> {
  const temporary = wish.data === null ? mkdtempSync(join(tmpdir(), 'carbon-replay-')) : null;
  const dataDir = wish.data ?? temporary ?? '';
  const prepared = prepare({ ...ANY_PORT, ...processVariables(), ROLE: 'all', DATA_DIR: dataDir });
  const environment = { ...prepared.config.environment, logDir: join(dataDir, 'logs') };
  const screen = terminal(process.stderr);
  const live = process.stderr.isTTY === true;
  const loggers = openLoggers({ dir: environment.logDir, level: environment.logLevel, stdout: screen.line });
  const events = eventLog(loggers);
  const exhausted = (cause: string): void => {
    screen.say(`every restart budget is used up: ${cause}; the log is in ${environment.logDir}`);
    process.exit(EXIT_EXHAUSTED);
  };
  const launched = await launch({ prepared, environment, loggers, events, telemetry: new Map(), exhausted });
  const stop = new AbortController();
  process.on('SIGINT', () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
  process.on('SIGTERM', () => stop.abort());
  await launched.database.migrate();
  await launched.pipeline.start();
  const ticker = setInterval(
    () => void showProgress(launched, live ? screen.progress : screen.say),
    live ? 200 : 5_000,
  );
  const summary = await replay(wish, launched, prepared.config.runtime.tenant_id, stop.signal);
  clearInterval(ticker);
  screen.progress('');
  await launched.pipeline.drain();
  await launched.close();
  if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  for (const line of reportLines(summary)) screen.say(line);
  const failed = failedFiles(summary);
  if (wish.json) process.stdout.write(`${JSON.stringify({ ...summary, failed })}\n`);
  for (const { path, reason } of failed) screen.say(`not used: ${path}: ${reason}`);
  if (stop.signal.aborted) screen.say('stopped before the end: run it again with the same --data to go on');
  if (temporary !== null && wish.exportDir === null) {
    screen.say('nothing is kept: pass --data DIR or --export DIR to keep it');
  }
  return summary.conservation.balanced && failed.length === 0 && !stop.signal.aborted ? 0 : 1;
}

async function showProgress({ pipeline }: Launched, show: (text: string) => void): Promise<void> {
  if (pipeline.meter.extracted > 0) show(progressLine('replaying', pipeline.meter, await pipeline.lag()));
}

async function replay(
  wish: Wish,
  { pipeline, database }: Launched,
  tenantId: string,
  stop: AbortSignal,
): Promise<ReplaySummary> {
  const { files, unreadable: unlisted } = listRecordings(wish.paths);
  const unreadable: Unreadable[] = [...unlisted];
  const responses: { cursor: Cursor; fresh: boolean }[] = [];
  stop.addEventListener('abort', () => {
    for (const source of pipeline.sources) source.drain();
  });
  const fromMs = systemClock.nowMs();
  await pipeline.replay({
    name: 'recordings',
    responses: fileResponses(files, tenantId, (each) => unreadable.push(each)),
    speed: wish.speed,
    chunkMax: CHUNK_MAX,
    responseDone: (cursor, fresh) => responses.push({ cursor, fresh }),
  });
  await pipeline.caughtUp(stop);
  const seconds = (systemClock.nowMs() - fromMs) / 1_000;
  const { meter } = pipeline;
  const exported = wish.exportDir === null ? [] : await exportGold(database.clickhouse, wish.exportDir);
  return {
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
    conservation: await pipeline.conservation(),
    exported,
  };
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
  printRefusal(refusal);
  process.exit(EXIT_CONFIG);
}
