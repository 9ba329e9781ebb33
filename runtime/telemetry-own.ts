// Metrics that only some services have: what projection and its cache do, and what data quality finds. What
// all services have stands in telemetry.ts.

import type { StageName } from './views.ts';

/** Bounds of a histogram of seconds. */
export const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type Labels = Readonly<Record<string, string>>;

/** A number that is set. */
export interface Gauged {
  set(value: number): void;
  set(labels: Labels, value: number): void;
  reset(): void;
}

/** A number that grows. */
export interface Counted {
  inc(value: number): void;
  inc(labels: Labels, value: number): void;
  reset(): void;
}

/** A histogram of seconds. */
export interface Timed {
  observe(value: number): void;
  observe(labels: Labels, value: number): void;
}

/** Makes metrics of one registry. */
export interface Makers {
  gauge(name: string, help: string, labels: string[]): Gauged;
  counter(name: string, help: string, labels: string[]): Counted;
  seconds(name: string, help: string, labels: string[], buckets: number[]): Timed;
}

/** What only some services have. */
export interface Own {
  readonly endToEnd?: Timed;
  readonly written?: Timed;
  readonly cacheRatio?: Gauged;
  readonly cacheRemoved?: Counted;
  readonly cacheFlushes?: Counted;
  readonly freshness?: Gauged;
  readonly quality?: Gauged;
  readonly anomalies?: Gauged;
  readonly invalid?: Counted;
}

export function ownMetrics(service: StageName, { gauge, counter, seconds }: Makers): Own {
  if (service === 'projection') {
    const cacheRemoved = counter(
      'cache_invalidations_total',
      'Cached answers that went: rows had overtaken them, or they were removed on request',
      ['reason'],
    );
    const cacheFlushes = counter(
      'cache_flush_detected_total',
      'How often everything that the cache had kept was found gone: flushed, or Redis restarted',
      [],
    );
    const whole = 'From the append of a raw record to its enriched tick in ClickHouse, one sample a batch';
    return {
      endToEnd: seconds('pipeline_end_to_end_seconds', whole, [], [...SECONDS, 120, 300, 600]),
      written: seconds('clickhouse_write_latency_seconds', 'One insert, by topic', ['topic'], SECONDS),
      cacheRatio: gauge('cache_hit_ratio', 'Share of cache lookups that were hits, 0–1; 1 before any', []),
      cacheRemoved,
      cacheFlushes,
      freshness: gauge(
        'projection_freshness_seconds',
        'Since the append of the newest raw record whose enriched tick is in ClickHouse',
        ['market'],
      ),
    };
  }
  if (service !== 'data-quality') return {};
  return {
    quality: gauge('dq_quality_score_avg', 'Mean quality score of the last 24 hours, 0–1', ['market']),
    anomalies: gauge('dq_anomaly_rate', 'Anomalies per record of the last 24 hours', ['market']),
    invalid: counter(
      'dq_validation_errors_total',
      'Values that broke a rule, by rule; a record counts once for each',
      ['market', 'rule'],
    ),
  };
}
