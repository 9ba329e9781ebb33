// What the environment selects: which services, which real parts, where things stand. Only variables choose
// outside servers, and a wrong one is a finding with the variable's name, and never with a secret's value.

import { type KafkaEnvironment, readKafka } from './kafka-environment.ts';
import { isPlaceholder, readSecret } from './secret.ts';
import type { Finding } from './yaml.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/** The services that are stages of the pipeline: all of them are the whole. */
export const STAGES = ['normalization', 'enrichment', 'aggregation', 'projection', 'data-quality'] as const;
/** What a process can be; the connectors run within the whole, or alone with a port of their own. */
export const ROLES = [...STAGES, 'connectors'] as const;
export type Role = (typeof ROLES)[number];

/** Variables that hold secrets: each may be given as `<NAME>_FILE` instead. */
export const SECRETS = [
  'CLICKHOUSE_URL',
  'REDIS_URL',
  'ADMIN_TOKEN',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_TLS_KEY',
  'MISO_API_KEY',
] as const;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export interface Environment {
  /** Services with a port here: the stages, or some of them, and connectors that run apart. */
  readonly roles: readonly Role[];
  /** Names of connectors.yaml that this process follows live. */
  readonly connectors: readonly string[];
  readonly dataDir: string;
  readonly configDir: string;
  readonly logDir: string;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Address the service ports listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly ports: Readonly<Record<Role, number>>;
  /** Null: the embedded log. */
  readonly kafka: KafkaEnvironment | null;
  /** Which worker of a group this process is; null: known by its host, data directory and roles. */
  readonly workerId: string | null;
  /** Members of each hosted group in this process, each in a thread of its own. */
  readonly parallelism: number;
  readonly clickhouse:
    | { readonly kind: 'embedded'; readonly httpPort: number; readonly tcpPort: number }
    /** `cluster`: its tables are made replicated, on all of that cluster; null: on this server alone. */
    | { readonly kind: 'server'; readonly url: string; readonly cluster: string | null }
    /** No role here reads or writes rows, as connectors that run apart. */
    | { readonly kind: 'unused' };
  readonly redisUrl: string | null;
  /** What changes by HTTP need; null: they are open on loopback and refused elsewhere. */
  readonly adminToken: string | null;
  /** Keys that operators of markets give, by the variable that holds each; null: not set. */
  readonly operatorKeys: Readonly<Record<string, string | null>>;
}

export const PORTS: Readonly<Record<Role, number>> = {
  normalization: 8510,
  enrichment: 8511,
  aggregation: 8512,
  projection: 8513,
  'data-quality': 8514,
  connectors: 8515,
};

/** Reads variables one by one and collects what is wrong with them. */
class Reader {
  readonly findings: Finding[] = [];
  readonly warnings: Finding[] = [];

  constructor(readonly variables: Variables) {}

  text(name: string, fallback: string): string {
    const value = this.variables[name]?.trim();
    return value === undefined || value === '' ? fallback : value;
  }

  /** The variable, or the content of the file that `<NAME>_FILE` names. */
  secret(name: string): string | null {
    const read = readSecret(name, this.text(name, ''), this.text(`${name}_FILE`, ''));
    if (!('wrong' in read)) return read.value;
    this.wrong(read.variable, read.wrong);
    return null;
  }

  port(name: string, fallback: number): number {
    const value = this.text(name, String(fallback));
    const port = Number(value);
    if (/^\d{1,5}$/.test(value) && port <= 65_535) return port;
    this.wrong(name, `expected a port, 0–65535, found '${value}'`);
    return fallback;
  }

  url(name: string, schemes: readonly string[]): string | null {
    const value = this.secret(name);
    if (value === null) return null;
    const parsed = URL.parse(value);
    if (parsed !== null && isPlaceholder(decodeURIComponent(parsed.password))) {
      this.wrong(name, 'its password is still the placeholder CHANGE_ME');
      return null;
    }
    if (parsed !== null && schemes.includes(parsed.protocol) && parsed.hostname !== '') return value;
    const expected = schemes.map((scheme) => `${scheme}//host:port`).join(' or ');
    this.wrong(name, `expected ${expected}; the value is not shown, it may hold a password`);
    return null;
  }

  wrong(key: string, message: string): void {
    this.findings.push({ where: key, key, message });
  }

  warn(key: string, message: string): void {
    this.warnings.push({ where: key, key, message });
  }
}

export function readEnvironment(variables: Variables): {
  readonly environment: Environment;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
} {
  const reader = new Reader(variables);
  const kafka = readKafka(reader);
  const hosted = roles(reader);
  const environment: Environment = {
    roles: hosted,
    connectors: connectors(reader, hosted),
    dataDir: reader.text('DATA_DIR', './data'),
    configDir: reader.text('CONFIG_DIR', './configs'),
    logDir: reader.text('LOG_DIR', './logs'),
    logLevel: logLevel(reader),
    host: reader.text('HOST', '127.0.0.1'),
    ports: ports(reader),
    kafka,
    workerId: reader.text('WORKER_ID', '') || null,
    parallelism: parallelism(reader),
    clickhouse: clickhouse(reader, hosted),
    redisUrl: reader.url('REDIS_URL', ['redis:', 'rediss:']),
    adminToken: reader.secret('ADMIN_TOKEN'),
    operatorKeys: { MISO_API_KEY: reader.secret('MISO_API_KEY') },
  };
  return { environment, findings: reader.findings, warnings: reader.warnings };
}

