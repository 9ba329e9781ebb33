// Broken files, kind by kind, for each of the eight: always a finding with file, line, column, key and
// what was expected, and all of them at once. Keys that nobody knows warn and do not stop the start.

import { describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { type Prepared, prepare, StartRefused } from '../../../runtime/startup.ts';
import { type Changes, configDir, edited, FILES, SHIPPED, textOf } from '../../support/config-dir.ts';
import { VALUES } from './wrong-values.ts';

interface Told {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly key: string;
  readonly message: string;
}

function load(changes: Changes, variables: Record<string, string> = {}): Prepared | readonly Told[] {
  using dir = configDir(SHIPPED, changes);
  try {
    return prepare({ CONFIG_DIR: dir.path, ...variables });
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    expect(error.refusal.check).toBe('configuration');
    return error.refusal.findings.map(({ where, key, message }) => {
      const [, file = where, line = '0', column = '0'] = /([^/]+):(\d+):(\d+)$/.exec(where) ?? [];
      return { file, line: Number(line), column: Number(column), key, message };
    });
  }
}

function refused(changes: Changes, variables: Record<string, string> = {}): readonly Told[] {
  const found = load(changes, variables);
  if ('config' in found) throw new Error('it started');
  return found;
}

const BOMB = `bomb:
  a: &a [x, x, x, x, x, x, x, x, x]
  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
  d: [*c, *c, *c, *c, *c, *c, *c, *c, *c]
`;

/** Kinds that break any file, with the line of the finding. */
const KINDS: readonly (readonly [
  kind: string,
  content: string | Uint8Array,
  line: number,
  message: RegExp,
])[] = [
  ['an unclosed list', 'a: 1\nb: [1, 2\n', 3, /flow|\]/i],
  ['a tab as indentation', 'a:\n\tb: 1\n', 2, /tab/i],
  ['a key twice', 'a: 1\nb: 2\na: 3\n', 3, /unique/i],
  ['a list', '- a: 1\n', 1, /expected (object|record|a map)/],
  ['a scalar', 'hello\n', 1, /expected (object|record|a map)/],
  ['nothing', '', 1, /expected a map of settings, found nothing/],
  ['comments only', '# nothing\n# at all\n', 1, /expected a map of settings, found nothing/],
  ['bytes that are not UTF-8', new Uint8Array([97, 58, 32, 49, 10, 98, 58, 32, 0xff, 10]), 2, /UTF-8/],
  ['UTF-16', new Uint8Array([0xff, 0xfe, 97, 0, 58, 0, 32, 0, 49, 0]), 1, /UTF-8/],
  ['aliases of aliases', BOMB, 3, /expected at most 100 uses of an anchor/],
  ['an alias of nothing', 'a: 1\nb: *nowhere\n', 2, /nowhere/],
  ['an object of another language', 'a: !!python/object:os.system {}\n', 1, /tag/i],
  ['two documents', 'a: 1\n---\nb: 2\n', 2, /multiple documents/i],
  ['a value that goes astray', 'a: b: c\n', 1, /nested mappings|compact/i],
  ['more than a megabyte', `a: "${'x'.repeat(1_000_001)}"\n`, 1, /1000000 bytes/],
  ['lists without end', `a: ${'['.repeat(50_000)}\n`, 1, /./],
];

describe.each(FILES)('%s.yaml broken as', (file) => {
  test.each(KINDS)('%s', (_, content, line, message) => {
    const found = refused({ [file]: content });
    expect(found[0]).toMatchObject({ file: `${file}.yaml`, line, message: expect.stringMatching(message) });
    for (const each of found.slice(0, 20)) expect(each.column).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(21);
  });
});

const REQUIRED = FILES.filter((file) => !['runtime', 'connectors', 'contacts'].includes(file));

test.each(REQUIRED)('%s.yaml is missed', (file) => {
  const [found] = refused({ [file]: null });
  expect(found).toMatchObject({ file: `${file}.yaml`, message: expect.stringMatching(/ENOENT/) });
});

test('files that older installations lack may be absent', () => {
  expect('config' in load({ runtime: null, connectors: null, contacts: null })).toBe(true);
});

