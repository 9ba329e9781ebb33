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
  /** After every start but the first: whatever must be repeated on a new process. */
  readonly restarted: (engine: Engine) => Promise<void>;
}

const ACTOR = 'sinks/clickhouse';

export class EngineKeeper {
  readonly #ports: EnginePorts;
  readonly #backoff: BackoffPolicy;
  #engine: Engine | null = null;
  #stopping = false;
  #attempt = 0;

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

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#engine?.stop();
    this.#engine = null;
  }

  #watch(engine: Engine): void {
    this.#engine = engine;
    this.#event('dependency_up', `engine process ${engine.pid}`, `serving on ${engine.url}`);
    engine.exited.then(() => {
      this.#engine = null;
      if (this.#stopping) return;
      this.#event('dependency_down', 'the engine process ended', 'started again with backoff; input waits');
      this.#retry(engine.httpPort, engine.tcpPort);
    });
  }

  #retry(httpPort: number, tcpPort: number): void {
    const delayMs = backoffMs(this.#backoff, this.#attempt, this.#ports.draw());
    this.#attempt += 1;
    this.#ports.clock.after(delayMs, () => void this.#restart(httpPort, tcpPort));
  }

  async #restart(httpPort: number, tcpPort: number): Promise<void> {
    if (this.#stopping) return;
    try {
      const engine = await this.#ports.start(httpPort, tcpPort);
      this.#watch(engine);
      await this.#ports.restarted(engine);
      this.#attempt = 0;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#event('dependency_down', cause, 'tried again with backoff');
      if (this.#engine === null) this.#retry(httpPort, tcpPort);
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
