// What a round of the soak stands on: a Kafka cluster, a ClickHouse with the schema, a proxy before each, a
// market that goes on publishing while the pipeline keeps up, and a look at how far everybody is. All of it
// is new for each round and ends with it.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markets } from '../../actors/feeds/markets.ts';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import type { Log } from '../../runtime/log/log.ts';
import { type GroupName, SERVICES, TOPIC, topicSpecs } from '../../runtime/services.ts';
import type { EmbeddedEngine } from '../../sinks/clickhouse-embedded.ts';
import { migrate } from '../../sinks/migrations.ts';
import { type Bench, openBench } from '../support/bench.ts';
import { configDir, edited, SHIPPED, textOf } from '../support/config-dir.ts';
import { clientOf, startEngine } from '../support/engine.ts';
import { type KafkaServer, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { Others, type OthersWish } from '../support/others.ts';
import { TcpProxy } from '../support/proxy.ts';
import { randomOf } from '../support/random.ts';
import { until } from '../support/until.ts';
import { fedFrom, Market } from './market.ts';

const MINUTES = 60_000;
const PARTITIONS = 8;
const PACE: Pace = { everyMs: 2_500, lagMax: 20_000 };
const LATE_MS = 3_000;
export const SESSION_MS = 6_000;
const GROUPS: readonly GroupName[] = [...SERVICES.map(({ group }) => group), 'aggregation-rebuilder'];

interface Pace {
  readonly everyMs: number;
  /** Records that the groups may have to read before the market waits for them. */
  readonly lagMax: number;
}

export interface BedWish {
  readonly nodes: 1 | 3;
  readonly seed: number;
}

export class Bed {
  readonly draw: () => number;
  readonly market: Market;
  readonly clickhouse: ReturnType<typeof clientOf>;
  readonly #ends: (() => Promise<void>)[] = [];
  #publishing: Promise<void> = Promise.resolve();
  #feeder: Bench | null = null;
  #stop = new AbortController();
  /** How the market publishes, where it is not as ever. */
  pace: Pace | null = null;

  private constructor(
    readonly dir: string,
    readonly server: KafkaServer,
    readonly kafkaProxy: KafkaProxy,
    readonly clickhouseServer: { engine: EmbeddedEngine },
    readonly clickhouseProxy: TcpProxy,
    /** Looks past the proxies. */
    readonly log: Log,
    readonly configs: ReturnType<typeof configDir>,
    seed: number,
  ) {
    this.draw = randomOf(seed);
    this.market = new Market(join(dir, 'market.json'), seed);
    this.clickhouse = clientOf(clickhouseServer.engine);
  }

  static async open({ nodes, seed }: BedWish): Promise<Bed> {
    const dir = mkdtempSync(join(tmpdir(), 'carbon-soak-'));
    const kafkaProxy = await KafkaProxy.start(LATE_MS);
    const listeners = [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertised: kafkaProxy.port } as const];
    const server = await startKafka(nodes === 1 ? { nodes, security: { listeners } } : { nodes });
    if (nodes === 1) kafkaProxy.to = Number(server.listener('PROXIED').split(':')[1]);
    mkdirSync(engineDirOf(dir));
    const engine = { engine: await startEngine(engineDirOf(dir)) };
    const clickhouseProxy = await TcpProxy.start('pass', () => engine.engine.httpPort);
    const log = openKafkaLog(kafkaOptions(server.brokers, { worker: 'looks' }));
    const bed = new Bed(dir, server, kafkaProxy, engine, clickhouseProxy, log, quickConfigs(), seed);
    await migrate(bed.clickhouse, null);
    await log.bootstrap(
      topicSpecs(
        markets.map(({ market }) => market),
        PARTITIONS,
        3_600_000 * 168,
      ),
    );
    return bed;
  }

  /** What processes of the product are told: the way through the proxies. */
  get brokers(): string {
    return this.server.nodes.length === 1 ? `127.0.0.1:${this.kafkaProxy.port}` : this.server.brokers;
  }

  get engineDir(): string {
    return engineDirOf(this.dir);
  }

  get clickhouseUrl(): string {
    return `http://127.0.0.1:${this.clickhouseProxy.port}`;
  }

  /** Processes of the product, which end with the bed. */
  others(more: Partial<OthersWish> = {}): Others {
    const { brokers, clickhouseUrl, dir, draw } = this;
    const env = { CONFIG_DIR: this.configs.path, NODE_NO_WARNINGS: '1', ...more.env };
    const others = new Others({ brokers, clickhouseUrl, dir, draw, ...more, env });
    this.ends(() => others.stop());
    return others;
  }

  /** Called when the bed is closed, before the servers go. */
  ends(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  /** The market publishes until `quiet`, as fast as the groups follow. */
  publish(): void {
    this.#publishing = (async () => {
      while (!this.#stop.signal.aborted) {
        const lag = await this.lag().catch(() => null);
        const { everyMs, lagMax } = this.pace ?? PACE;
        if (lag === null || lag < lagMax) this.market.publish();
        await Bun.sleep(everyMs);
      }
    })();
  }

  /** No more is published, and nobody feeds: the judge does the rest. */
  async quiet(): Promise<void> {
    this.#stop.abort();
    await this.#publishing;
    this.market.end();
    await this.#feeder?.close();
    this.#feeder = null;
  }

  /** Feeds what is published from here, so that what happens to members does not happen to connectors. */
  async feed(): Promise<void> {
    if (this.#feeder !== null) return;
    const log = openKafkaLog(kafkaOptions(this.server.brokers, { worker: 'feeds' }));
    const clickhouseUrl = this.clickhouseServer.engine.url;
    const feeder = await openBench({ dir: join(this.dir, 'feeds'), log, clickhouseUrl, roles: new Set() });
    this.#feeder = feeder;
    const responses = fedFrom(this.market.file);
    const wish = { name: 'market', responses, speed: null, chunkMax: 500, responseDone: () => {} };
    feeder.pipeline.replay(wish).catch((error) => console.log(`the feeder ended: ${error}`));
  }

  /** Records that somebody has still to read, over all groups. */
  async lag(): Promise<number> {
    let sum = 0;
    for (const group of GROUPS) for (const { lag } of await this.log.lag(group)) sum += lag;
    return sum;
  }

  /** What waits to be read, by group and partition. */
  async behind(): Promise<string[]> {
    const found: string[] = [];
    for (const group of GROUPS) {
      for (const { topic, partition, committed, end, lag } of await this.log.lag(group)) {
        if (lag > 0) found.push(`${group} ${topic}/${partition}: ${committed} of ${end}`);
      }
    }
    return found;
  }

  /** Sum of the ends of a topic. */
  async written(topic: string): Promise<number> {
    let sum = 0;
    const spec = (await this.log.topics()).find(({ name }) => name === topic);
    for (let partition = 0; partition < (spec?.partitions ?? 0); partition += 1) {
      sum += await this.log.end({ topic, partition });
    }
    return sum;
  }

  /** Resolves when more bars are on their topic; says what stands where that is late. */
  async progress(what: string, minutes = 4): Promise<void> {
    const bars = (): Promise<number | null> => this.written(TOPIC.bars).catch(() => null);
    const look = async (): Promise<void> => {
      const from = await until('an end of bars', async () => ((await bars()) ?? -1) + 1, minutes * MINUTES);
      await until('more bars', async () => ((await bars()) ?? -1) + 1 > from, minutes * MINUTES);
    };
    await this.within(look(), `bars ${what}`, minutes);
  }

  /** Resolves when it holds; says what stands where that is late. */
  met(what: string, holds: () => Promise<boolean>, minutes: number): Promise<unknown> {
    // Who cannot be asked now can be asked later.
    const look = () => holds().catch(() => false);
    return this.within(until('it', look, minutes * MINUTES), what, minutes);
  }

  /** Throws with what waits to be read when the work takes longer. */
  async within<T>(work: Promise<T>, what: string, minutes: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`not within ${minutes} minutes`)),
      minutes * MINUTES,
    );
    try {
      return await Promise.race([work, late.promise]);
    } catch (error) {
      const stands = await this.behind().catch((cause) => [`the log does not answer: ${cause}`]);
      throw new Error(`${what}: ${error instanceof Error ? error.message : error}; ${stands.join('; ')}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#publishing.catch(() => {});
    if (this.#feeder !== null) await Promise.race([this.#feeder.close().catch(() => {}), Bun.sleep(10_000)]);
    for (const end of this.#ends.splice(0)) await end();
    this.kafkaProxy.close();
    this.clickhouseProxy.close();
    await Promise.race([this.log.close().catch(() => {}), Bun.sleep(10_000)]);
    await this.clickhouse.close();
    await this.clickhouseServer.engine.stop();
    await this.server.stop();
    this.configs[Symbol.dispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const engineDirOf = (dir: string): string => join(dir, 'engine');

/** As shipped, but who is gone is noticed soon. */
function quickConfigs(): ReturnType<typeof configDir> {
  let text = textOf(SHIPPED, 'runtime');
  for (const [key, shipped, quick] of [
    ['session_timeout_ms', 10_000, SESSION_MS],
    ['rebalance_timeout_ms', 30_000, 10_000],
    ['transaction_timeout_ms', 30_000, 20_000],
    ['request_timeout_ms', 10_000, 5_000],
    ['layout_poll_ms', 10_000, 2_000],
  ] as const) {
    text = edited(text, `${key}: ${shipped}\n`, `${key}: ${quick}\n`);
  }
  return configDir(SHIPPED, { runtime: text });
}
