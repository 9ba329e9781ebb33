// From configuration to the options that each part declares: the one place where names in YAML meet names in
// code, a file a stage under options/.

import type { AggregationOptions } from '../actors/aggregation-options.ts';
import type { AssessmentOptions } from '../actors/assessment-options.ts';
import type { MarketSpec } from '../actors/domain/market.ts';
import type { EnrichmentOptions } from '../actors/enrichment-options.ts';
import type { NormalizeOptions } from '../actors/normalize-options.ts';
import type { RestartPolicy } from '../actors/supervision.ts';
import type { Config } from '../configs/load.ts';
import { aggregationOptions } from './options/aggregation.ts';
import { assessmentOptions } from './options/assessment.ts';
import { enrichmentOptions } from './options/enrichment.ts';
import { normalizeOptions } from './options/normalize.ts';
import type { RuntimePolicy } from './platform.ts';

export interface StageOptions {
  readonly normalize: NormalizeOptions;
  readonly enrichment: EnrichmentOptions;
  readonly aggregation: AggregationOptions;
  readonly assessment: AssessmentOptions;
}

export const OUTPUT_BYTES_MAX = 1_000_000;

export function stageOptions(config: Config, markets: readonly MarketSpec[]): StageOptions {
  return {
    normalize: normalizeOptions(config, markets),
    enrichment: enrichmentOptions(config, markets),
    aggregation: aggregationOptions(config, markets),
    assessment: assessmentOptions(config, markets),
  };
}

export function runtimePolicy({ runtime }: Config): RuntimePolicy {
  const { supervision, log } = runtime;
  const policy = (of: { intensity: number; period_seconds: number }): RestartPolicy => ({
    intensity: of.intensity,
    periodMs: of.period_seconds * 1_000,
  });
  const { backoff } = supervision;
  return {
    tenantId: runtime.tenant_id,
    batchRecordsMax: log.max_poll_records,
    sinkRecordsMax: log.sink_records_max,
    parkedMax: supervision.parked_max,
    outputBytesMax: OUTPUT_BYTES_MAX,
    shardChildrenMax: supervision.shard_children_max,
    backoff: { initialMs: backoff.initial_ms, maxMs: backoff.max_ms, jitter: backoff.jitter },
    quarantine: policy(supervision.quarantine),
    ladder: {
      shard: policy(supervision.shard),
      market: policy(supervision.market),
      service: policy(supervision.service),
    },
    routerRestarts: policy(supervision.router),
    stallMs: supervision.stall_seconds * 1_000,
    idleMs: supervision.idle_seconds * 1_000,
  };
}
