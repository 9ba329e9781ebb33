// A real Apache Kafka for tests: the broker's jars from Maven Central, kept in the user's cache, and KRaft
// clusters of one or three nodes on free loopback ports in a directory of their own. Nodes end by SIGKILL:
// the last one without a quorum would ignore SIGTERM for minutes.

import { existsSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { until } from './until.ts';

const VERSION = '4.3.1';
const LIBRARIES = [
  ['org.apache.kafka', 'kafka_2.13', VERSION],
  ['org.apache.kafka', 'kafka-tools', VERSION],
  ['org.slf4j', 'slf4j-simple', '1.7.36'],
] as const;
const START_MS_MAX = 240_000;
const JVM = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** Why this machine cannot run it; null when it can. */
export function kafkaMissing(): string | null {
  const missing = ['java', 'mvn'].filter((tool) => Bun.which(tool) === null);
  return missing.length === 0
    ? null
    : `${missing.join(' and ')} not installed: Kafka needs Java 17 and Maven`;
}

/** The broker's and the tools' jars, fetched once for this user. Throws when Maven cannot. */
export async function kafkaJars(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'carbon-ingestion');
  const dir = join(cache, `kafka-${VERSION}-tools`);
  if (existsSync(dir)) return dir;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'fetch-'));
  const dependencies = LIBRARIES.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>
<version>${version}</version></dependency>`,
  );
  const project = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>${dependencies.join('')}</dependencies></project>`;
  writeFileSync(join(work, 'pom.xml'), project);
  const jars = join(work, 'jars');
  const words = ['mvn', '-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`];
  const fetched = Bun.spawnSync(words, { cwd: work });
  if (fetched.exitCode !== 0) throw new Error(`Maven: ${fetched.stdout.toString().slice(0, 2_000)}`);
  if (!existsSync(dir)) renameSync(jars, dir);
  rmSync(work, { recursive: true, force: true });
  return dir;
}

/** A listener besides the plain one, such as `{ name: 'LOGIN', protocol: 'SASL_SSL' }`. */
export interface Listener {
  readonly name: string;
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_SSL';
  /** Port that clients are told instead of its own, such as that of a proxy before it. */
  readonly advertised?: number;
}

/** Listeners besides the plain one, and what they need. */
export interface KafkaSecurity {
  readonly listeners: readonly Listener[];
  readonly settings: Readonly<Record<string, string>>;
  /** Words for the formatting of the disk, such as users of SCRAM. */
  readonly format: readonly string[];
}

export interface KafkaOptions {
  readonly nodes: 1 | 3;
  /** Settings of the server besides those of the tests. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Of a single node. */
  readonly security?: Partial<KafkaSecurity>;
}

export interface KafkaNode {
  readonly port: number;
  /** Where its topics are. */
  readonly data: string;
  readonly pid: number | null;
  kill(): Promise<void>;
  /** Starts it again on its data; resolves when it answers. */
  start(): Promise<void>;
}

