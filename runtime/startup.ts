// What can refuse a start: the configuration, a directory, a port, the engine. Each refusal says what, where
// and what to do; the process leaves with 78 (EX_CONFIG) and its last line is JSON.

import { feeds, findFeed, markets, notices, sources } from '../actors/feeds/markets.ts';
import type { Environment } from '../configs/environment.ts';
import { type Config, loadConfig } from '../configs/load.ts';
import type { Finding } from '../configs/yaml.ts';
import { Fault } from '../sinks/sink.ts';
import { whyUnwritable } from './directories.ts';
import { ListenRefused, PortInUse } from './http/serve.ts';
import { type ConnectorPlan, connectorPlans, missingKeys, type Registry } from './live/settings.ts';
import { LogFault } from './log/log-fault.ts';
import { unsupported } from './options/unsupported.ts';
import { type StageOptions, stageOptions } from './options.ts';

export const EXIT_CONFIG = 78;
export const EXIT_EXHAUSTED = 70;

export const REGISTRY: Registry = { markets, sources, notices, findFeed };

export interface Refusal {
  /** `configuration`, `data_directory`, `log_directory`, `port`, `address`, `kafka`, `clickhouse`. */
  readonly check: string;
  readonly hint: string;
  readonly findings: readonly Finding[];
}

export class StartRefused extends Error {
  override readonly name = 'StartRefused';
  constructor(readonly refusal: Refusal) {
    super(refusal.hint);
  }
}

export interface Prepared {
  readonly config: Config;
  readonly stages: StageOptions;
  readonly hash: string;
  readonly warnings: readonly string[];
  /** Of the connectors that run here. */
  readonly plans: readonly ConnectorPlan[];
}

/** Reads and checks the configuration. Throws StartRefused with every finding. */
export function prepare(variables: Readonly<Record<string, string | undefined>>): Prepared {
  const loaded = loadConfig(variables, markets);
  if (!loaded.ok) throw configurationRefused(loaded.findings);
  const { config, hash } = loaded;
  const { plans, findings } = livePlans(config);
  if (findings.length > 0) throw configurationRefused(findings);
  const stages = stageOptions(config, markets);
  const warnings = [
    ...loaded.warnings.map((each) => sentence(each)),
    ...unsupported(
      config,
      markets,
      feeds.map((each) => each.name),
      stages,
    ),
  ];
  return { config, stages, hash, warnings, plans };
}

/** What CONNECTORS names, as connectors.yaml has it. */
export function livePlans(config: Config): ReturnType<typeof connectorPlans> {
  const { connectors, operatorKeys } = config.environment;
  const { plans, findings } = connectorPlans(config.connectors, connectors, REGISTRY);
  return { plans, findings: [...findings, ...missingKeys(plans, operatorKeys)] };
}

function configurationRefused(findings: readonly Finding[]): StartRefused {
  const things = findings.length === 1 ? 'thing is' : 'things are';
  const hint = `${findings.length} ${things} wrong with the configuration: correct all and start again`;
  return new StartRefused({ check: 'configuration', hint, findings });
}

/** Refuses a start that could not write its data or its logs. Throws StartRefused. */
export function requireDirectories({ dataDir, logDir }: Pick<Environment, 'dataDir' | 'logDir'>): void {
  const places = [
    ['data_directory', 'DATA_DIR', dataDir],
    ['log_directory', 'LOG_DIR', logDir],
  ] as const;
  for (const [check, variable, dir] of places) {
    const why = whyUnwritable(dir);
    if (why === null) continue;
    const hint = `${dir} cannot be written: ${why}; correct that, or set ${variable} to another directory`;
    throw new StartRefused({ check, hint, findings: [] });
  }
}

export function sentence({ where, key, message }: Finding): string {
  return key === '' || key === where ? `${where}: ${message}` : `${where}: ${key}: ${message}`;
}

/** What to do about a log that cannot be opened, by the fault's code; the fault's own words come first. */
const REMEDIES: Readonly<Record<string, string>> = {
  data_dir_held: '',
  log_disk_full: ': free space there, or set DATA_DIR to another disk',
  log_corrupt: ': put a backup in its place, or move it away to begin anew, or set DATA_DIR',
};

/** What a failure of the start means; null: it is not the environment's fault. */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof StartRefused) return error.refusal;
  if (error instanceof PortInUse) return { check: 'port', hint: error.message, findings: [] };
  if (error instanceof ListenRefused) return { check: 'address', hint: error.message, findings: [] };
  if (error instanceof LogFault && error.code === 'kafka') {
    return { check: 'kafka', hint: error.message, findings: [] };
  }
  if (error instanceof LogFault) {
    const hint = `${error.message}${REMEDIES[error.code] ?? ': correct that, or set DATA_DIR'}`;
    return { check: 'data_directory', hint, findings: [] };
  }
  if (error instanceof Fault) return { check: 'clickhouse', hint: error.message, findings: [] };
  if (error instanceof Error && 'code' in error && 'path' in error) {
    const hint = `${error.message}: make it writable, or set DATA_DIR or LOG_DIR`;
    return { check: 'data_directory', hint, findings: [] };
  }
  return null;
}

/**
 * Prints a refusal: findings for people on stderr, and one JSON line on stdout for machines. Resolves
 * when both are handed over, because whoever exits before that cuts what a pipe could not take at once.
 */
export async function printRefusal({ check, hint, findings }: Refusal): Promise<void> {
  const sentences = findings.length === 0 ? [hint] : findings.map(sentence);
  const time = new Date().toISOString();
  const line = { level: 'fatal', time, event: 'startup_failed', check, hint, findings };
  await Promise.all([
    handOver(process.stderr, `${sentences.join('\n')}\n`),
    handOver(process.stdout, `${JSON.stringify(line)}\n`),
  ]);
}

/** A reader that went away is no reason to stay. */
function handOver(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}