const PARALLELISM_MAX = 64;

function parallelism(reader: Reader): number {
  const text = reader.text('PARALLELISM', '1');
  const found = Number(text);
  if (/^\d{1,3}$/.test(text) && found >= 1 && found <= PARALLELISM_MAX) return found;
  reader.wrong('PARALLELISM', `'${text}': expected a number of workers, 1–${PARALLELISM_MAX}`);
  return 1;
}

function clickhouse(reader: Reader, hosted: readonly Role[]): Environment['clickhouse'] {
  const url = reader.url('CLICKHOUSE_URL', ['http:', 'https:']);
  const cluster = clickhouseCluster(reader);
  if (hosted.length > 0 && hosted.every((role) => role === 'connectors')) return { kind: 'unused' };
  if (url !== null) return { kind: 'server', url, cluster };
  const httpPort = reader.port('CLICKHOUSE_HTTP_PORT', 8123);
  return { kind: 'embedded', httpPort, tcpPort: reader.port('CLICKHOUSE_TCP_PORT', 9000) };
}

/** A name of `remote_servers`, or a macro of the server's own, such as `{cluster}`. */
function clickhouseCluster(reader: Reader): string | null {
  const name = reader.text('CLICKHOUSE_CLUSTER', '');
  if (name === '') return null;
  if (!/^(\{\w+\}|[\w.-]+)$/.test(name)) {
    reader.wrong('CLICKHOUSE_CLUSTER', `'${name}': expected a cluster's name, or a macro such as {cluster}`);
  }
  if (reader.text('CLICKHOUSE_URL', '') + reader.text('CLICKHOUSE_URL_FILE', '') === '') {
    reader.wrong(
      'CLICKHOUSE_CLUSTER',
      'the embedded engine is no cluster: set CLICKHOUSE_URL, or unset this',
    );
  }
  return name;
}

function roles(reader: Reader): readonly Role[] {
  const named = reader
    .text('ROLE', 'all')
    .split(',')
    .map((each) => each.trim().replaceAll('_', '-').toLowerCase())
    .filter((each) => each !== '');
  const unknown = named.filter((each) => each !== 'all' && !ROLES.some((role) => role === each));
  if (unknown.length > 0) {
    reader.wrong('ROLE', `unknown: ${unknown.join(', ')}; expected all, or some of ${ROLES.join(', ')}`);
    return STAGES;
  }
  if (named.includes('all') || STAGES.every((role) => named.includes(role))) return STAGES;
  if (reader.text('KAFKA_BROKERS', '') === '') {
    const part = `'${named.join(',')}' is a part of the services, and one process owns a data directory`;
    reader.wrong('ROLE', `${part}: services apart need KAFKA_BROKERS`);
  } else if (
    named.some((role) => role !== 'connectors') &&
    reader.text('CLICKHOUSE_URL', '') + reader.text('CLICKHOUSE_URL_FILE', '') === ''
  ) {
    reader.wrong('ROLE', 'services apart share one ClickHouse: set CLICKHOUSE_URL');
  }
  return ROLES.filter((role) => named.includes(role));
}

/** Names as connectors.yaml has them; whether it has them is not for a variable to know. */
function connectors(reader: Reader, hosted: readonly Role[]): readonly string[] {
  const text = reader.text('CONNECTORS', '').toLowerCase();
  const names = [...new Set(text.split(',').map((each) => each.trim()))].filter((each) => each !== '');
  if (hosted.includes('connectors') && names.length === 0) {
    reader.wrong('CONNECTORS', 'ROLE=connectors follows what this names: set it, such as caiso,miso');
  }
  if (hosted === STAGES || hosted.includes('connectors')) return names;
  if (names.length > 0) reader.warn('CONNECTORS', 'has no effect: ROLE does not name connectors');
  return [];
}

function logLevel(reader: Reader): Environment['logLevel'] {
  const level = reader.text('LOG_LEVEL', 'info').toLowerCase();
  const found = LOG_LEVELS.find((each) => each === level || (each === 'warn' && level === 'warning'));
  if (found === undefined) reader.wrong('LOG_LEVEL', `'${level}': expected one of ${LOG_LEVELS.join(', ')}`);
  return found ?? 'info';
}

function ports(reader: Reader): Record<Role, number> {
  const found = { ...PORTS };
  for (const role of ROLES) {
    found[role] = reader.port(`PORT_${role.replaceAll('-', '_').toUpperCase()}`, PORTS[role]);
  }
  const taken = new Map<number, Role>();
  for (const role of ROLES) {
    const port = found[role];
    const other = taken.get(port);
    if (port !== 0 && other !== undefined) {
      reader.wrong(`PORT_${role.replaceAll('-', '_').toUpperCase()}`, `${port} is also the port of ${other}`);
    }
    taken.set(port, role);
  }
  return found;
}
