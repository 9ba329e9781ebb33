// Metrics of a service in Prometheus terms: the owner of prom-client. One registry a service port; labels are
// bounded (markets, kinds, topics, partitions), never instruments.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PartitionLag } from './log/log.ts';
import type { LedgerView, ServiceName } from './views.ts';

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class Telemetry {
  readonly registry = new Registry();
  readonly #service: ServiceName;
  readonly #records: Gauge;
  readonly #latency: Histogram;
  readonly #endToEnd: Histogram;
  readonly #errors: Counter;
  readonly #lag: Gauge;
  readonly #imbalance: Gauge;
  readonly #written: Histogram;
  readonly #extracted: Counter;
  readonly #cacheHits: Gauge;
  readonly #quality: Gauge;
  readonly #anomalies: Gauge;

  constructor(service: ServiceName) {
    this.#service = service;
    const registers = [this.registry];
    const stage = service.replaceAll('-', '_');
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, registers });
    this.#records = gauge(
      `${stage}_records_processed_total`,
      'Records read, by market and disposition; committed with their batches',
      ['market', 'disposition'],
    );
    this.#latency = new Histogram({
      name: `${stage}_latency_seconds`,
      help: 'From the read of a batch to its commit',
      buckets: SECONDS,
      registers,
    });
    this.#endToEnd = new Histogram({
      name: 'pipeline_end_to_end_seconds',
      help: 'From the append of a raw record to its enriched tick in ClickHouse, one sample a batch',
      buckets: [...SECONDS, 120, 300, 600],
      registers,
    });
    this.#errors = new Counter({
      name: `${stage}_errors_total`,
      help: 'Defects, quarantines and failed attempts, by kind',
      labelNames: ['kind'],
      registers,
    });
    this.#lag = gauge('kafka_consumer_lag', 'Records that the group has not committed', [
      'service',
      'topic',
      'partition',
    ]);
    this.#imbalance = gauge(
      'conservation_imbalance',
      'Records read without a disposition; 0 or data was lost',
      ['market'],
    );
    this.#written = new Histogram({
      name: 'clickhouse_write_latency_seconds',
      help: 'One insert, by topic',
      labelNames: ['topic'],
      buckets: SECONDS,
      registers,
    });
    this.#extracted = new Counter({
      name: 'connector_records_extracted_total',
      help: 'Raw records put on the log by connectors',
      labelNames: ['market'],
      registers,
    });
    this.#cacheHits = gauge('cache_hit_ratio', 'Share of cache lookups that were hits, 0–1');
    this.#quality = gauge('dq_quality_score_avg', 'Mean quality score of the last 24 hours', ['market']);
    this.#anomalies = gauge('dq_anomaly_rate', 'Anomalies per record of the last 24 hours', ['market']);
    collectDefaultMetrics({ register: this.registry });
  }

  batch(seconds: number): void {
    this.#latency.observe(seconds);
  }

  endToEnd(seconds: number): void {
    this.#endToEnd.observe(Math.max(0, seconds));
  }

  error(kind: string): void {
    this.#errors.inc({ kind });
  }

  written(topic: string, millis: number): void {
    this.#written.observe({ topic }, millis / 1_000);
  }

  extracted(market: string, records: number): void {
    this.#extracted.inc({ market }, records);
  }

  cacheRatio(ratio: number): void {
    this.#cacheHits.set(ratio);
  }

  quality(market: string, average: number, anomaliesPerRecord: number): void {
    this.#quality.set({ market }, average);
    this.#anomalies.set({ market }, anomaliesPerRecord);
  }

  /** The text of `/metrics`, with lag and ledgers as of now. */
  async text(lag: readonly PartitionLag[], ledgers: ReadonlyMap<string, LedgerView>): Promise<string> {
    this.#lag.reset();
    for (const { topic, partition, lag: records } of lag) {
      this.#lag.set({ service: this.#service, topic, partition: String(partition) }, records);
    }
    for (const [market, ledger] of ledgers) {
      const { first, revision, duplicate, rejected, parked, forwarded } = ledger;
      const dispositions = { first, revision, duplicate, rejected, parked, forwarded };
      let settled = 0;
      for (const [disposition, count] of Object.entries(dispositions)) {
        this.#records.set({ market, disposition }, count);
        settled += count;
      }
      this.#imbalance.set({ market }, ledger.read - settled);
    }
    return this.registry.metrics();
  }
}
