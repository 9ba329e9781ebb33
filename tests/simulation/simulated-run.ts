// A run: a configuration, faults and records drawn from the seed; first a phase with faults, then a calm one
// in which everything must catch up. What came of it is judged elsewhere (laws.ts), from the store alone.

import type { RuntimePolicy } from '../../runtime/platform.ts';
import { rawTopic } from '../../runtime/services.ts';
import type { ServiceName } from '../../runtime/views.ts';
import type { CountedRecord } from './counting-stages.ts';
import { CALM_LOG, type LogFaults, type Waiter } from './simulated-log.ts';
import { SimulatedProcess, type ToldEvent } from './simulated-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

export interface Run {
  readonly seed: number;
  readonly world: World;
  readonly store: SimulatedStore;
  readonly records: readonly CountedRecord[];
  readonly told: readonly ToldEvent[];
  readonly sink: ReadonlyMap<string, ReadonlySet<string>>;
  readonly processes: readonly SimulatedProcess[];
  readonly policy: RuntimePolicy;
  readonly faults: Readonly<Record<string, number>>;
  /** Most records that one partition had parked at any time. */
  readonly parkedMost: number;
}

const ROLES: readonly ServiceName[] = ['normalization', 'enrichment', 'aggregation', 'data-quality'];
const STEPS_MAX = 400_000;

class Driver {
  readonly world: World;
  readonly store: SimulatedStore;
  readonly told: ToldEvent[] = [];
  readonly sink = new Map<string, Set<string>>();
  readonly processes: SimulatedProcess[] = [];
  readonly records: readonly CountedRecord[];
  readonly policy: RuntimePolicy;
  readonly faults: Record<string, number>;
  readonly #partitions: number;
  readonly #log: LogFaults;
  readonly #roles: ReadonlySet<ServiceName>;
  readonly #waiters = new Set<Waiter>();
  readonly #starting = new Set<SimulatedProcess>();
  #calm = false;
  #appended = 0;
  parkedMost = 0;

