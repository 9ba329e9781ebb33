// What the rows share: one Kafka broker, one ClickHouse and one Redis of this run, and the product in two
// processes over them, enrichment apart, so that it can be stopped, scaled and given workers on its own. All
// ports are free ones of loopback and stay the same over restarts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafkaLog } from '../../../runtime/log/kafka.ts';
import type { Log } from '../../../runtime/log/log.ts';
import { SERVICES } from '../../../runtime/services.ts';
import type { StageName } from '../../../runtime/views.ts';
import type { ClickHouse } from '../../../sinks/clickhouse.ts';
import type { EmbeddedEngine } from '../../../sinks/clickhouse-embedded.ts';
import type { OracleBar } from '../../oracle/bars.ts';
import { barDifferences } from '../../support/against-oracle.ts';
import { clientOf, startEngine } from '../../support/engine.ts';
import { freePorts } from '../../support/free-ports.ts';
import { countOf, rowsOf } from '../../support/gold.ts';
import { type KafkaServer, kafkaJars, startKafka } from '../../support/kafka.ts';
import { kafkaOptions } from '../../support/kafka-log.ts';
import { Product, type ProductWish } from '../../support/product.ts';
import { type Family, parsePrometheus } from '../../support/prometheus.ts';
import type { TestRedis } from '../../support/redis.ts';
import { canMount, type SmallDisk, smallDisk } from '../../support/tmpfs.ts';
import { readTopics, topicFaults } from '../../support/topics.ts';
import { until } from '../../support/until.ts';
import { Feeder } from './feeder.ts';
import { Workstation } from './workstation.ts';

const MINUTES = 60_000;
const DISK = '1500m';
/** A machine may be very busy. */
const READY_MS_MAX = 4 * MINUTES;
const GROUPS = ['aggregation-rebuilder', ...SERVICES.map(({ group }) => group)] as const;
const OTHERS = SERVICES.map(({ name }) => name).filter((name) => name !== 'enrichment');
/** As docker-compose.yml starts it. */
const REDIS_WORDS = ['--maxmemory', '512mb', '--maxmemory-policy', 'allkeys-lru'];

