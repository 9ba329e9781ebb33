// The whole configuration, read once: seven YAML files and the environment. Every problem is found before
// anything starts, all at once; the result is frozen. The only reader of process.env.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { MarketSpec } from '../actors/domain/market.ts';
import { DISPOSITIONS, withoutEffect } from './dispositions.ts';
import { type Environment, readEnvironment, type Variables } from './environment.ts';
import { isTree, merged, type Parsed, parseWith, placeIn, reaches } from './parse.ts';
import { type AggregationPolicies, aggregation } from './schema-aggregation.ts';
import { connectors } from './schema-connectors.ts';
import { contacts, normalization, projection, runtime } from './schema-others.ts';
import { quality } from './schema-quality.ts';
import { taxonomy } from './schema-taxonomy.ts';
import { type Finding, readYaml, type YamlFile } from './yaml.ts';

/** A file's name, its schema, and whether older installations may lack it. */
const SCHEMAS = {
  normalization_rules: { schema: normalization, optional: false },
  enrichment_taxonomy: { schema: taxonomy, optional: false },
  data_quality_rules: { schema: quality, optional: false },
  projection_policies: { schema: projection, optional: false },
  runtime: { schema: runtime, optional: true },
  connectors: { schema: connectors, optional: true },
  contacts: { schema: contacts, optional: true },
} as const;

const AGGREGATION = 'aggregation_policies';

export interface Config {
  readonly environment: Environment;
  readonly normalization: z.output<typeof normalization>;
  readonly taxonomy: z.output<typeof taxonomy>;
  readonly quality: z.output<typeof quality>;
  readonly projection: z.output<typeof projection>;
  readonly runtime: z.output<typeof runtime>;
  readonly connectors: z.output<typeof connectors>;
  readonly contacts: z.output<typeof contacts>;
  /** By market: the general policy with the market's own laid over it. */
  readonly aggregation: ReadonlyMap<string, AggregationPolicies>;
}

export type Loaded =
  | { readonly ok: false; readonly findings: readonly Finding[]; readonly warnings: readonly Finding[] }
  | {
      readonly ok: true;
      readonly config: Config;
      readonly warnings: readonly Finding[];
      /** 16 hex digits over the files' values and the environment's selections. */
      readonly hash: string;
    };

/** The process's own environment. */
export function processVariables(): Variables {
  return process.env;
}

export function loadConfig(variables: Variables, markets: readonly MarketSpec[]): Loaded {
  const { environment, ...read } = readEnvironment(variables);
  const findings: Finding[] = [...read.findings];
  const warnings: Finding[] = [...read.warnings];
  const take = <T>(parsed: Parsed<T>): T | null => {
    findings.push(...parsed.findings);
    warnings.push(...parsed.warnings);
    return parsed.value;
  };
  const open = (name: string, optional: boolean): YamlFile | null => {
    const file = openFile(join(environment.configDir, `${name}.yaml`), optional);
    if (!('where' in file)) {
      findings.push(...file);
      return null;
    }
    warnings.push(...ineffective(file, name));
    return file;
  };
  const section = <T>(name: keyof typeof SCHEMAS, schema: z.ZodType<T>): T | null => {
    const file = open(name, SCHEMAS[name].optional);
    if (file === null) return null;
    warnings.push(...aboutMarkets(file, markets));
    return take(parseWith(schema, file.value, placeIn(file)));
  };
  warnings.push(...strangers(environment.configDir));
  const policies = open(AGGREGATION, false);
  const parts = {
    normalization: section('normalization_rules', normalization),
    taxonomy: section('enrichment_taxonomy', taxonomy),
    quality: section('data_quality_rules', quality),
    projection: section('projection_policies', projection),
    runtime: section('runtime', runtime),
    connectors: section('connectors', connectors),
    contacts: section('contacts', contacts),
    aggregation: policies === null ? null : take(aggregationOf(policies, markets)),
  };
  const config = complete(environment, parts);
  if (config === null || findings.length > 0) return { ok: false, findings, warnings };
  const { ports: _, logLevel: __, adminToken: ___, ...selections } = environment;
  const told = JSON.stringify([selections, parts, [...config.aggregation]]);
  const hash = new Bun.CryptoHasher('sha256').update(told).digest('hex').slice(0, 16);
  return { ok: true, config: frozen(config), warnings, hash };
}

function openFile(path: string, optional: boolean): YamlFile | readonly Finding[] {
  if (optional && !existsSync(path)) return { name: path, value: {}, where: () => path };
  return readYaml(path);
}

