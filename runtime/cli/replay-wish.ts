// What a user of `bun run replay` may wish for: the words of its command line, read and checked before
// anything is opened.

import { parseArguments, UsageError } from './arguments.ts';

export const USAGE = `usage: bun run replay <files or folders …> [--data DIR] [--speed max|10x|1x]
                      [--export DIR] [--json]

Feeds recordings of CAISO and MISO (CSV, XML, JSON, zip) through the whole pipeline into ClickHouse.
  --data DIR    keep log and tables there (bun run start with DATA_DIR=DIR shows them) and go on from what is
                there; default: a fresh directory, removed at the end
  --speed S     max (default), or a multiple of the market's own time such as 10x; a gap of more than a day
                between two intervals is not waited for
  --export DIR  write each gold table as <table>.csv and <table>.parquet
  --json        the summary as one JSON line on standard output, everything else on standard error
The report goes to standard output, progress to standard error: a line at a terminal, else JSON lines.
Ctrl-C stops the feeding in order; with --data the same command goes on later. A second one does not wait.
Exit: 0 conservation holds and every file was used; 1 not so, or stopped; 64 wrong usage; 78 wrong
configuration, or a directory that cannot be used.`;

export interface Wish {
  readonly paths: readonly string[];
  /** Null: a directory for this replay alone. */
  readonly data: string | null;
  /** Event seconds a second; null: as fast as it goes. */
  readonly speed: number | null;
  readonly exportDir: string | null;
  readonly json: boolean;
}

const FLAGS = { data: true, speed: true, export: true, json: false, help: false };
const SPEED = /^(\d{1,6}(?:\.\d{1,3})?)x$/;
const SPEED_MIN = 0.1;

/** Null: help is wanted. Throws UsageError. */
export function readWish(words: readonly string[]): Wish | null {
  const { rest, flags } = parseArguments(words, FLAGS);
  if (flags.has('help')) return null;
  if (rest.length === 0) throw new UsageError('name at least one file or folder');
  return {
    paths: rest,
    data: directory(flags.get('data'), 'data'),
    speed: speedOf(flags.get('speed') ?? 'max'),
    exportDir: directory(flags.get('export'), 'export'),
    json: flags.has('json'),
  };
}

function directory(value: string | undefined, flag: string): string | null {
  if (value === '') throw new UsageError(`--${flag} needs a directory`);
  return value ?? null;
}

function speedOf(text: string): number | null {
  if (text === 'max') return null;
  const factor = Number(SPEED.exec(text)?.[1]);
  if (factor >= SPEED_MIN) return factor;
  throw new UsageError(`--speed is max or a multiple such as 10x, at least ${SPEED_MIN}x; not '${text}'`);
}