export interface Health {
  readonly code: number;
  readonly status: string;
  readonly cause: string | null;
  readonly dependencies: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'carbon-runbook-'));
  readonly #redis: TestRedis;
  readonly #ports = new Map<StageName, number>();
  readonly #enrichment: Product[] = [];
  /** Besides that of the main process. */
  readonly #normalization: Product[] = [];
  #disk: SmallDisk | null = null;
  #kafka: KafkaServer | null = null;
  #engine: EmbeddedEngine | null = null;
  #clickhouse: ClickHouse | null = null;
  #main: Product | null = null;
  #station: Workstation | null = null;
  #feeder: Feeder | null = null;
  #enginePorts: readonly number[] = [];

  constructor(redis: TestRedis) {
    this.#redis = redis;
  }

  async start(): Promise<void> {
    if (canMount) this.#disk = smallDisk(DISK);
    const ports = freePorts(SERVICES.length + 2);
    for (const [n, { name }] of SERVICES.entries()) this.#ports.set(name, ports[n] ?? 0);
    this.#enginePorts = ports.slice(SERVICES.length);
    const [kafka] = await Promise.all([startKafka({ nodes: 1 }), this.startClickHouse(), this.startRedis()]);
    this.#kafka = kafka;
    this.#feeder = new Feeder(kafka.brokers);
    const redisPort = Number(new URL(this.#redis.url).port);
    const services = new Map(SERVICES.map(({ name, port }) => [port, this.portOf(name)]));
    const [clickhousePort = 0] = this.#enginePorts;
    const jars = await kafkaJars();
    this.#station = new Workstation({ jars, kafka: kafka.brokers, clickhousePort, redisPort, services });
    this.#main = await started({
      dir: join(this.dir, 'main'),
      env: this.env({ ROLE: OTHERS.join(',') }),
    });
    await this.addEnrichment();
  }

  async stop(): Promise<void> {
    for (const each of [...this.#normalization, ...this.#enrichment, this.#main])
      await each?.[Symbol.asyncDispose]();
    await this.#feeder?.log.close();
    await this.#kafka?.stop();
    await this.stopClickHouse();
    this.#station?.[Symbol.dispose]();
    this.#disk?.[Symbol.dispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get kafka(): KafkaServer {
    return got(this.#kafka, 'Kafka');
  }

  get redis(): TestRedis {
    return this.#redis;
  }

  get clickhouse(): ClickHouse {
    return got(this.#clickhouse, 'ClickHouse');
  }

  get engine(): EmbeddedEngine {
    return got(this.#engine, 'ClickHouse');
  }

  /** Small, where this machine may mount one; else null. */
  get disk(): SmallDisk | null {
    return this.#disk;
  }

  /** Whether this machine can give ClickHouse a disk that is filled. */
  get canFill(): boolean {
    return canMount;
  }

  get station(): Workstation {
    return got(this.#station, 'the workstation');
  }

  get feeder(): Feeder {
    return got(this.#feeder, 'the feeder');
  }

  /** Every service but enrichment. */
  get main(): Product {
    return got(this.#main, 'the product');
  }

  /** Of the first process of enrichment the port is that of the service. */
  get enrichment(): readonly Product[] {
    return this.#enrichment;
  }

  portOf(name: StageName): number {
    return this.#ports.get(name) ?? 0;
  }

  /** Variables of a process over the servers of this run. */
  env(more: Readonly<Record<string, string>>): Record<string, string> {
    const ports = SERVICES.map(({ name }) => [
      `PORT_${name.replaceAll('-', '_').toUpperCase()}`,
      String(this.portOf(name)),
    ]);
    return {
      ...Object.fromEntries(ports),
      KAFKA_BROKERS: this.kafka.brokers,
      CLICKHOUSE_URL: `http://127.0.0.1:${this.#enginePorts[0]}`,
      REDIS_URL: this.#redis.url,
      ...more,
    };
  }

  async startClickHouse(): Promise<void> {
    const [http = 0, tcp = 0] = this.#enginePorts;
    this.#engine = await startEngine(this.#disk?.path ?? join(this.dir, 'clickhouse'), http, tcp);
    this.#clickhouse = clientOf(this.#engine);
  }

  startRedis(): Promise<void> {
    return this.#redis.start(REDIS_WORDS);
  }

  async stopClickHouse(): Promise<void> {
    await this.#clickhouse?.close();
    await this.#engine?.stop();
  }

  /** One more process of enrichment. */
  async addEnrichment(more: Readonly<Record<string, string>> = {}): Promise<Product> {
    const n = this.#enrichment.length;
    const port: Record<string, string> = n === 0 ? {} : { PORT_ENRICHMENT: '0' };
    const env = this.env({ ROLE: 'enrichment', ...port, ...more });
    const product = await started({ dir: join(this.dir, `enrichment-${n}`), env });
    this.#enrichment.push(product);
    return product;
  }

  /** The last process of enrichment leaves as for a rollout. */
  async removeEnrichment(): Promise<void> {
    const product = got(this.#enrichment.pop() ?? null, 'enrichment');
    const code = await product.stop();
    if (code !== 0) throw new Error(`enrichment left with ${code}`);
  }

  async addNormalization(): Promise<void> {
    const env = this.env({ ROLE: 'normalization', PORT_NORMALIZATION: '0' });
    const dir = join(this.dir, `normalization-${this.#normalization.length}`);
    this.#normalization.push(await started({ dir, env }));
  }

  async removeNormalization(): Promise<void> {
    const code = await this.#normalization.pop()?.stop();
    if (code !== 0) throw new Error(`normalization left with ${code}`);
  }

  async stopMain(): Promise<void> {
    const code = await this.main.stop();
    if (code !== 0) throw new Error(`the product left with ${code}`);
  }

  async restartMain(): Promise<void> {
    const env = this.env({ ROLE: OTHERS.join(',') });
    this.#main = await started({ dir: join(this.dir, 'main'), env });
  }

  async health(name: StageName): Promise<Health> {
    const url = `http://127.0.0.1:${this.portOf(name)}/health`;
    const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
    return { ...JSON.parse(await response.text()), code: response.status };
  }

  async status(name: StageName, path: string): Promise<number> {
    return (await fetch(`http://127.0.0.1:${this.portOf(name)}${path}`)).status;
  }

  async metrics(name: StageName): Promise<ReadonlyMap<string, Family>> {
    const response = await fetch(`http://127.0.0.1:${this.portOf(name)}/metrics`);
    return parsePrometheus(await response.text());
  }

  /** A reader that begins now, and so knows every partition that there is. */
  async reading<T>(work: (log: Log) => Promise<T>): Promise<T> {
    const log = openKafkaLog(kafkaOptions(this.kafka.brokers, { worker: 'reader' }));
    try {
      return await work(log);
    } finally {
      await log.close();
    }
  }

  /** Records that a group has still to read, as the log tells. */
  async lag(group: string, log: Log = this.feeder.log): Promise<number> {
    return (await log.lag(group)).reduce((sum, each) => sum + each.lag, 0);
  }

  /** Waits until everything that was fed stands in ClickHouse. */
  async settled(boundMs = 3 * MINUTES): Promise<void> {
    // A row that failed half-way must not be the end of those after it.
    if (this.#enrichment.length === 0) await this.addEnrichment();
    const { count } = this.feeder;
    const silver = () => countOf(this.clickhouse, 'silver_normalized_market_data').catch(() => -1);
    await until(`${count} ticks in silver`, async () => (await silver()) >= count, boundMs);
    const behind = async (log: Log): Promise<boolean> => {
      // In the order of the pipeline: what is done stays done.
      for (const group of [...SERVICES.map((each) => each.group), ...GROUPS]) {
        if ((await this.lag(group, log)) > 0) return true;
      }
      return false;
    };
    await this.reading((log) =>
      until('no lag in any group', async () => !(await behind(log).catch(() => true)), boundMs),
    );
  }

  /** What is wrong in the tables and on the topics, as sentences: nothing lost, nothing twice, in order. */
  async faults(): Promise<string[]> {
    await this.settled();
    const instruments = this.feeder.instruments();
    const bars = await barDifferences(
      open(rowsOf<OracleBar>(this.clickhouse, 'gold_ohlc_bars')),
      instruments,
    );
    const silver = await countOf(this.clickhouse, 'silver_normalized_market_data');
    const lost = silver === this.feeder.count ? [] : [`silver has ${silver} of ${this.feeder.count}`];
    const topics = await this.reading(readTopics);
    // Of what was spoiled on purpose nothing follows.
    const raw = topics.raw.filter(({ value }) => value.price !== undefined);
    return [...lost, ...bars, ...topicFaults({ ...topics, raw })];
  }
}

/** No calendar is told here, so that the last bars are not final yet; all else is compared. */
async function* open(rows: AsyncIterable<OracleBar>): AsyncIterable<OracleBar> {
  for await (const each of rows) yield { ...each, final: true };
}

async function started(wish: ProductWish): Promise<Product> {
  const product = new Product(wish);
  try {
    await product.line('ready', (line) => line.event === 'ready', READY_MS_MAX);
    return product;
  } catch (error) {
    await product[Symbol.asyncDispose]();
    throw error;
  }
}

function got<T>(of: T | null, what: string): T {
  if (of === null) throw new Error(`${what} does not run`);
  return of;
}
