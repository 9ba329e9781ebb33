// Gold of a live run: the whole pipeline takes up what the feeds left on the raw topics, and its bars are
// compared with the oracle's, which reads the same topics by hand. Which bars are final depends on how far
// calendars were told; here every column counts but that one.

import type { Markets } from '../../actors/feeds/markets.ts';
import type { Config } from '../../configs/load.ts';
import { runtimePolicy, type StageOptions } from '../../runtime/options.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';
import { prepare } from '../../runtime/startup.ts';
import { memoryCache } from '../../sinks/memory-cache.ts';
import type { OracleBar } from '../oracle/bars.ts';
import { observe } from '../oracle/observe.ts';
import type { Priced } from '../oracle/read.ts';
import { utc } from '../oracle/wall-clock.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { Member, type Told } from './member.ts';
import { CALM_SINK, type Row, SimulatedClickHouse } from './simulated-clickhouse.ts';
import { CALM_LOG, type Waiter } from './simulated-log.ts';
import type { SimulatedStore } from './simulated-store.ts';
import type { World } from './world.ts';

export const PARTITIONS = 2;
const STEPS_MAX = 5_000_000;
const decoder = new TextDecoder();

export interface GoldWorld {
  readonly world: World;
  readonly store: SimulatedStore;
  /** Shared with who appends meanwhile. */
  readonly waiters?: Set<Waiter>;
}

export interface Gold {
  readonly member: Member;
  readonly clickhouse: SimulatedClickHouse;
  readonly told: readonly Told[];
}

/** What runs: a configuration, and the markets that it was read for. */
export interface Product {
  readonly config: Config;
  readonly stages: StageOptions;
  readonly known?: Pick<Markets, 'markets' | 'findFeed'>;
}

/** A process with every service, over a calm log and a calm ClickHouse. */
export function pipelineOver({ world, store, waiters }: GoldWorld, { config, stages, known }: Product): Gold {
  const clickhouse = new SimulatedClickHouse(
    world,
    () => CALM_SINK,
    () => {},
  );
  const told: Told[] = [];
  const { clock, draw, listening } = world;
  const member = new Member(0, {
    world,
    clickhouse,
    cache: memoryCache(1, clock.nowMs),
    settings: { partitions: PARTITIONS, policy: runtimePolicy(config), stages },
    sinkTimeoutMs: 60_000,
    chunkMax: 1_000,
    ...(known === undefined ? {} : { known }),
    log: { store, clock, draw, faults: () => CALM_LOG, waiters: waiters ?? new Set(), listening },
    told: (event) => void told.push(event),
    crashes: () => false,
    left: (_, cause) => {
      throw new Error(`the pipeline left ${cause}`);
    },
  });
  return { member, clickhouse, told };
}

/** Runs the pipeline until it has read everything. */
export async function goldOf(of: GoldWorld, product: Product = prepare({})): Promise<Gold> {
  const gold = pipelineOver(of, product);
  const { pipeline } = gold.member;
  const done = { is: false };
  const work = gold.member
    .start()
    .then(() => pipeline.caughtUp(new AbortController().signal))
    .then(() => {
      done.is = true;
    });
  for (let n = 0; !done.is && n < STEPS_MAX; n += 1) await of.world.step();
  if (!done.is) throw new Error('the pipeline never caught up');
  await work;
  return gold;
}

/** What stands on a raw topic, read by hand: each record's interval, price and publication. */
export function pricedOn(store: SimulatedStore, market: string): Priced[] {
  const found: Priced[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for (const entry of store.entries({ topic: rawTopic(market), partition })) {
      if (entry === null || entry.key.startsWith('~')) continue;
      const record = JSON.parse(decoder.decode(entry.value));
      const names = Object.keys(record.values).sort();
      found.push({
        market,
        run: record.run,
        location: record.delivery_location,
        startMs: record.interval_start / 1_000,
        endMs: record.interval_end / 1_000,
        price: record.values.LMP,
        values: names.map((name) => `${name}=${record.values[name]}`).join(','),
        publishedMs: record.publication / 1_000,
      });
    }
  }
  return found;
}

async function* shaped(rows: Iterable<Row>): AsyncIterable<OracleBar> {
  for (const row of rows) {
    const at = { bar_start: utc(Number(row.bar_start) / 1_000), bar_end: utc(Number(row.bar_end) / 1_000) };
    // By way of JSON, as any reader of an answer gets it.
    const shape: OracleBar = JSON.parse(JSON.stringify({ ...row, ...at, final: true }));
    yield shape;
  }
}

/** What of the bars differs from the oracle's, in words. */
export function goldDifferences(gold: Gold, store: SimulatedStore, markets: readonly string[]) {
  const observed = observe(markets.flatMap((market) => pricedOn(store, market)));
  return barDifferences(shaped(gold.clickhouse.table(TOPIC.bars).values()), observed);
}

/** Close of the bars that are as long as an interval, in cents: `run|location|start ms` → the price. */
export function closes(gold: Gold, size: '5M' | '15M' | '1H', runs: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { bar_size, run, delivery_location, bar_start, close_price } of gold.clickhouse
    .table(TOPIC.bars)
    .values()) {
    if (bar_size !== size || !runs.includes(String(run))) continue;
    found.set(
      `${run}|${delivery_location}|${Number(bar_start) / 1_000}`,
      Math.round(Number(close_price) * 100),
    );
  }
  return found;
}