/** Files beside ours that nobody reads: a misspelt name would be ignored without a word. */
function strangers(dir: string): Finding[] {
  const known = new Set([AGGREGATION, ...Object.keys(SCHEMAS)].map((name) => `${name}.yaml`));
  const files = existsSync(dir) ? readdirSync(dir) : [];
  return files
    .filter((name) => /\.ya?ml$/.test(name) && !known.has(name))
    .sort()
    .map((name) => ({ where: join(dir, name), key: '', message: 'unknown file: it has no effect' }));
}

function ineffective(file: YamlFile, name: string): Finding[] {
  return withoutEffect(file, DISPOSITIONS[name] ?? []).map(({ path, reason }) => ({
    where: file.where(path),
    key: path.join('.'),
    message: `has no effect: ${reason}`,
  }));
}

/** The general policy, and each market's own laid over it. */
function aggregationOf(
  file: YamlFile,
  markets: readonly MarketSpec[],
): Parsed<ReadonlyMap<string, AggregationPolicies>> {
  const { market_policies: own = {}, ...general } = isTree(file.value) ? file.value : {};
  if (!isTree(own)) {
    const where = file.where(['market_policies']);
    return {
      value: null,
      findings: [{ where, key: 'market_policies', message: 'expected a map' }],
      warnings: [],
    };
  }
  const base = parseWith(aggregation, isTree(file.value) ? general : file.value, placeIn(file));
  const findings = [...base.findings];
  const warnings = [...base.warnings];
  const told = new Set(base.findings.map((each) => `${each.key}: ${each.message}`));
  const value = new Map<string, AggregationPolicies>();
  for (const name of Object.keys(own)) {
    if (markets.some(({ market }) => market === name)) continue;
    const key = `market_policies.${name}`;
    warnings.push({ where: file.where(['market_policies', name]), key, message: NO_SUCH_MARKET });
  }
  for (const { market } of markets) {
    const over = own[market] ?? {};
    const place = (path: readonly PropertyKey[]) => file.where(['market_policies', market, ...path]);
    const parsed = parseWith(aggregation, merged(general, over), place);
    const ofMarket = (each: Finding): Finding => ({ ...each, key: `market_policies.${market}.${each.key}` });
    const news = parsed.findings.filter((each) => !told.has(`${each.key}: ${each.message}`));
    findings.push(...news.map(ofMarket));
    const unknown = parsed.warnings.filter((each) => reaches(over, each.key.split('.')));
    warnings.push(...unknown.map(ofMarket));
    if (parsed.value !== null) value.set(market, parsed.value);
  }
  return { value, findings, warnings };
}

const NO_SUCH_MARKET = 'no such market: it has no effect';
const FIXED_ZONES: Readonly<Record<number, readonly string[]>> = { [-300]: ['EST', 'Etc/GMT+5', 'UTC-5'] };

/** Markets that do not exist, and names and zones that are not the market's own. */
function aboutMarkets(file: YamlFile, markets: readonly MarketSpec[]): Finding[] {
  const listed = isTree(file.value) ? file.value.markets : undefined;
  if (!isTree(listed)) return [];
  return Object.entries(listed).flatMap(([name, section]): Finding[] => {
    const about = (path: readonly string[], message: string): Finding => {
      const full = ['markets', name, ...path];
      return { where: file.where(full), key: full.join('.'), message };
    };
    const spec = markets.find(({ market }) => market === name);
    if (spec === undefined) return [about([], NO_SUCH_MARKET)];
    const { timezone, market_id } = isTree(section) ? section : {};
    const found: Finding[] = [];
    if (market_id !== undefined && market_id !== name) {
      found.push(about(['market_id'], `has no effect: the market is called ${name}`));
    }
    const kept = zoneNames(spec);
    if (timezone !== undefined && !kept.some((each) => each === timezone)) {
      const own = kept[0] ?? 'a fixed offset';
      const message = `has no effect: ${name} keeps its own time, ${own}, not '${String(timezone)}'`;
      found.push(about(['timezone'], message));
    }
    return found;
  });
}

function zoneNames({ zone }: MarketSpec): readonly string[] {
  return zone.kind === 'civil' ? [zone.zone] : (FIXED_ZONES[zone.utcOffsetMinutes] ?? []);
}

type Parts = { readonly [K in keyof Omit<Config, 'environment'>]: Config[K] | null };

function complete(environment: Environment, parts: Parts): Config | null {
  const { normalization, taxonomy, quality, projection, runtime, connectors, contacts, aggregation } = parts;
  if (normalization === null || taxonomy === null || quality === null || projection === null) return null;
  if (runtime === null || connectors === null || contacts === null || aggregation === null) return null;
  return {
    environment,
    normalization,
    taxonomy,
    quality,
    projection,
    runtime,
    connectors,
    contacts,
    aggregation,
  };
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) frozen(each);
  }
  return value;
}
