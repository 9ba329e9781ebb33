// Files of an existing installation load unchanged, and no key of theirs is silently ignored: each leaf is
// changed in turn, and the change must reach the options of a part, or the key must be said to have no
// effect.

import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import { markets } from '../../../actors/feeds/markets.ts';
import { type Loaded, loadConfig } from '../../../configs/load.ts';
import { projectionOptions } from '../../../runtime/options/projection.ts';
import { runtimePolicy } from '../../../runtime/options.ts';
import { type Prepared, prepare, StartRefused } from '../../../runtime/startup.ts';
import { type ConfigFile, configDir, EXISTING, textOf } from '../../support/config-dir.ts';

const OPERATORS_FILES = [
  'aggregation_policies',
  'data_quality_rules',
  'enrichment_taxonomy',
  'normalization_rules',
  'projection_policies',
] as const satisfies readonly ConfigFile[];

type Path = readonly (string | number)[];
interface Leaf {
  readonly path: Path;
  readonly value: unknown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Scalars, and lists of scalars, with their paths. */
function leaves(value: unknown, at: Path = []): Leaf[] {
  if (isRecord(value)) return Object.entries(value).flatMap(([key, each]) => leaves(each, [...at, key]));
  if (Array.isArray(value) && value.some(isRecord)) {
    return value.flatMap((each, index) => leaves(each, [...at, index]));
  }
  return [{ path: at, value }];
}

const TEXTS = ['critical', 'low', 'zscore', '7M', 'numeric', 'integer', '09:30'];

/** Other values of the same type, some of which fit where the old one did. */
function others(value: unknown): unknown[] {
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'number') return [value + 1, value - 1, value * 0.95, value / 2, 1];
  if (typeof value === 'string') return TEXTS.filter((each) => each !== value);
  if (!Array.isArray(value)) throw new Error(`a leaf is a scalar or a list, not ${String(value)}`);
  const last: unknown = value.at(-1);
  return [[...value, typeof last === 'number' ? last + 1 : 'another'], value.slice(0, -1)];
}

