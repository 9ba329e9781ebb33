// What configuration says of the pipeline, the same in every thread of a process.

import { findFeed, markets } from '../actors/feeds/markets.ts';
import type { Environment } from '../configs/environment.ts';
import type { Config } from '../configs/load.ts';
import { silverTicks } from '../sinks/queries.ts';
import type { Database } from './database.ts';
import { projectionOptions } from './options/projection.ts';
import { runtimePolicy, type StageOptions } from './options.ts';
import type { PipelinePorts, PipelineSettings } from './pipeline.ts';

export function pipelineSettings(
  config: Config,
  environment: Environment,
  stages: StageOptions,
): PipelineSettings {
  return {
    roles: new Set(environment.roles),
    markets,
    connectors: Object.keys(config.connectors.connectors),
    partitions: config.runtime.log.partitions,
    retentionMs: retentionMs(config),
    sinkTimeoutMs: projectionOptions(config).timeoutMs,
    policy: runtimePolicy(config),
    stages,
    findFeed,
  };
}

export function retentionMs({ runtime }: Config): number {
  return runtime.log.retention_hours * 3_600_000;
}

export function silverOf({ clickhouse }: Database): PipelinePorts['silver'] {
  return (instrument, fromUs, toUs) => silverTicks(clickhouse, instrument, fromUs, toUs);
}
