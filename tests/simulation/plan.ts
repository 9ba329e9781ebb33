// What a seed stands for: a configuration of the cluster, a set of weighted faults, and sources. Everything
// that a run is made of is drawn here, so that a run is a function of its plan.

import { markets } from '../../actors/feeds/markets.ts';
import type { StageOptions } from '../../runtime/options.ts';
import type { RuntimePolicy } from '../../runtime/platform.ts';
import { prepare } from '../../runtime/startup.ts';
import { drawnFaults, type FaultName, type Faults } from './faults.ts';
import { seededDraw } from './seeded-host.ts';
import { drawnSources, type Sources } from './sources.ts';

export interface Wish {
  readonly seed: number;
  /** Versions of observations, at most. */
  readonly records: number;
  /** These faults and no others; null: as the seed has it. */
  readonly faults: readonly FaultName[] | null;
  /** Ids of the records that are left; null: all. */
  readonly keep: ReadonlySet<number> | null;
}

export interface Plan {
  readonly wish: Wish;
  readonly faults: Faults;
  readonly sources: Sources;
  readonly partitions: number;
  readonly membersMax: number;
  /** Offsets that each transaction takes for its marker. */
  readonly markers: number;
  readonly latencyMsMax: number;
  readonly sessionMs: number;
  readonly sinkTimeoutMs: number;
  readonly chunkMax: number;
  readonly policy: RuntimePolicy;
  readonly stages: StageOptions;
}

const shipped = prepare({}).stages;
const MINUTE = 60_000;

export function planOf(wish: Wish): Plan {
  const draw = seededDraw(wish.seed);
  const below = (limit: number): number => Math.floor(draw() * limit);
  // Apart, so that fewer faults or records change nothing else of the plan.
  const [faultSeed, sourceSeed] = [below(2 ** 31), below(2 ** 31)];
  const faults = drawnFaults(seededDraw(faultSeed), wish.faults);
  const sources = drawnSources(seededDraw(sourceSeed), faults, wish.records, wish.keep);
  const batch = [1 + below(10), 5 + below(50), 50 + below(500)][below(3)] ?? 20;
  const budget = (intensity: number) => ({ intensity, periodMs: 1_000 * (1 + below(60)) });
  return {
    wish,
    faults,
    sources,
    partitions: 1 + below(4),
    membersMax: 1 + below(3),
    markers: below(2),
    latencyMsMax: below(50),
    sessionMs: 200 + below(3_000),
    sinkTimeoutMs: 1_000 + below(30_000),
    chunkMax: 1 + below(200),
    policy: {
      tenantId: 't',
      batchRecordsMax: batch,
      sinkRecordsMax: 1 + below(2 * batch + 200),
      parkedMax: 20 + below(2_000),
      outputBytesMax: 1_000_000,
      shardChildrenMax: 1 + below(8),
      backoff: { initialMs: 1 + below(100), maxMs: 100 + below(2_000), jitter: draw() },
      quarantine: budget(2 + below(4)),
      ladder: { shard: budget(5 + below(20)), market: budget(3 + below(10)), service: budget(3 + below(10)) },
      routerRestarts: budget(3 + below(10)),
      stallMs: 60_000,
      idleMs: idleMsOf(seededDraw(wish.seed + 1)),
    },
    stages: stagesOf([0, 30, 60, 600][below(4)] ?? 0, [24, 48, 72][below(3)] ?? 48),
  };
}

/** A stream of its own: the seeds that are kept stay what they are. Some seeds never leave an actor alone. */
function idleMsOf(draw: () => number): number {
  return 1 + Math.floor(draw() * (draw() < 0.5 ? 20 : 2_000));
}

/** As shipped, with an allowed lateness and a retained window of its own. */
function stagesOf(latenessMinutes: number, retainedHours: number): StageOptions {
  const { aggregation } = shipped;
  const drawn = new Map(
    markets.flatMap(({ market }) => {
      const policy = aggregation.markets.get(market);
      if (policy === undefined) return [];
      const windows = (run: string) => ({
        ...policy.windows(run),
        allowedLatenessMs: latenessMinutes * MINUTE,
        retainedMs: retainedHours * 60 * MINUTE,
      });
      return [[market, { ...policy, windows }] as const];
    }),
  );
  return { ...shipped, aggregation: { ...aggregation, markets: drawn } };
}
