// One member of the simulated cluster: the whole pipeline as production builds it, on a seeded host and a
// clock of its own, behind its end of the simulated log and the simulated ClickHouse. It can crash without a
// word, stand still past its session and come back as a zombie, and see its clock jump.

import type { Response } from '../../actors/feeds/feed.ts';
import { findFeed, type Markets, markets } from '../../actors/feeds/markets.ts';
import type { Clock } from '../../runtime/host.ts';
import { AnswerCache } from '../../runtime/http/answer-cache.ts';
import { actorsPlace } from '../../runtime/inspection.ts';
import { Pipeline, type PipelineSettings } from '../../runtime/pipeline.ts';
import { SERVICES, TOPIC } from '../../runtime/services.ts';
import type { ActorsPlace, SupervisorEvent } from '../../runtime/views.ts';
import type { Cache } from '../../sinks/sink.ts';
import { type SeededHost, seededHost } from './seeded-host.ts';
import type { SimulatedClickHouse } from './simulated-clickhouse.ts';
import { type LogWorld, SimulatedLog } from './simulated-log.ts';
import { WatchedSink } from './watched-sink.ts';
import type { World } from './world.ts';

export type Told = Omit<SupervisorEvent, 'seq' | 'time'> & { readonly member: number };

export interface MemberWorld {
  readonly world: World;
  readonly log: LogWorld;
  readonly clickhouse: SimulatedClickHouse;
  /** Of the query API; all members share it. */
  readonly cache: Cache;
  readonly settings: Pick<PipelineSettings, 'partitions' | 'policy' | 'stages'>;
  readonly sinkTimeoutMs: number;
  readonly chunkMax: number;
  /** The markets it knows; without: those of the product. */
  readonly known?: Pick<Markets, 'markets' | 'findFeed'>;
  readonly told: (event: Told) => void;
  /** Whether the actor of a path crashes now, outside its edge. */
  readonly crashes: (path: string) => boolean;
  /** It left by itself. */
  readonly left: (member: Member, cause: string) => void;
}

export class Member {
  readonly pipeline: Pipeline;
  readonly view: ActorsPlace;
  readonly answers: AnswerCache;
  /** By instrument: writes that ClickHouse had carried out when this member last heard of bars of it. */
  readonly ownWrites = new Map<string, number>();
  readonly sink: WatchedSink;
  readonly #of: MemberWorld;
  readonly #log: SimulatedLog;
  readonly #host: SeededHost;
  readonly #clock: MemberClock;
  alive = true;
  started = false;
  frozen = false;
  leaving = false;
  /** Round of responses that it feeds; null: it feeds nothing. */
  feeding: number | null = null;

  constructor(
    readonly id: number,
    of: MemberWorld,
  ) {
    const { world, settings } = of;
    this.#of = of;
    this.#clock = new MemberClock(world.clock);
    this.#log = new SimulatedLog(of.log, () => this.crash('with its commit under way'));
    this.#host = seededHost(world.below(2 ** 31), (path) => of.crashes(path));
    const clock = this.#clock;
    this.sink = new WatchedSink(of.clickhouse.sink(clock));
    this.pipeline = new Pipeline(
      {
        host: this.#host,
        clock,
        draw: world.draw,
        log: this.#log,
        silver: (instrument, fromUs, toUs) =>
          of.clickhouse.silver(clock, TOPIC.ticks, instrument, fromUs, toUs),
        sink: this.sink,
        record: (event) => of.told({ ...event, member: id }),
        committed: () => {},
        extracted: () => {},
        wrote: (topic, _receipt, keys) => this.#wrote(topic, keys),
        failed: () => {},
        exhausted: (cause) => this.crash(`because every budget is used up: ${cause}`),
      },
      {
        ...settings,
        roles: new Set(SERVICES.map(({ name }) => name)),
        ...(of.known ?? { markets, findFeed }),
        connectors: [],
        retentionMs: 3_600_000,
        sinkTimeoutMs: of.sinkTimeoutMs,
      },
    );
    world.host(this.#host);
    const shown = { enabled: true, ttlSeconds: 600 };
    const classes = { ohlc: shown, metrics: shown, curves: shown };
    this.answers = new AnswerCache(of.cache, classes, (ms, work) => void clock.after(ms, work));
    const nowMs = () => clock.nowMs();
    const nothing = () => [];
    const { platform } = this.pipeline;
    const parts = { platform, connectors: nothing, sinks: nothing, rate: () => 0, tellsLag: true, nowMs };
    this.view = actorsPlace(parts);
  }

  /** Actors that live. */
  get actors(): number {
    return this.#host.size();
  }

  #wrote(topic: string, keys: () => ReadonlySet<string>): void {
    this.answers.wrote(topic, keys);
    if (topic !== TOPIC.bars) return;
    for (const key of keys()) this.ownWrites.set(key, this.#of.clickhouse.taken);
  }

  get mailboxMost(): number {
    return this.#host.mailboxMost();
  }

  async start(): Promise<void> {
    await this.pipeline.start();
    this.started = true;
  }

  /** Feeds the responses of a round and all before it, which the log knows by now. */
  async feed(round: number, responses: readonly Response[]): Promise<void> {
    this.feeding = round;
    await this.pipeline.replay({
      name: `round-${round}-${this.pipeline.sources.length}`,
      responses: each(responses),
      chunkMax: this.#of.chunkMax,
      speed: null,
      responseDone: () => {},
    });
    this.feeding = null;
  }

  /** Gone at once: nothing is handled any more, though what was sent is carried out. */
  crash(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.#clock.stop();
    this.#of.world.forget(this.#host);
    this.#log.vanish();
    this.#of.left(this, why);
  }

  freeze(): void {
    this.frozen = true;
    this.#clock.freeze();
    this.#of.world.forget(this.#host);
    this.#log.freeze();
  }

  thaw(): void {
    if (!this.alive || !this.frozen) return;
    this.frozen = false;
    this.#of.world.host(this.#host);
    this.#clock.thaw();
    this.#log.thaw();
  }

  jump(ms: number): void {
    this.#clock.skewMs += ms;
  }

  /** Leaves in order. */
  async drain(): Promise<void> {
    this.leaving = true;
    await this.pipeline.drain();
    this.crash('in order');
  }
}

async function* each(responses: readonly Response[]): AsyncIterable<Response> {
  yield* responses;
}

/** The world's clock as one machine reads it. */
class MemberClock implements Clock {
  readonly #clock: Clock;
  #held: (() => void)[] | null = null;
  #alive = true;
  skewMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.skewMs;
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#clock.after(delayMs, () => {
      if (!this.#alive) return;
      if (this.#held === null) action();
      else this.#held.push(action);
    });
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const action of held) action();
  }

  stop(): void {
    this.#alive = false;
  }
}
