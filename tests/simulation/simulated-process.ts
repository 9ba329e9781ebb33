// One process of the simulated world: the real platform (services, groups, routers, actors, supervision) on a
// seeded host, behind its own end of the simulated log. It can be killed without a word, and it leaves when
// its supervisors give up, as the real one does with its exit code.

import type { Batch } from '../../actors/batch.ts';
import { Platform, type RuntimePolicy } from '../../runtime/platform.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { slotMaker } from '../../runtime/slot-maker.ts';
import type { ServiceName, SupervisorEvent } from '../../runtime/views.ts';
import { countingStage, normalizeCounted } from './counting-stages.ts';
import { seededHost } from './seeded-host.ts';
import { type LogWorld, SimulatedLog } from './simulated-log.ts';
import type { World } from './world.ts';

export type ToldEvent = Omit<SupervisorEvent, 'seq' | 'time'>;

export interface ProcessWorld {
  readonly world: World;
  readonly log: LogWorld;
  readonly policy: RuntimePolicy;
  readonly partitions: number;
  readonly roles: ReadonlySet<ServiceName>;
  readonly told: ToldEvent[];
  /** Shares of messages on which an actor crashes outside its edge: instruments, routers. */
  readonly crashes: () => { readonly instruments: number; readonly routers: number };
  /** Share of writes to the sink that fail. */
  readonly sinkFailures: () => number;
  /** What the sink holds, by topic: keyed by the row's text, as rows are by their natural key. */
  readonly sink: Map<string, Set<string>>;
}

const decoder = new TextDecoder();

export class SimulatedProcess {
  readonly platform: Platform;
  readonly #of: ProcessWorld;
  readonly #log: SimulatedLog;
  readonly #host: ReturnType<typeof seededHost>;
  alive = true;
  leaving = false;
  /** Why it left by itself; null: it did not. */
  exhausted: string | null = null;

  constructor(of: ProcessWorld) {
    const { world, told, policy, roles } = of;
    this.#of = of;
    this.#log = new SimulatedLog(of.log);
    this.#host = seededHost(world.below(2 ** 31), (path) => {
      const { instruments, routers } = of.crashes();
      if (/^markets\/.+\/.+\//.test(path)) return world.chance(instruments);
      return /^services\/.+\//.test(path) && world.chance(routers);
    });
    const record = (event: ToldEvent): void => void told.push(event);
    this.platform = new Platform(
      {
        host: this.#host,
        clock: world.clock,
        draw: world.draw,
        log: this.#log,
        record,
        progress: () => {},
        exhausted: (cause) => {
          this.exhausted = cause;
          this.kill();
        },
      },
      policy,
      {
        normalize: normalizeCounted,
        enrichment: slotMaker(countingStage('enrichment', 'enriched')),
        aggregation: slotMaker(countingStage('aggregation', 'bars')),
        past: async () => [],
        dataQuality: slotMaker(countingStage('data-quality', 'scores')),
        project: (topic) => (batch) => this.#project(topic, batch),
        rebuild: async () => ({ emissions: [], refused: [] }),
      },
      roles,
      ['X'],
    );
    world.host(this.#host);
  }

  async start(): Promise<void> {
    await this.#log.bootstrap(topicSpecs(['X'], this.#of.partitions, 3_600_000));
    await this.platform.start();
  }

  /** Gone at once: nothing is handled any more, though what was sent is carried out. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#of.world.forget(this.#host);
    this.#log.vanish();
  }

  /** Leaves in order. */
  async drain(): Promise<void> {
    this.leaving = true;
    await this.platform.drain();
    this.kill();
  }

  #project(topic: string, batch: Batch): Promise<{ emissions: []; refused: [] }> {
    const { world, sink, sinkFailures } = this.#of;
    const rows = Array.from({ length: batch.count }, (_, index) => decoder.decode(batch.value(index)));
    return new Promise((resolve, reject) => {
      world.clock.after(world.below(20), () => {
        // A write may be done and its reply lost: it is done again, and gives the same rows.
        const held = sink.get(topic) ?? new Set();
        if (!world.chance(sinkFailures())) for (const row of rows) held.add(row);
        sink.set(topic, held);
        if (world.chance(sinkFailures())) reject(new Error('simulated: the sink failed'));
        else if (rows.every((row) => held.has(row))) resolve({ emissions: [], refused: [] });
        else reject(new Error('simulated: the sink took nothing'));
      });
    });
  }
}