  constructor(readonly seed: number) {
    const world = new World(seed);
    this.world = world;
    const some = (share: number): number => (world.chance(0.5) ? 0 : world.draw() * share);
    this.store = new SimulatedStore(world.below(2));
    this.#partitions = 1 + world.below(3);
    this.#log = {
      ...CALM_LOG,
      latencyMsMax: world.below(50),
      aborts: some(0.3),
      commitFailures: some(0.2),
      readFailures: some(0.2),
      sessionMs: 200 + world.below(3_000),
    };
    this.faults = {
      ...this.#log,
      instrumentCrashes: some(0.05),
      routerCrashes: some(0.01),
      sinkFailures: some(0.3),
      kills: some(0.002),
      drains: some(0.002),
      releases: some(0.02),
      poison: some(0.15),
    };
    this.policy = drawnPolicy(world);
    this.#roles = new Set(world.chance(0.3) ? [...ROLES, 'projection'] : ROLES);
    this.records = this.#drawnRecords();
  }

  #share(of: string): number {
    return this.#calm ? 0 : (this.faults[of] ?? 0);
  }

  #drawnRecords(): CountedRecord[] {
    const { world } = this;
    const instruments = 1 + world.below(6);
    const stages = ['enrichment', 'aggregation', 'data-quality', 'normalize'] as const;
    return Array.from({ length: 20 + world.below(120) }, (_, id) => ({
      instrument: `X:R:L${world.below(instruments)}`,
      id,
      poison: world.chance(this.#share('poison')) ? (stages[world.below(stages.length)] ?? null) : null,
    }));
  }

  async run(): Promise<void> {
    this.#launch();
    for (let steps = 0; steps < 6_000 || this.#appended < this.records.length; steps += 1) {
      await this.#happen();
      await this.world.step();
    }
    this.#calm = true;
    for (let steps = 0; !this.#caughtUp(); steps += 1) {
      if (steps > STEPS_MAX) throw new Error(`seed ${this.seed}: not caught up: ${this.#standing()}`);
      if (this.processes.every((each) => !each.alive)) this.#launch();
      if (steps % 200 === 0) this.#release(1);
      await this.world.step();
    }
  }

  async #happen(): Promise<void> {
    const { world } = this;
    const living = this.processes.filter((each) => each.alive);
    if (world.chance(0.02)) this.#append(1 + world.below(10));
    if (living.length === 0 ? world.chance(0.05) : living.length < 2 && world.chance(0.002)) this.#launch();
    const one = living[world.below(living.length)];
    if (one === undefined) return;
    if (world.chance(this.#share('kills'))) one.kill();
    else if (!one.leaving && !this.#starting.has(one) && world.chance(this.#share('drains')))
      void one.drain();
    this.#release(this.#share('releases'));
    this.#watch();
  }

  #launch(): void {
    const process = new SimulatedProcess({
      world: this.world,
      log: {
        store: this.store,
        clock: this.world.clock,
        draw: this.world.draw,
        faults: () => (this.#calm ? { ...CALM_LOG, sessionMs: this.#log.sessionMs } : this.#log),
        waiters: this.#waiters,
        listening: this.world.listening,
      },
      policy: this.policy,
      partitions: this.#partitions,
      roles: this.#roles,
      told: this.told,
      crashes: () => ({
        instruments: this.#share('instrumentCrashes'),
        routers: this.#share('routerCrashes'),
      }),
      sinkFailures: () => this.#share('sinkFailures'),
      sink: this.sink,
    });
    this.processes.push(process);
    this.#starting.add(process);
    void process.start().then(
      () => this.#starting.delete(process),
      (error: unknown) => {
        this.told.push({
          kind: 'stop',
          service: '',
          actor: 'process',
          cause: String(error),
          decision: '',
          budget_left: null,
        });
        process.kill();
      },
    );
  }

  #append(count: number): void {
    const next = this.records.slice(this.#appended, this.#appended + count);
    const topic = rawTopic('X');
    if (!this.store.topics.has(topic) || next.length === 0) return;
    const outputs = next.map((each) => ({ topic, key: each.instrument, value: JSON.stringify(each) }));
    this.store.transact('writer source', outputs, [], this.world.clock.nowMs());
    this.#appended += next.length;
    for (const waiter of [...this.#waiters]) {
      if (waiter.topics.includes(topic)) waiter.wake();
    }
  }

  /** An operator lets go what is quarantined. */
  #release(share: number): void {
    for (const { alive, platform } of this.processes) {
      if (!alive) continue;
      for (const { id, quarantined } of platform.directory.all().values()) {
        if (quarantined.size > 0 && this.world.chance(share)) platform.release(id);
      }
    }
  }

  *#routers() {
    for (const { alive, platform } of this.processes) {
      if (!alive) continue;
      for (const group of platform.groups.values()) yield* group.partitions();
    }
  }

  #watch(): void {
    for (const { state } of this.#routers()) {
      let parked = 0;
      for (const each of state.quarantines.values()) parked += each.parked;
      this.parkedMost = Math.max(this.parkedMost, parked);
    }
  }

  #caughtUp(): boolean {
    if (this.#starting.size > 0)
      for (const each of this.#starting) if (!each.alive) this.#starting.delete(each);
    if (this.#starting.size > 0 || this.processes.every((each) => !each.alive)) return false;
    let routers = 0;
    for (const { state, of } of this.#routers()) {
      routers += 1;
      if (state.phase !== 'polling' || state.work !== null || state.toRelease.length > 0) return false;
      if (this.store.hasMore(of, state.position)) return false;
      for (const each of state.quarantines.values()) if (each.active) return false;
    }
    const groups = this.processes.find((each) => each.alive)?.platform.groups.keys() ?? [];
    const wanted = [...groups].reduce((sum, group) => sum + this.store.partitionsOf(group).length, 0);
    return routers === wanted;
  }

  #standing(): string {
    const routers = [...this.#routers()].map(
      ({ path, state }) => `${path} ${state.phase} at ${state.position} ${state.toRelease.join()}`,
    );
    return [...routers, ...this.told.slice(-10).map((each) => JSON.stringify(each))].join('\n');
  }
}

function drawnPolicy(world: World): RuntimePolicy {
  const budget = (intensity: number) => ({ intensity, periodMs: 1_000 * (1 + world.below(60)) });
  const tight = world.chance(0.2);
  return {
    tenantId: 't',
    batchRecordsMax: 1 + world.below(20),
    sinkRecordsMax: 1 + world.below(50),
    parkedMax: 3 + world.below(60),
    outputBytesMax: 10_000,
    shardChildrenMax: 1 + world.below(5),
    backoff: { initialMs: 1 + world.below(100), maxMs: 100 + world.below(2_000), jitter: world.draw() },
    quarantine: budget(world.below(4)),
    ladder: {
      shard: budget(tight ? 1 : 20),
      market: budget(tight ? 1 : 10),
      service: budget(tight ? 1 : 10),
    },
    routerRestarts: budget(3 + world.below(10)),
    stallMs: 60_000,
    idleMs: 300,
  };
}

export async function simulate(seed: number): Promise<Run> {
  const driver = new Driver(seed);
  await driver.run();
  return driver;
}
