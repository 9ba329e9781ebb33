// projection_policies.yaml as the options of the database's client, the cache of answers and the queries.

import type { Config } from '../../configs/load.ts';
import type { QueryKind } from '../../sinks/queries.ts';
import type { CacheClass } from '../http/answer-cache.ts';

export interface ProjectionOptions {
  /** Connections to ClickHouse. */
  readonly connectionsMax: number;
  /** Of an insert and of a query. */
  readonly timeoutMs: number;
  readonly classes: Readonly<Record<QueryKind, CacheClass>>;
  /** Answers of all kinds together, in the cache of this process. */
  readonly entriesMax: number;
  /** Rows of an answer when the question names no limit. */
  readonly limits: Readonly<Record<QueryKind, number>>;
}

export function projectionOptions({ projection }: Config): ProjectionOptions {
  const { clickhouse, cache, query } = projection;
  const results = cache.query_results;
  const classOf = (of: { enabled: boolean; ttl: number }): CacheClass => ({
    enabled: of.enabled && results.enabled && query.cache_queries,
    ttlSeconds: Math.min(of.ttl, results.ttl, query.query_cache_ttl),
  });
  return {
    connectionsMax: clickhouse.pool_size,
    timeoutMs: clickhouse.timeout * 1_000,
    classes: {
      ohlc: classOf(cache.ohlc_bars),
      metrics: classOf(cache.rolling_metrics),
      curves: classOf(cache.curve_data),
    },
    entriesMax: results.max_entries,
    limits: {
      ohlc: query.default_limits.ohlc_bars,
      metrics: query.default_limits.rolling_metrics,
      curves: query.default_limits.curve_data,
    },
  };
}
