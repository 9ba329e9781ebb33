// Connections to the brokers, and who leads what: metadata is kept for a few seconds, coordinators until a
// request fails. A broker that has just come back may not know a topic yet, or not all of its partitions:
// kept for good, such an answer would be believed for good, since nobody asks for what is not there. One
// request is under way on a connection at a time (that is how brokers read them), so whoever must not wait
// for others has a cluster of its own.

import Broker from 'kafkajs/src/broker/index.js';
import { createLogger } from 'kafkajs/src/loggers/index.js';
import ConnectionPool from 'kafkajs/src/network/connectionPool.js';
import { dropWhenBroken, exchange, type Request, tellingWhenClosed } from './kafka-exchange.ts';
import { asKafkaFault } from './kafka-fault.ts';
import { type Address, type Metadata, metadataRequest } from './kafka-metadata.ts';
import { DESCRIBE_CLUSTER, registeredRequest, WITH_AWAY } from './kafka-registered.ts';
import type { TopicPartition } from './log.ts';

export interface KafkaConnection {
  /** `host:port` of some brokers; the others are found through them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  } | null;
  /** A request unanswered for this long has failed, and its connection with it. */
  readonly requestTimeoutMs: number;
}

export interface Node {
  readonly broker: Broker;
  send<T>(request: Request<T>): Promise<T>;
}

interface Opened {
  readonly node: Node;
  readonly close: () => void;
  /** A connection that never stood does not break. */
  stood: boolean;
}

const CONNECT_MS_MAX = 3_000;
const METADATA_MS_MAX = 5_000;
/** With a topic missing that was asked for. */
const METADATA_MS_MAX_PARTIAL = 250;
const silent = createLogger({ level: 0, logCreator: () => () => {} });

export class KafkaCluster {
  readonly #options: KafkaConnection;
  readonly #nodes = new Map<string, Opened>();
  readonly #topics = new Set<string>();
  readonly #coordinators = new Map<string, Promise<Address>>();
  /** As a broker last told them. */
  #addresses: readonly Address[] = [];
  #metadata: Promise<Metadata> | null = null;
  /** Until when it is believed, as `performance.now` has it. */
  #believedTo = 0;
  #closed = false;
  /** How often a connection broke: the broker may have come back without what it was about to do. */
  breaks = 0;
  /** Called after each of them. */
  readonly broke = new Set<() => void>();

  constructor(options: KafkaConnection) {
    this.#options = options;
  }

  get target(): string {
    return this.#options.brokers.join(',');
  }