export interface KafkaServer {
  readonly brokers: string;
  readonly nodes: readonly KafkaNode[];
  /** Address of a listener besides the plain one, as it listens. */
  listener(name: string): string;
  /** Runs a stock tool by its class, such as `TopicCommand`. Throws for an exit code not in `good`. */
  tool(main: string, words: readonly string[], good?: readonly number[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startKafka(options: KafkaOptions): Promise<KafkaServer> {
  const { nodes: count, settings = {} } = options;
  const security = { ...OPEN, ...options.security };
  const jars = await kafkaJars();
  const dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-'));
  const ports = freePorts(count * 2 + security.listeners.length);
  const places = Array.from({ length: count }, (_, n) => ({
    id: n + 1,
    port: ports[n * 2] ?? 0,
    controllerPort: ports[n * 2 + 1] ?? 0,
  }));
  const listeners = security.listeners.map((each, n) => ({ ...each, port: ports[count * 2 + n] ?? 0 }));
  const voters = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(',');
  const classpath = join(jars, '*');
  const nodes = places.map((place) => {
    const home = join(dir, `node-${place.id}`);
    mkdirSync(home);
    const file = join(home, 'server.properties');
    const own = serverSettings(place, voters, count, join(home, 'data'), listeners);
    const all = { ...own, ...security.settings, ...settings };
    writeFileSync(
      file,
      Object.entries(all)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    return node(home, file, place.port, classpath);
  });
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((each) => each.kill()));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await Promise.all(nodes.map((each) => each.format(security.format)));
    await Promise.all(nodes.map((each) => each.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  const brokers = places.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    brokers,
    nodes,
    listener: (name) => `127.0.0.1:${listeners.find((each) => each.name === name)?.port}`,
    stop,
    tool: (main, words, good) => runTool(classpath, main, words, good),
  };
}

const OPEN: KafkaSecurity = { listeners: [], settings: {}, format: [] };

interface Place {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
}

function serverSettings(
  place: Place,
  voters: string,
  count: number,
  data: string,
  listeners: readonly (Listener & { readonly port: number })[],
) {
  const more = listeners.map(({ name, port }) => `,${name}://127.0.0.1:${port}`).join('');
  const told = listeners.map(({ name, port, advertised = port }) => `,${name}://127.0.0.1:${advertised}`);
  const protocols = listeners.map(({ name, protocol }) => `,${name}:${protocol}`).join('');
  const own = `PLAINTEXT://127.0.0.1:${place.port},CONTROLLER://127.0.0.1:${place.controllerPort}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': place.id,
    listeners: own + more,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${place.port}${told.join('')}`,
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': voters,
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': 5,
    'offsets.topic.replication.factor': count,
    'transaction.state.log.num.partitions': 5,
    'transaction.state.log.replication.factor': count,
    'transaction.state.log.min.isr': count === 1 ? 1 : 2,
    'group.initial.rebalance.delay.ms': 0,
    'leader.imbalance.check.interval.seconds': 3,
    'leader.imbalance.per.broker.percentage': 1,
    'broker.session.timeout.ms': 6_000,
    'log.cleaner.dedupe.buffer.size': 8_388_608,
  };
}

function node(home: string, file: string, port: number, classpath: string) {
  let child: Bun.Subprocess | null = null;
  let starts = 1;
  const output = join(home, 'output.log');
  return {
    port,
    data: join(home, 'data'),
    get pid(): number | null {
      return child?.pid ?? null;
    },
    async format(more: readonly string[]): Promise<void> {
      const words = ['format', '-t', 'dGVzdHMtb2YtY2FyYm9uMQ', '-c', file, ...more];
      await runTool(classpath, 'kafka.tools.StorageTool', words);
    },
    async start(): Promise<void> {
      const out = openSync(output, 'a');
      const words = ['java', ...JVM, '-cp', classpath, 'kafka.Kafka', file];
      const started = Bun.spawn(words, { cwd: home, stdin: 'ignore', stdout: out, stderr: out });
      child = started;
      await until(
        `Kafka on ${port} (${output})`,
        async () => {
          if (started.exitCode !== null) throw new Error(`Kafka left: ${await tail(output)}`);
          return (await Bun.file(output).text()).split('Kafka Server started').length > starts;
        },
        START_MS_MAX,
      );
      starts += 1;
    },
    async kill(): Promise<void> {
      child?.kill('SIGKILL');
      await child?.exited;
      child = null;
    },
  };
}

async function tail(path: string): Promise<string> {
  return (await Bun.file(path).text()).slice(-2_000);
}

async function runTool(
  classpath: string,
  main: string,
  words: readonly string[],
  good: readonly number[] = [0],
): Promise<string> {
  const name = main.startsWith('kafka.') ? main : `org.apache.kafka.tools.${main}`;
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
  const tool = Bun.spawn(['java', ...JVM, quiet, '-cp', classpath, name, ...words], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, complaints] = await Promise.all([tool.stdout.text(), tool.stderr.text(), tool.exited]);
  if (!good.includes(tool.exitCode ?? -1)) throw new Error(`${main} ${words.join(' ')}: ${out}${complaints}`);
  return out;
}