test('a key twice is named', () => {
  const text = `${textOf(SHIPPED, 'runtime')}\nlog: {}\n`;
  expect(refused({ runtime: text })[0]).toMatchObject({ key: 'log', line: text.split('\n').length - 1 });
});

/** Where the last word of a key stands, once the part was replaced; a missing key stands at its parent. */
test.each(VALUES)('%s: %p → %p', (file, part, by, key, message) => {
  const text = edited(textOf(SHIPPED, file), part, by);
  const found = refused({ [file]: text });
  const about = found.find((each) => each.key === key);
  expect(about, JSON.stringify(found)).toMatchObject({ file: `${file}.yaml` });
  expect(about?.message).toMatch(message);
  const at = text.split('\n')[(about?.line ?? 0) - 1]?.slice((about?.column ?? 0) - 1) ?? '';
  const words = key.split('.').reverse();
  expect(words.some((word) => at.startsWith(word) || /^\d+$/.test(word) || at.startsWith(`'${word}`))).toBe(
    true,
  );
});

const UNKNOWN = 'unknown key: it has no effect';

test('keys that nobody knows warn, with their place, and do not stop the start', () => {
  for (const file of FILES) {
    const found = load({ [file]: `${textOf(SHIPPED, file)}\nsomething_new: { deep: [1, 2] }\n` });
    if (!('config' in found)) throw new Error(JSON.stringify(found));
    expect(found.warnings).toHaveLength(1);
    expect(found.warnings[0]).toMatch(new RegExp(`${file}\\.yaml:\\d+:1: something_new: unknown key`));
  }
});

test('an unknown key deep inside, in a list or under a market, has its place too', () => {
  const rules = edited(
    textOf(SHIPPED, 'data_quality_rules'),
    'tolerance: 0.001',
    'tolerance: 0.001, colour: red',
  );
  const policies = edited(
    textOf(SHIPPED, 'aggregation_policies'),
    'market_policies:\n  MISO:',
    'market_policies:\n  MISO:\n    speed: 9',
  );
  const found = load({ data_quality_rules: rules, aggregation_policies: policies });
  expect('warnings' in found ? found.warnings.map((each) => each.replace(/^.*\//, '')) : found).toEqual([
    `data_quality_rules.yaml:44:101: validation.cross_field_validation.0.colour: ${UNKNOWN}`,
    `aggregation_policies.yaml:36:5: market_policies.MISO.speed: ${UNKNOWN}`,
  ]);
});

test('prototypes are not to be had through a file', () => {
  const found = load({
    contacts: 'teams: {}\n__proto__: { polluted: true }\nconstructor: { prototype: 1 }\n',
  });
  expect('config' in found).toBe(true);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

test('an unknown file beside them warns', () => {
  using dir = configDir(SHIPPED);
  writeFileSync(`${dir.path}/contact.yaml`, 'teams: {}\n');
  expect(prepare({ CONFIG_DIR: dir.path }).warnings).toEqual([
    `${dir.path}/contact.yaml: unknown file: it has no effect`,
  ]);
});

test('all problems of all files and of the environment come at once', () => {
  const changes: Changes = Object.fromEntries(FILES.map((file) => [file, 'a: [1\n']));
  const found = refused(changes, { PORT_PROJECTION: '99999', ROLE: 'everything', LOG_LEVEL: 'loud' });
  const files = new Set(found.map(({ file }) => file));
  expect(files).toEqual(
    new Set([...FILES.map((file) => `${file}.yaml`), 'PORT_PROJECTION', 'ROLE', 'LOG_LEVEL']),
  );
});

test('several problems of one file come at once', () => {
  const text = textOf(SHIPPED, 'data_quality_rules')
    .replace('outlier_method: iqr', 'outlier_method: guess')
    .replace('price_buffer_size: 100', 'price_buffer_size: -1')
    .replace('enable_outlier_detection: true', 'enable_outlier_detection: 1');
  expect(refused({ data_quality_rules: text }).map(({ key }) => key)).toEqual([
    'anomaly_detection.outlier_method',
    'anomaly_detection.price_buffer_size',
    'features.enable_outlier_detection',
  ]);
});
