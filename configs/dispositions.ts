// Keys that older files carry and that decide nothing here. Each is said at start with the reason, so that
// nobody believes in a setting that does not work. `*` stands for one key, or for one place of a list.

import type { YamlFile } from './yaml.ts';

export interface Disposition {
  readonly path: readonly string[];
  readonly reason: string;
}

const of = (path: string, reason: string): Disposition => ({ path: path.split('.'), reason });

const AT_ONCE = 'rows leave with the batch that changed them, sooner than any interval';
const CREDITS = 'memory is bounded by credits and by runs.*.retained_hours, not by counts of a buffer';
const NOT_YET = 'not supported by this version';
const SHARED = 'answers of all kinds share cache.query_results.max_entries';
const EXPOSED = 'metrics are always at /metrics';

export const DISPOSITIONS: Readonly<Record<string, readonly Disposition[]>> = {
  aggregation_policies: [
    of('ohlc_policies.*.buffer_size', CREDITS),
    of('ohlc_policies.*.flush_interval', AT_ONCE),
    of('curve_prestage.*.buffer_size', CREDITS),
    of('curve_prestage.*.flush_interval', AT_ONCE),
    of('curve_prestage.status_curves', 'no market publishes status curves'),
    of('global.buffer_management', CREDITS),
    of('global.performance', 'batches are sized by log.max_poll_records of runtime.yaml'),
    of('global.quality', 'no tick is left out of a bar for its quality: it is flagged'),
    of('global.monitoring', EXPOSED),
    of(
      'global.retention',
      'gold tables keep what they have; the log keeps log.retention_hours from ingestion',
    ),
  ],
  data_quality_rules: [
    of('alerting', NOT_YET),
    of('monitoring', 'reports are computed when they are asked for, and keep what the tables keep'),
  ],
  enrichment_taxonomy: [
    of('markets.*.instruments.system_status', 'no record is of this kind'),
    of('markets.*.currency', 'set it in normalization_rules.yaml'),
    of('markets.*.unit', 'set it in normalization_rules.yaml'),
    of('markets.*.price_unit', 'set it in normalization_rules.yaml'),
    of('global.quality_thresholds', 'quality is scored by data_quality_rules.yaml'),
    of('global.enrichment_rules.cache_enabled', 'nothing is cached: a tick is enriched from its instrument'),
    of('global.enrichment_rules.cache_ttl', 'nothing is cached: a tick is enriched from its instrument'),
    of('global.geospatial.coordinate_precision', 'operators publish no coordinates'),
    of('global.geospatial.region_mapping', 'the region is the market’s'),
    of('global.geospatial.timezone_mapping', 'the time zone is the market’s own'),
    of('global.metadata.data_quality_metrics', 'metadata is one switch: metadata.enabled'),
    of('global.metadata.business_context', 'metadata is one switch: metadata.enabled'),
    of('global.metadata.technical_context', 'metadata is one switch: metadata.enabled'),
    of('global.metadata.temporal_context', 'metadata is one switch: metadata.enabled'),
  ],
  normalization_rules: [
    of('markets.*.transforms.*.fields', 'numbers and times are read alike in every field'),
    of('global.default_timezone', 'times are UTC inside and the market’s own for labels'),
    of('global.quality_thresholds', 'quality is scored by data_quality_rules.yaml'),
    of('global.transformations.timestamp_format', 'times on the wire are microseconds'),
    of('global.transformations.string_encoding', 'records are UTF-8'),
    of('global.transformations.case_sensitivity', 'names keep their case; markets are upper case'),
  ],
  projection_policies: [
    of('clickhouse.dsn', 'only CLICKHOUSE_URL selects a server'),
    of('clickhouse.batch_size', 'inserts are sized by log.sink_records_max of runtime.yaml'),
    of('clickhouse.retries', 'writes are tried again with backoff until they succeed'),
    of('clickhouse.retry_delay', 'backoff is supervision.backoff of runtime.yaml'),
    of('redis.url', 'only REDIS_URL selects a server'),
    of('redis.pool_size', 'one connection is multiplexed'),
    of('redis.default_ttl', 'each class of the cache has its own ttl'),
    of('redis.max_memory', 'set it in the server'),
    of('cache.*.prefetch', 'an answer is cached when it is first asked for'),
    of('cache.ohlc_bars.max_entries', SHARED),
    of('cache.rolling_metrics.max_entries', SHARED),
    of('cache.curve_data.max_entries', SHARED),
    of('projection', 'inserts take what waits; see log.sink_records_max of runtime.yaml'),
    of('materialized_views', 'views are plain views: they need no refresh'),
    of('query.timeouts', 'queries end after clickhouse.timeout'),
    of('monitoring', EXPOSED),
    of('logging', 'LOG_LEVEL sets the level; lines are JSON'),
    of('health', 'dependencies are always checked'),
    of('features', 'none of these is a switch here'),
  ],
  runtime: [],
  connectors: [],
  contacts: [],
};

/** Paths of a file that a disposition names, for all markets or for one, with their reasons. */
export function withoutEffect(
  file: YamlFile,
  dispositions: readonly Disposition[],
): { readonly path: readonly string[]; readonly reason: string }[] {
  const everywhere = dispositions.flatMap((each) => [
    each,
    { path: ['market_policies', '*', ...each.path], reason: each.reason },
  ]);
  return everywhere.flatMap(({ path, reason }) =>
    matching(file.value, path, []).map((found) => ({ path: found, reason })),
  );
}

function matching(value: unknown, path: readonly string[], at: readonly string[]): (readonly string[])[] {
  const [first, ...rest] = path;
  if (first === undefined) return [at];
  if (typeof value !== 'object' || value === null) return [];
  const keys = first === '*' ? Object.keys(value) : Object.hasOwn(value, first) ? [first] : [];
  const entries = new Map<string, unknown>(Object.entries(value));
  return keys.flatMap((key) => matching(entries.get(key), rest, [...at, key]));
}
