// A run of a plan: members start, crash, stand still and leave over the simulated log and ClickHouse while
// the sources are fed; then the faults end, and everything must catch up within a bound of steps. What came
// of it is judged elsewhere (checks.ts); here it is only carried out and noted.

import type { Response } from '../../actors/feeds/feed.ts';
import { rawTopic } from '../../runtime/services.ts';
import { type Most, NOTHING_YET } from './bounded.ts';
import type { FaultName } from './faults.ts';
import { Looks } from './looks.ts';
import { Member, type MemberWorld, type Told } from './member.ts';
import { type Plan, planOf, type Wish } from './plan.ts';
import { CALM_SINK, SimulatedClickHouse, type SinkFaults } from './simulated-clickhouse.ts';
import { CALM_LOG, type LogFaults, type Waiter } from './simulated-log.ts';
import { placeOf, SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

/** A law that did not hold while the run went on. */
export interface Broken {
  readonly step: number;
  readonly what: string;
}

/** Steps of the calm phase in which no position moves, before it counts as standing still. */
const STILL_STEPS_MAX = 60_000;
/** Of the whole calm phase: small batches of many rows take that many. */
const CALM_STEPS_MAX = 4_000_000;
const FAULT_STEPS_MAX = 6_000;
const PARTITIONS_MAX = 12;
const LOOK_STEPS = 97;
const HOUR = 3_600_000;

export class Simulation {
  readonly plan: Plan;
  readonly world: World;
  readonly store: SimulatedStore;
  readonly clickhouse: SimulatedClickHouse;
  readonly told: Told[] = [];
  readonly members: Member[] = [];
  readonly broken: Broken[] = [];
  readonly injected = new Map<FaultName, number>();
  readonly most: Most = { ...NOTHING_YET };
  readonly looks: Looks;
  readonly #fromMs: number;
  readonly #trace: (line: string) => void;
  readonly #waiters = new Set<Waiter>();
  #calm = false;
  #movedAt = 0;
  #rounds = 0;
  #poisoned = 0;

  /** `trace` hears of all that happens, in order. */
  constructor(wish: Wish, trace: (line: string) => void = () => {}) {
    this.plan = planOf(wish);
    this.world = new World(wish.seed);
    this.#fromMs = this.world.clock.nowMs();
    this.#trace = trace;
    this.store = new SimulatedStore(this.plan.markers);
    this.store.watch = (group, of, from, to) => {
      this.#movedAt = this.world.steps;
      this.#durable(group, of.topic, of.partition, from, to);
    };
    this.clickhouse = new SimulatedClickHouse(
      this.world,
      () => this.#sinkFaults(),
      (what) => this.#inject(what === 'sink-down' || what === 'sink-full' ? what : 'sink-lost-reply', what),
    );
    const flushes = () => this.share('cache-flush', 0.3);
    const flushed = () => this.#inject('cache-flush', 'the cache forgets');
    this.looks = new Looks(wish.seed, this.world, this.clickhouse, flushes, flushed, {
      latencyMsMax: this.plan.latencyMsMax,
      away: () => this.share('cache-down', 0.5),
      happened: () => this.#inject('cache-down', 'the cache is away'),
    });
  }

  get simulatedMs(): number {
    return this.world.clock.nowMs() - this.#fromMs;
  }

  async run(): Promise<void> {
    const { plan, world } = this;
    this.#say(`seed ${plan.wish.seed}, faults ${[...plan.faults.keys()].join() || 'none'}`);
    this.#launch();
    const calmFrom = 500 + world.below(FAULT_STEPS_MAX);
    await world.run(() => {
      if (world.steps === calmFrom) this.#calmDown();
      if (world.steps >= calmFrom) return this.#catchUp(calmFrom);
      this.#happen();
      return true;
    });
    if (this.#done()) this.#say('caught up');
    else this.#break(`not caught up: ${this.#standing()}`);
  }

  #calmDown(): void {
    this.#calm = true;
    this.#say('calm');
    for (const member of this.members) member.thaw();
  }

  /** False: everything has caught up, or never will. */
  #catchUp(calmFrom: number): boolean {
    const { steps } = this.world;
    if (this.#done()) return false;
    const [step, still] = [steps - calmFrom, steps - Math.max(this.#movedAt, calmFrom)];
    if (step > CALM_STEPS_MAX || still > STILL_STEPS_MAX) return false;
    if (this.members.every(({ alive }) => !alive)) this.#launch();
    if (step % 200 === 0) this.#release(1);
    if (step % LOOK_STEPS === 0) this.#look();
    this.#feed();
    return true;
  }

  share(fault: FaultName, most: number): number {
    return this.#calm ? 0 : (this.plan.faults.get(fault) ?? 0) * most;
  }

  #happen(): void {
    const { world, plan } = this;
    const living = this.members.filter(({ alive, leaving }) => alive && !leaving);
    const wanted = living.length < plan.membersMax;
    if (living.length === 0 ? world.chance(0.05) : wanted && world.chance(0.003)) this.#launch();
    this.#feed();
    const grows = this.share('increase', this.#crowded() ? 0.03 : 0.002);
    if (grows > 0 && world.chance(grows)) this.#increase();
    const one = living[world.below(living.length)];
    if (one === undefined || one.frozen) return;
    this.#strike(one);
    this.#release(0.005 * (1 - this.share('slow-release', 1)));
    if (this.world.steps % LOOK_STEPS === 0) this.#look();
  }

  #strike(one: Member): void {
    const happens = (fault: FaultName, most: number, why = ''): boolean => {
      const share = this.share(fault, most);
      if (share === 0 || !this.world.chance(share)) return false;
      this.#inject(fault, `member ${one.id}${why}`);
      return true;
    };
    if (happens('crash', 0.002)) one.crash('by fault');
    else if (one.started && happens('rebalance', 0.002)) void one.drain();
    else if (happens('zombie', 0.003)) this.#freeze(one);
    else if (happens('clock-jump', 0.003)) one.jump((this.world.draw() - 0.5) * 4 * HOUR);
  }

  #freeze(one: Member): void {
    one.freeze();
    const { world, plan } = this;
    world.clock.after(1 + world.below(3 * plan.sessionMs), () => {
      this.#say(`member ${one.id} is back`);
      one.thaw();
    });
  }

  #launch(): void {
    const member = new Member(this.members.length, this.#memberWorld());
    this.members.push(member);
    this.#say(`member ${member.id} starts`);
    member.start().catch((error: unknown) => member.crash(String(error)));
  }

  #memberWorld(): MemberWorld {
    const { plan, world } = this;
    return {
      world,
      clickhouse: this.clickhouse,
      cache: this.looks.cache,
      settings: plan,
      sinkTimeoutMs: plan.sinkTimeoutMs,
      chunkMax: plan.chunkMax,
      log: {
        store: this.store,
        clock: world.clock,
        draw: world.draw,
        faults: () => this.#logFaults(),
        waiters: this.#waiters,
        listening: world.listening,
        tell: (what) => this.#committed(what),
      },
      told: (event) => {
        this.told.push(event);
        this.#say(`member ${event.member} ${event.kind} ${event.actor}: ${event.cause}: ${event.decision}`);
      },
      crashes: (path) => this.#crashes(path),
      left: (member, cause) => this.#say(`member ${member.id} is gone ${cause}`),
    };
  }

  #committed(what: string): void {
    const fault = (
      [
        [', torn', 'torn-commit'],
        [', reply lost', 'lost-commit-reply'],
        [' aborted', 'aborted-commit'],
        [' damaged ', 'damaged-state'],
        [' falsely fenced', 'false-fence'],
      ] as const
    ).find(([mark]) => what.includes(mark));
    if (fault === undefined) this.#say(what);
    else this.#inject(fault[1], what);
  }

  #crashes(path: string): boolean {
    const router = /^services\/.+\//.test(path);
    if (!router && !/^markets\/.+\/.+\//.test(path)) return false;
    const fault = router ? 'router-crash' : 'actor-crash';
    const share = this.share(fault, router ? 0.01 : 0.03);
    if (share === 0 || !this.world.chance(share)) return false;
    this.#inject(fault, path);
    return true;
  }

  #logFaults(): LogFaults {
    const { latencyMsMax, sessionMs } = this.plan;
    return {
      ...CALM_LOG,
      latencyMsMax: this.#calm ? 0 : latencyMsMax,
      sessionMs,
      aborts: this.share('aborted-commit', 0.3),
      commitFailures: this.share('failed-commit', 0.2),
      readFailures: this.share('failed-read', 0.2),
      appendFailures: this.share('failed-append', 0.3),
      tornCommits: this.share('torn-commit', 0.02),
      lostReplies: this.share('lost-commit-reply', 0.02),
      damages: this.share('damaged-state', 0.3),
      falseFences: this.share('false-fence', 0.05),
    };
  }

  #sinkFaults(): SinkFaults {
    return {
      ...CALM_SINK,
      slow: this.share('sink-slow', 0.3),
      down: this.share('sink-down', 0.5),
      full: this.share('sink-full', 0.5),
      lostReplies: this.share('sink-lost-reply', 0.5),
    };
  }

  /** One member feeds; when it is gone another one takes over. */
  #feed(): void {
    const { rounds } = this.plan.sources;
    if (this.#rounds >= rounds.length) return;
    if (this.members.some(({ alive, feeding }) => alive && feeding !== null)) return;
    const ready = this.members.find((each) => each.alive && each.started && !each.leaving && !each.frozen);
    if (ready === undefined) return;
    this.#poison();
    const round = this.#rounds;
    const responses: readonly Response[] = rounds.slice(0, round + 1).flat();
    this.#say(`member ${ready.id} feeds round ${round}: ${responses.length} responses`);
    void ready.feed(round, responses).then(() => {
      // A source that was drained leaves its round to the next one.
      if (!ready.leaving && ready.alive) this.#rounds = Math.max(this.#rounds, round + 1);
    });
  }

  /** What others put on the raw topics, once. */
  #poison(): void {
    const { poison } = this.plan.sources;
    const outputs = poison.slice(this.#poisoned).map(({ market, bytes, id }) => ({
      topic: rawTopic(market),
      key: `poison-${id}`,
      value: bytes,
    }));
    if (outputs.length === 0) return;
    this.#poisoned += outputs.length;
    this.store.transact('writer others', outputs, [], this.world.clock.nowMs());
    this.#say(`${outputs.length} records of others`);
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  /** An operator gives a topic more partitions. */
  #increase(): void {
    const { world, store } = this;
    const topics = [...store.topics.values()].filter(({ writers }) => writers !== undefined);
    const of = topics[world.below(topics.length)];
    if (of === undefined || of.partitions >= PARTITIONS_MAX) return;
    const partitions = Math.min(PARTITIONS_MAX, of.partitions + 1 + world.below(3));
    this.#inject('increase', `${of.name} from ${of.partitions} to ${partitions}`);
    store.increase(of.name, partitions, world.clock.nowMs());
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  /** Something is in quarantine while operators take their time: when a hand-over has most to carry. */
  #crowded(): boolean {
    if (this.share('slow-release', 1) === 0) return false;
    for (const { alive, pipeline } of this.members) {
      if (!alive) continue;
      for (const { quarantined } of pipeline.platform.directory.all().values())
        if (quarantined.size > 0) return true;
    }
    return false;
  }

  /** An operator lets go what is quarantined. */
  #release(share: number): void {
    for (const { alive, frozen, pipeline } of this.members) {
      if (!alive || frozen) continue;
      for (const { id, quarantined } of pipeline.platform.directory.all().values()) {
        if (quarantined.size > 0 && this.world.chance(share)) pipeline.platform.release(id);
      }
    }
  }

  *routers() {
    for (const { alive, pipeline } of this.members) {
      if (!alive) continue;
      for (const [group, of] of pipeline.platform.groups) {
        for (const router of of.partitions()) yield { group, router };
      }
    }
  }

  /** Somebody asks, and the bounds are looked at. */
  #look(): void {
    this.looks.ask(this.members);
    this.#watch();
  }

  #watch(): void {
    const see = (what: keyof Most, found: number): void => {
      this.most[what] = Math.max(this.most[what], found);
    };
    see('timers', this.world.timers);
    for (const { alive, actors } of this.members) if (alive) see('actors', actors);
    for (const { group, router } of this.routers()) {
      const { quarantines, work, toRelease } = router.state;
      see(
        'parked',
        [...quarantines.values()].reduce((sum, { parked }) => sum + parked, 0),
      );
      see('releases', toRelease.length);
      see(group === 'projection-service' ? 'sinkBatch' : 'batch', work?.batch.count ?? 0);
    }
  }

  /** No position of the projection is ahead of what ClickHouse holds. */
  #durable(group: string, topic: string, partition: number, from: number, to: number): void {
    if (group !== 'projection-service') return;
    const entries = this.store.entries({ topic, partition });
    for (let at = from; at < to; at += 1) {
      const entry = entries[at];
      if (entry === null || entry === undefined || entry.key.startsWith('~')) continue;
      if (!this.clickhouse.has(topic, entry)) {
        this.#break(`${topic}/${partition}: position ${to} is committed, and the sink lacks ${at}`);
        return;
      }
    }
  }

  /** Asked before every step: what costs most is looked at when all the rest is done. */
  #done(): boolean {
    const { members, plan } = this;
    if (this.#rounds < plan.sources.rounds.length) return false;
    if (members.some((each) => each.alive && (!each.started || each.leaving))) return false;
    return members.every((each) => !each.alive || this.#isIdle(each)) && this.#allRead();
  }

  /** Nothing is under way or left in its routers. */
  #isIdle({ pipeline }: Member): boolean {
    for (const group of pipeline.platform.groups.values()) {
      for (const { state, of } of group.partitions()) {
        if (state.phase !== 'polling' || state.work !== null || state.toRelease.length > 0) return false;
        if (this.store.hasMore(of, state.position)) return false;
        for (const each of state.quarantines.values()) if (each.active) return false;
      }
    }
    return true;
  }

  /** Each partition of each group has one router, and all of it is committed. */
  #allRead(): boolean {
    // Who lost a partition and has not heard so may have a router of it still, so each is named.
    const running = new Set<string>();
    for (const { group, router } of this.routers()) {
      const place = `${group} ${placeOf(router.of)}`;
      if (running.has(place)) return false;
      running.add(place);
    }
    const groups = this.members.find(({ alive }) => alive)?.pipeline.platform.groups.keys() ?? [];
    for (const group of groups) {
      for (const of of this.store.partitionsOf(group)) {
        if (!running.has(`${group} ${placeOf(of)}`)) return false;
        if (this.store.hasMore(of, this.store.committed(group, of))) return false;
      }
    }
    return running.size > 0;
  }

  #standing(): string {
    const routers = [...this.routers()].map(
      ({ group, router: { of, state } }) =>
        `${group} ${of.topic}/${of.partition} ${state.phase} at ${state.position} ${state.toRelease.join()}`,
    );
    return [`round ${this.#rounds}`, ...routers].join('\n');
  }

  #inject(fault: FaultName, what: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
    this.#say(`fault ${fault}: ${what}`);
  }

  #break(what: string): void {
    this.broken.push({ step: this.world.steps, what });
    this.#say(`BROKEN ${what}`);
  }

  #say(what: string): void {
    this.#trace(`${this.world.steps} ${this.simulatedMs} ${what}`);
  }
}
