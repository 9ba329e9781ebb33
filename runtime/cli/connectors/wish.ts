// What the words after `bun run ops connectors` ask for. Wrong words are a UsageError that says which are
// right.

import { parseArguments, UsageError } from '../arguments.ts';

export const COMMANDS = [
  'list',
  'info',
  'test',
  'enable',
  'disable',
  'validate',
  'validate-all',
  'index',
] as const;
export type Command = (typeof COMMANDS)[number];

export interface Wish {
  readonly command: Command;
  /** Null where a command is about all of them. */
  readonly name: string | null;
  readonly json: boolean;
  /** `test`: read a recording instead of asking the operator. */
  readonly offline: boolean;
  /** `test --offline`: of this file; null: of the bundled sample. */
  readonly file: string | null;
  /** `test`: this feed of the connector; null: its first. */
  readonly feed: string | null;
  readonly reason: string | null;
  /** Of the running process; null: by HOST and PORT_CONNECTORS. */
  readonly url: string | null;
  /** `index`: where it is written; null: in DATA_DIR. */
  readonly out: string | null;
}

const NEED_NAME: ReadonlySet<Command> = new Set(['info', 'test', 'enable', 'disable', 'validate']);

/** Null: help was asked for. Throws UsageError. */
export function readWish(words: readonly string[]): Wish | null {
  const { rest, flags } = parseArguments(words, {
    json: false,
    offline: false,
    file: true,
    feed: true,
    reason: true,
    url: true,
    out: true,
    help: false,
  });
  if (flags.has('help') || words.length === 0) return null;
  const [word, name, stray] = rest;
  const command = COMMANDS.find((each) => each === word);
  if (command === undefined) {
    throw new UsageError(`expected one of ${COMMANDS.join(', ')}, found '${word ?? ''}'`);
  }
  const isNamed = NEED_NAME.has(command);
  if (isNamed && name === undefined) throw new UsageError(`${command} needs the name of a connector`);
  if (!isNamed && name !== undefined) throw new UsageError(`unexpected '${name}' after ${command}`);
  if (stray !== undefined) throw new UsageError(`unexpected '${stray}'`);
  const text = (flag: string): string | null => flags.get(flag) ?? null;
  if (text('file') !== null && !flags.has('offline')) throw new UsageError('--file goes with --offline');
  return {
    command,
    name: name ?? null,
    json: flags.has('json'),
    offline: flags.has('offline'),
    file: text('file'),
    feed: text('feed'),
    reason: text('reason'),
    url: text('url'),
    out: text('out'),
  };
}
