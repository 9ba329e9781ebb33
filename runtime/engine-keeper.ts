// Keeps the embedded ClickHouse engine alive: it is a child process of ours, and when it ends without being
// told to it is started again with backoff, on the same ports and the same data. Until it is back, the sink
// says it is down.

import { type BackoffPolicy, backoffMs } from '../actors/supervision.ts';
import type { Clock, Draw } from './host.ts';
import type { RecordEvent } from './views.ts';

export interface Engine {
  readonly url: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<unknown>;
  stop(): Promise<void>;
}

export interface EnginePorts {
  readonly clock: Clock;
  readonly draw: Draw;
  readonly record: RecordEvent;
  /** Starts the engine on these ports; 0 lets it choose. */
  readonly start: (httpPort: number, tcpPort: number) => Promise<Engine>;
}

const ACTOR = 'sinks/clickhouse';

export class EngineKeeper {
  readonly #ports: EnginePorts;
  readonly #backoff: BackoffPolicy;
  #engine: Engine | null = null;
  #stopping = false;
  /** Starts in a row that did not last; one that outlives the longest backoff begins anew. */
  #attempt = 0;
  #sinceMs = 0;
  #starting: Promise<void> = Promise.resolve();

  constructor(ports: EnginePorts, backoff: BackoffPolicy) {
    this.#ports = ports;
    this.#backoff = backoff;
  }

  /** The engine that runs now; null while it is down. */
  get engine(): Engine | null {
    return this.#engine;
  }

  /** Starts it; rejects when the first start fails, because then it never will. */
  async start(httpPort: number, tcpPort: number): Promise<Engine> {
    const engine = await this.#ports.start(httpPort, tcpPort);
    this.#watch(engine);
    return engine;
  }

  /** Stops it, also one that is just being started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#starting;
    await this.#engine?.stop();
    this.#engine = null;
  }

  #watch(engine: Engine): void {
    this.#engine = engine;
    this.#sinceMs = this.#ports.clock.nowMs();
    this.#event('dependency_up', `engine process ${engine.pid}`, `serving on ${engine.url}`);
    engine.exited.then(() => {
      this.#engine = null;
      if (this.#stopping) return;
      if (this.#ports.clock.nowMs() - this.#sinceMs > this.#backoff.maxMs) this.#attempt = 0;
      this.#event('dependency_down', 'the engine process ended', 'started again with backoff; input waits');
      this.#retry(engine.httpPort, engine.tcpPort);
    });
  }

  #retry(httpPort: number, tcpPort: number): void {
    const delayMs = backoffMs(this.#backoff, this.#attempt, this.#ports.draw());
    this.#attempt += 1;
    this.#ports.clock.after(delayMs, () => {
      if (!this.#stopping) this.#starting = this.#restart(httpPort, tcpPort);
    });
  }

  async #restart(httpPort: number, tcpPort: number): Promise<void> {
    try {
      this.#watch(await this.#ports.start(httpPort, tcpPort));
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#event('dependency_down', cause, 'tried again with backoff');
      this.#retry(httpPort, tcpPort);
    }
  }

  #event(kind: 'dependency_up' | 'dependency_down', cause: string, decision: string): void {
    this.#ports.record({
      kind,
      service: 'projection-service',
      actor: ACTOR,
      cause,
      decision,
      budget_left: null,
    });
  }
}