  /** Runs a request; a failure forgets who leads what, and is thrown as a LogFault. */
  async use<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof RangeError) throw error;
      this.stale();
      throw asKafkaFault(error, what, this.target);
    }
  }

  /** The broker that leads a partition. Throws when there is no such partition or no leader now. */
  async leader(of: TopicPartition): Promise<Node> {
    const leaders = await this.#leaders(of.topic);
    const id = leaders[of.partition];
    if (id === undefined) throw new Error(`no partition ${of.topic}/${of.partition}`);
    const address = (await this.#known()).nodes.get(id);
    if (address === undefined) throw new Error(`${of.topic}/${of.partition} has no leader now`);
    return this.node(address);
  }

  /** Number of partitions; 0: there is no such topic. */
  async partitions(topic: string): Promise<number> {
    return (await this.#leaders(topic)).length;
  }

  async coordinator(kind: 'group' | 'transaction', id: string): Promise<Node> {
    const key = `${kind}/${id}`;
    const found = this.#coordinators.get(key) ?? this.#findCoordinator(kind, id);
    this.#coordinators.set(key, found);
    return this.node(await found);
  }

  async controller(): Promise<Node> {
    const { controller, nodes } = await this.#known();
    const address = nodes.get(controller);
    return address === undefined ? this.any() : this.node(address);
  }

  /** Any broker that answers: those known first, then the configured ones. */
  async any(): Promise<Node> {
    const configured = this.#options.brokers.map((each) => {
      const cut = each.lastIndexOf(':');
      return { host: each.slice(0, cut), port: Number(each.slice(cut + 1)) };
    });
    let failure: unknown = new Error('no broker is configured');
    for (const address of [...this.#addresses, ...configured]) {
      try {
        return await this.node(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** The broker there, connected. */
  async node({ host, port }: Address): Promise<Node> {
    if (this.#closed) throw new Error('the log is closed');
    const key = `${host}:${port}`;
    const found = this.#nodes.get(key) ?? this.#open(host, port, key);
    try {
      await found.node.broker.connect();
      // It may have been given up meanwhile, and has connected anew.
      if (this.#nodes.get(key) !== found) throw new Error(`the connection to ${key} was given up`);
    } catch (error) {
      if (this.#nodes.get(key) === found) this.#drop(key);
      else found.close();
      throw error;
    }
    found.stood = true;
    return found.node;
  }

  /** Every broker that answers. */
  async reachable(): Promise<readonly Node[]> {
    const { nodes } = await (await this.any()).send(metadataRequest([]));
    const asked = await Promise.allSettled([...nodes.values()].map((address) => this.node(address)));
    return asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  }

  /** Brokers that belong to it, those that are away included; before Kafka 4 those that are up. */
  async registered(): Promise<number> {
    const node = await this.any();
    const { maxVersion = 0 } = node.broker.versions?.[DESCRIBE_CLUSTER] ?? {};
    if (maxVersion >= WITH_AWAY) return node.send(registeredRequest());
    return (await node.send(metadataRequest([]))).nodes.size;
  }

  /** Addresses that it was told of. */
  get named(): number {
    return this.#options.brokers.length;
  }

  /** Names of all topics but Kafka's own, as a broker answers now. */
  async topics(): Promise<readonly string[]> {
    const { leaders } = await (await this.any()).send(metadataRequest(null));
    return [...leaders.keys()].filter((name) => !name.startsWith('__'));
  }

  /** Numbers of partitions as a broker answers now; topics that do not exist are left out. */
  async counts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (topics.length === 0) return new Map();
    const { leaders } = await (await this.any()).send(metadataRequest(topics));
    return new Map([...leaders].map(([topic, found]) => [topic, found.length]));
  }

  /** Copies of topics as a broker answers now; topics that do not exist are left out. */
  async copies(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (topics.length === 0) return new Map();
    return (await (await this.any()).send(metadataRequest(topics))).copies;
  }

  get closed(): boolean {
    return this.#closed;
  }

  stale(): void {
    this.#metadata = null;
    this.#coordinators.clear();
  }

  close(): void {
    this.#closed = true;
    for (const key of [...this.#nodes.keys()]) this.#drop(key);
  }

  async #leaders(topic: string): Promise<readonly number[]> {
    if (!this.#topics.has(topic)) {
      this.#topics.add(topic);
      this.#metadata = null;
    }
    return (await this.#known()).leaders.get(topic) ?? [];
  }

  #known(): Promise<Metadata> {
    if (this.#metadata !== null && performance.now() < this.#believedTo) return this.#metadata;
    const asked = this.#ask();
    this.#metadata = asked;
    this.#believedTo = Number.POSITIVE_INFINITY;
    asked.then(
      ({ leaders, nodes }) => {
        this.#addresses = [...nodes.values()];
        const isWhole = [...this.#topics].every((topic) => leaders.has(topic));
        const forMs = isWhole ? METADATA_MS_MAX : METADATA_MS_MAX_PARTIAL;
        if (this.#metadata === asked) this.#believedTo = performance.now() + forMs;
      },
      () => {
        if (this.#metadata === asked) this.#metadata = null;
      },
    );
    return asked;
  }

  async #ask(): Promise<Metadata> {
    this.#metadata = null;
    return (await this.any()).send(metadataRequest([...this.#topics]));
  }

  async #findCoordinator(kind: 'group' | 'transaction', id: string): Promise<Address> {
    const { broker } = await this.any();
    const coordinatorType = kind === 'group' ? 0 : 1;
    return (await broker.findGroupCoordinator({ groupId: id, coordinatorType })).coordinator;
  }

  #open(host: string, port: number, key: string): Opened {
    const { clientId, tls, sasl, requestTimeoutMs } = this.#options;
    const ssl =
      tls === null ? null : Object.fromEntries(Object.entries(tls).filter((each) => each[1] !== null));
    const pool = new ConnectionPool({
      host,
      port,
      clientId,
      ssl,
      // The client writes into it.
      sasl: sasl === null ? null : { ...sasl },
      logger: silent,
      socketFactory: tellingWhenClosed(() => this.#broken(key, opened)),
      connectionTimeout: CONNECT_MS_MAX,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
    });
    const isDropped = (): boolean => this.#nodes.get(key) !== opened;
    dropWhenBroken(pool, key, { drop: () => this.#broken(key, opened), isDropped });
    const broker = new Broker({ connectionPool: pool, logger: silent, allowAutoTopicCreation: false });
    const node = { broker, send: <T>(request: Request<T>) => pool.send(exchange(request)) };
    const opened: Opened = { node, close: () => void pool.destroy().catch(() => {}), stood: false };
    this.#nodes.set(key, opened);
    return opened;
  }

  /** Once for each: those that are closed here are not kept any more by then. */
  #broken(key: string, opened: Opened): void {
    if (this.#nodes.get(key) !== opened) return;
    this.#drop(key);
    if (!opened.stood) return;
    this.breaks += 1;
    for (const each of this.broke) each();
  }

  #drop(key: string): void {
    const opened = this.#nodes.get(key);
    this.#nodes.delete(key);
    opened?.close();
  }
}