/** All that the parts are told, as text. */
function effects({ config, stages }: Prepared): string {
  const windows = [...stages.aggregation.markets].map(([name, policy]) => [
    name,
    Object.keys(policy.spec.runs).map((run) => policy.windows(run)),
  ]);
  const told = [
    stages,
    windows,
    runtimePolicy(config),
    projectionOptions(config),
    config.quality.quality_thresholds,
  ];
  return JSON.stringify(told, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}

type Outcome =
  | { readonly kind: 'started'; readonly effects: string; readonly said: readonly string[] }
  | { readonly kind: 'refused'; readonly keys: readonly string[] };

function start(dir: string): Outcome {
  try {
    const prepared = prepare({ CONFIG_DIR: dir });
    return { kind: 'started', effects: effects(prepared), said: prepared.warnings };
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    return { kind: 'refused', keys: error.refusal.findings.map(({ key }) => key) };
  }
}

function says(file: ConfigFile, said: readonly string[], path: Path): boolean {
  const ofFile = said.filter((each) => each.includes(`/${file}.yaml:`));
  return path.some((_, depth) => {
    const key = path.slice(0, depth + 1).join('.');
    return ofFile.some((each) => each.includes(` ${key}: has no effect`));
  });
}

/** Read as another value, and said so. */
const READ_AS = 'validation.field_validation.delivery_hour.max';

/**
 * Where a key is judged: a general key where no market overrides it, a default where no market has its
 * own, a bar's key where such bars are made.
 */
function groundFor(file: ConfigFile, path: Path): Document {
  const document = parseDocument(textOf(EXISTING, file));
  if (file === 'aggregation_policies') {
    if (path[0] !== 'market_policies') document.deleteIn(['market_policies']);
    for (const size of ['fifteen_minute', 'five_minute']) {
      if (path.at(-1) !== 'enabled') document.setIn(['ohlc_policies', size, 'enabled'], true);
    }
  }
  if (file === 'normalization_rules' && path[0] === 'global') {
    for (const { market } of markets) {
      for (const key of ['currency', 'unit', 'price_unit']) document.deleteIn(['markets', market, key]);
    }
  }
  if (file === 'data_quality_rules') {
    document.setIn(['validation', 'cross_field_validation', 0, 'condition'], 'lmp_equals_components');
  }
  return document;
}

const known = new Map<string, Outcome>();

function outcomeOf(file: ConfigFile, document: Document): Outcome {
  const text = String(document);
  const found = known.get(text);
  if (found !== undefined) return found;
  using dir = configDir(EXISTING, { [file]: text });
  const outcome = start(dir.path);
  known.set(text, outcome);
  return outcome;
}

function judge(
  file: ConfigFile,
  { path, value }: Leaf,
): 'obeyed' | 'said' | 'checked' | 'ignored' | 'untrue' {
  const key = path.join('.');
  const before = outcomeOf(file, groundFor(file, path));
  if (before.kind === 'refused')
    throw new Error(`the ground for ${key} is refused: ${before.keys.join(', ')}`);
  const said = says(file, before.said, path) || key === READ_AS;
  let started = 0;
  for (const other of others(value)) {
    const document = groundFor(file, path);
    document.setIn(path, other);
    const after = outcomeOf(file, document);
    if (after.kind === 'refused') {
      expect(after.keys.some((each) => key.startsWith(each))).toBe(true);
      continue;
    }
    started += 1;
    if (after.effects !== before.effects) return said ? 'untrue' : 'obeyed';
    if (said || says(file, after.said, path)) return 'said';
  }
  return started === 0 ? 'checked' : 'ignored';
}

test('an existing installation’s files load unchanged', () => {
  const loaded: Loaded = loadConfig({ CONFIG_DIR: EXISTING }, markets);
  expect(loaded.ok ? [] : loaded.findings).toEqual([]);
  expect(loaded.warnings.filter(({ message }) => /unknown|no such market/.test(message))).toEqual([]);
});

test('what has no effect is said, with the place and the reason', () => {
  const { warnings } = prepare({ CONFIG_DIR: EXISTING });
  const told = warnings.join('\n');
  expect(told).toMatch(
    /normalization_rules\.yaml:\d+:\d+: markets\.MISO\.timezone: has no effect: MISO keeps/,
  );
  expect(told).toMatch(/projection_policies\.yaml:3:3: clickhouse\.dsn: .*only CLICKHOUSE_URL selects/);
  expect(told).toMatch(/projection_policies\.yaml:\d+:\d+: redis\.url: .*only REDIS_URL selects/);
  expect(told).toMatch(/market_policies\.MISO\.ohlc_policies\.daily\.flush_interval: has no effect/);
  expect(told).toContain('field_validation.delivery_hour.max 24: read as 25');
  expect(told).toContain('MISO.price_ranges: no class is below 0');
});

test('the time rules of the markets stay as they are', () => {
  const { stages } = prepare({ CONFIG_DIR: EXISTING });
  const miso = stages.normalize.markets.get('MISO');
  // 2022-07-01 00:00 at UTC−5 all year; America/Chicago would be an hour on.
  expect(miso?.calendar.hourStart('2022-07-01', 1)).toBe(Date.UTC(2022, 6, 1, 5));
  expect(stages.normalize.fieldValidation.delivery_hour?.max).toBe(25);
});

describe.each(OPERATORS_FILES)('%s: every key is obeyed or said to have no effect', (file) => {
  const all = leaves(parseDocument(textOf(EXISTING, file)).toJS());
  test.each(all.map((leaf) => [leaf.path.join('.'), leaf] as const))('%s', (_, leaf) => {
    // 'checked': only the value that it has is accepted, another is a finding with the key.
    expect(judge(file, leaf)).toBeOneOf(['obeyed', 'said', 'checked']);
  });
});

const FACTS = resolve(import.meta.dir, '../../../../shared/facts/config-keys.txt');

test.skipIf(!existsSync(FACTS))('the files have every key that is known of such installations', () => {
  const known = readFileSync(FACTS, 'utf8')
    .split('\n## ')
    .flatMap((section) => {
      const [name = '', ...lines] = section.replace(/^## /, '').split('\n');
      return lines.flatMap((line) => {
        const key = /^(\S+?)(\[\])? = /.exec(line)?.[1];
        return key === undefined ? [] : [[name.replace('.yaml', ''), key.split('.')] as const];
      });
    });
  expect(known.length).toBeGreaterThan(400);
  const missing = known.filter(([name, path]) => {
    const file = OPERATORS_FILES.find((each) => each === name);
    return file === undefined || !parseDocument(textOf(EXISTING, file)).hasIn(path);
  });
  expect(missing).toEqual([]);
});
