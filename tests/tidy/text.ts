// What the text of any tracked file may not hold, and how large and how named a source file may be.
// The patterns are written so that this file does not match them itself.

import { basename } from 'node:path/posix';
import type { Complaint, Rule, Source } from './source.ts';

const LINE_LENGTH_MAX = 110;
const FILE_LINES_MAX = 300;
const TEST_FILE_LINES_MAX = 600;

interface Pattern {
  readonly name: string;
  readonly pattern: RegExp;
  readonly message: string;
  /** Files it applies to. */
  readonly files: RegExp;
}

const ANY_FILE = /(?:)/;

const PATTERNS: readonly Pattern[] = [
  {
    name: 'no-promises',
    pattern: /\b(?:TO[D]O|FIX[M]E|HAC[K])\b/g,
    message: 'finish it, or say under "What was not tried" that it is missing',
    files: ANY_FILE,
  },
  {
    name: 'no-machine-paths',
    pattern: /(?<![\w.-])\/(?:home|root|work|Users)\/|\b[A-Z]:\\Users\\/g,
    message: 'a path of one machine: make it relative, or a temporary folder',
    files: ANY_FILE,
  },
  {
    name: 'no-registry-hosts',
    pattern:
      /\bregistry\.(?:npmjs|yarnpkg)\.\w+|:\/\/[^/\s'"]*(?:registry|artifactory|nexus|mirror)[^\s'"]*/gi,
    message: 'a registry host: it belongs to a machine, not to the repository',
    files: ANY_FILE,
  },
  {
    name: 'no-registry-hosts',
    pattern: /:\/\/|\b\d+\.\d+\.\d+\.\d+:\d+/g,
    message: 'an address in the lockfile: install without a registry setting and commit again',
    files: /^bun\.lock$/,
  },
  {
    name: 'no-suppressions',
    pattern: /\/[/*]+\s*(?:@ts-(?:ignore|expect-error|nocheck)|biome-ignore|eslint-disable|prettier-ignore)/g,
    message: 'a checker switched off: satisfy it',
    files: /\.ts$/,
  },
];

function patternRule({ name, pattern, message, files }: Pattern): Rule {
  return {
    name,
    *check({ path, text }) {
      if (!files.test(path)) return;
      for (const match of text.matchAll(pattern)) yield [match.index, `'${match[0]}': ${message}`];
    },
  };
}

const REFUSED_NAMES = new Set([
  'index',
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'types',
  'misc',
  'shared',
]);
const FILE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?\.ts$/;

function* fileName({ path, code }: Source): Iterable<Complaint> {
  if (code === null) return;
  const name = basename(path);
  if (!FILE_NAME.test(name))
    yield [0, `file names are kebab-case, such as operating-day.ts; this is ${name}`];
  for (const segment of path.replace(/(?:\.test)?\.ts$/, '').split('/')) {
    if (REFUSED_NAMES.has(segment)) yield [0, `'${segment}' names nothing: name what it holds`];
  }
}

function* fileSize({ path, text, code }: Source): Iterable<Complaint> {
  if (code === null) return;
  const lines = text.trimEnd().split('\n').length;
  const max = path.startsWith('tests/') ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  if (lines > max) yield [0, `${lines} lines; the most is ${max}`];
}

function* lineLength({ text, code }: Source): Iterable<Complaint> {
  if (code === null) return;
  let offset = 0;
  for (const line of text.split('\n')) {
    const length = [...line].length;
    if (length > LINE_LENGTH_MAX) yield [offset, `${length} characters; the most is ${LINE_LENGTH_MAX}`];
    offset += line.length + 1;
  }
}

/** What the file owns, its invariant, what it leaves out: before the first import. */
function* header({ text, code }: Source): Iterable<Complaint> {
  if (code === null) return;
  if (!/^(?:#!.*\n)?(?:\/\/ \S|\/\*)/.test(text)) yield [0, 'opens without a comment that says what it owns'];
}

export const TEXT_RULES: readonly Rule[] = [
  ...PATTERNS.map(patternRule),
  { name: 'file-name', check: fileName },
  { name: 'file-size', check: fileSize },
  { name: 'line-length', check: lineLength },
  { name: 'header', check: header },
];
