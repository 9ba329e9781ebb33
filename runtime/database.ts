// ClickHouse as the process has it: the embedded engine kept alive as a child, or a server that may be away.
// The schema is migrated as soon as it answers; until then the sink says that it is down, and consumption
// waits.

import { join } from 'node:path';
import { type BackoffPolicy, backoffMs } from '../actors/supervision.ts';
import type { Environment } from '../configs/environment.ts';
import { ClickHouse, clickhouseSink } from '../sinks/clickhouse.ts';
import { startEmbeddedClickHouse } from '../sinks/clickhouse-embedded.ts';
import { migrate } from '../sinks/migrations.ts';
import { Fault, type Sink } from '../sinks/sink.ts';
import { EngineKeeper } from './engine-keeper.ts';
import type { Clock, Draw } from './host.ts';
import { Probe } from './probe.ts';
import { Retries } from './retries.ts';
import type { DependencyView, RecordEvent } from './views.ts';

export interface DatabasePorts {
  readonly clock: Clock;
  readonly draw: Draw;
  readonly record: RecordEvent;
}

export interface DatabaseSettings {
  readonly environment: Pick<Environment, 'clickhouse' | 'dataDir' | 'logDir'>;
  readonly poolSize: number;
  readonly timeoutMs: number;
  readonly backoff: BackoffPolicy;
  /** Hears of queries and inserts that took a second or longer. */
  readonly slow?: (query: string, millis: number) => void;
}

const ENGINE_START_MS_MAX = 60_000;
const SLOW_MS = 1_000;
const ACTOR = 'sinks/clickhouse';
/** A start waits no longer for the schema of a server that hangs. */
const START_MS_MAX = 5_000;
/** Of a process that has no use for it. */
const NOWHERE = 'http://unused.invalid';

export class Database {
  readonly clickhouse: ClickHouse;
  readonly #ports: DatabasePorts;
  readonly #settings: DatabaseSettings;
  readonly #keeper: EngineKeeper | null;
  readonly #target: string;
  readonly #probe: Probe;
  #pending: string | null = 'the schema is not migrated yet';
  #closed = false;
  readonly #retries: Retries;
  /** Nobody waits for the first attempt any more. */
  #started = false;

  private constructor(
    ports: DatabasePorts,
    settings: DatabaseSettings,
    keeper: EngineKeeper | null,
    /** Where it answers; may hold a password. */
    readonly url: string,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#keeper = keeper;
    const { clock, record } = ports;
    const kinds = ['dependency_down', 'dependency_up'] as const;
    const about = { service: 'projection-service', actor: ACTOR, kinds, quietMs: null };
    this.#retries = new Retries({ clock, record, ...about });
    const { poolSize: connectionsMax, timeoutMs: requestTimeoutMs, slow: told = () => {} } = settings;
    this.clickhouse = new ClickHouse({ url, connectionsMax, requestTimeoutMs, slow: { ms: SLOW_MS, told } });
    const target = new URL(url).host;
    this.#target = `${target}/carbon_ingestion`;
    const name = `ClickHouse at ${target}`;
    const well = keeper === null ? 'up' : 'embedded';
    const ask = () => this.clickhouse.ping();
    this.#probe = new Probe({ name, target: this.#target, well, ask }, clock);
  }

  /** Starts the engine where it is embedded. Throws a Fault when it cannot run here or its port is taken. */
  static async open(ports: DatabasePorts, settings: DatabaseSettings): Promise<Database> {
    const { clickhouse, dataDir, logDir } = settings.environment;
    if (clickhouse.kind === 'unused') return new Database(ports, settings, null, NOWHERE);
    if (clickhouse.kind === 'server') return new Database(ports, settings, null, clickhouse.url);
    const start = (httpPort: number, tcpPort: number) =>
      startEmbeddedClickHouse({
        dir: join(dataDir, 'clickhouse'),
        httpPort,
        tcpPort,
        logFile: join(logDir, 'clickhouse-engine.log'),
        startTimeoutMs: ENGINE_START_MS_MAX,
      });
    const keeper = new EngineKeeper({ ...ports, start }, settings.backoff);
    const engine = await keeper.start(clickhouse.httpPort, clickhouse.tcpPort);
    return new Database(ports, settings, keeper, engine.url);
  }

  /**
   * Migrates the schema; a server that hangs or is away is asked again with backoff, in the background.
   * Throws a Fault when the schema was made by another version; found out later, the sink stays down and says
   * so.
   */
  async migrate(): Promise<void> {
    if (this.#settings.environment.clickhouse.kind === 'unused') return;
    const late = new Promise<void>((done) => {
      this.#ports.clock.after(START_MS_MAX, () => {
        this.#started = true;
        done();
      });
    });
    await Promise.race([this.#attempt(), late]);
    this.#started = true;
  }

  /** The sink, which is down until the schema is there. */
  get sink(): Sink {
    const sink = clickhouseSink(this.clickhouse);
    return {
      ...sink,
      write: async (rows, signal) => {
        if (this.#pending !== null) throw new Fault(this.#pending, 'clickhouse_unreachable', true);
        return sink.write(rows, signal);
      },
    };
  }

  async health(): Promise<DependencyView> {
    const down = this.#keeper !== null && this.#keeper.engine === null ? 'the engine process is down' : null;
    const cause = down ?? this.#pending;
    return cause === null ? this.#probe.look() : { status: 'down', target: this.#target, cause };
  }

  get state(): string {
    if (this.#settings.environment.clickhouse.kind === 'unused') return 'unused';
    if (this.#keeper !== null && this.#keeper.engine === null) return 'down';
    return this.#pending === null ? 'running' : 'waiting';
  }

  get enginePid(): number | null {
    return this.#keeper?.engine?.pid ?? null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.clickhouse.close();
    await this.#keeper?.stop();
  }

  async #attempt(attempt = 0): Promise<void> {
    try {
      const { clickhouse } = this.#settings.environment;
      const cluster = clickhouse.kind === 'server' ? clickhouse.cluster : null;
      const applied = await migrate(this.clickhouse, cluster);
      this.#pending = null;
      this.#retries.passed(ACTOR);
      if (applied.length > 0) this.#event('note', `migrations: ${applied.join(', ')}`, 'applied');
    } catch (error) {
      if (this.#closed) return;
      const fault = error instanceof Fault ? error : null;
      this.#pending = error instanceof Error ? error.message : String(error);
      if (fault?.code === 'clickhouse_migration_changed') {
        if (!this.#started) throw error;
        this.#event('dependency_down', this.#pending, 'not asked again: this needs a person');
        return;
      }
      const delayMs = backoffMs(this.#settings.backoff, attempt, this.#ports.draw());
      const decision = `asked again in ${delayMs} ms, and so on; input waits`;
      this.#retries.failed(ACTOR, this.#pending, decision);
      this.#ports.clock.after(delayMs, () => void this.#attempt(attempt + 1));
    }
  }

  #event(kind: 'note' | 'dependency_down', cause: string, decision: string): void {
    const about = { service: 'projection-service', actor: ACTOR, budget_left: null };
    this.#ports.record({ kind, cause, decision, ...about });
  }
}
