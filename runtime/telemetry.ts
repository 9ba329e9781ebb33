// Metrics in Prometheus terms. A registry for each service port with what that
// service does, and one for the process, which every port shows. Labels are bounded (markets, kinds, topics,
// partitions), never instruments. Counts that commit with the batches are read from the ledgers at a scrape,
// so a restart goes on counting where it was.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Run } from '../actors/live/run.ts';
import type { PartitionLag } from './log/log.ts';
import { type Makers, type Own, ownMetrics, SECONDS } from './telemetry-own.ts';
import { EVENT_KINDS, type EventKind, type LedgerView, type StageName } from './views.ts';

/** What is read when a scrape asks. */
export interface Scrape {
  readonly lag: readonly PartitionLag[];
  readonly ledgers: ReadonlyMap<string, LedgerView>;
  /** Mean score and anomalies per record of the last 24 hours, by market; empty: unknown. */
  readonly quality: readonly MarketQuality[];
  /** Broken rules since the data was made. */
  readonly invalid: readonly { readonly market: string; readonly rule: string; readonly n: number }[];
  readonly cacheRatio: number | null;
  /** Cached answers that went, by reason; null: there is no cache yet. */
  readonly cacheRemoved: Readonly<Record<string, number>> | null;
  /** How often the cache was found flushed. */
  readonly cacheFlushes: number;
  readonly nowMs: number;
}

export interface MarketQuality {
  readonly market: string;
  readonly average: number;
  readonly anomaliesPerRecord: number;
}

function makersOf(registers: Registry[]): Makers {
  return {
    gauge: (name, help, labelNames) => new Gauge({ name, help, labelNames, registers }),
    counter: (name, help, labelNames) => new Counter({ name, help, labelNames, registers }),
    seconds: (name, help, labelNames, buckets) =>
      new Histogram({ name, help, labelNames, buckets, registers }),
  };
}

/** Metrics of one service. */
export class Telemetry {
  readonly #registry = new Registry();
  readonly #service: StageName;
  readonly #process: ProcessTelemetry;
  readonly #connectors: ConnectorTelemetry | null;
  readonly #records: Counter;
  readonly #latency: Histogram;
  readonly #errors: Counter;
  readonly #lag: Gauge;
  readonly #imbalance: Gauge;
  readonly #own: Own;
  /** When the newest raw record was appended whose enriched tick is in ClickHouse, by market, ms. */
  readonly #newestMs = new Map<string, number>();

  constructor(service: StageName, process: ProcessTelemetry, connectors: ConnectorTelemetry | null = null) {
    this.#service = service;
    this.#process = process;
    this.#connectors = connectors;
    const registers = [this.#registry];
    const stage = service.replaceAll('-', '_');
    this.#records = new Counter({
      name: `${stage}_records_processed_total`,
      help: 'Records read, by market and disposition; committed with their batches',
      labelNames: ['market', 'disposition'],
      registers,
    });
    this.#latency = new Histogram({
      name: `${stage}_latency_seconds`,
      help: 'From the read of a batch to its commit',
      buckets: SECONDS,
      registers,
    });
    this.#errors = new Counter({
      name: `${stage}_errors_total`,
      help: 'Rejected records, defects, quarantines, restarts and faults of what is outside, by kind',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of ['rejected', 'defect', 'quarantine']) this.#errors.inc({ kind }, 0);
    this.#lag = new Gauge({
      name: 'kafka_consumer_lag',
      help: 'Records that the group has not committed',
      labelNames: ['service', 'topic', 'partition'],
      registers,
    });
    this.#imbalance = new Gauge({
      name: 'conservation_imbalance',
      help: 'Records read without a disposition; 0 or data was lost',
      labelNames: ['service', 'market'],
      registers,
    });
    this.#own = ownMetrics(service, makersOf(registers));
  }

  batch(seconds: number): void {
    this.#latency.observe(seconds);
  }

  error(kind: string, count: number): void {
    this.#errors.inc({ kind }, count);
  }

  /** From the append of a raw record to its enriched tick in ClickHouse. */
  endToEnd(seconds: number): void {
    this.#own.endToEnd?.observe(Math.max(0, seconds));
  }

  /** The enriched tick of a raw record that was appended then is in ClickHouse. */
  projected(market: string, ingestedMs: number): void {
    this.#newestMs.set(market, Math.max(ingestedMs, this.#newestMs.get(market) ?? 0));
  }

  written(topic: string, millis: number): void {
    this.#own.written?.observe({ topic }, millis / 1_000);
  }

  /** The text of `/metrics`, format 0.0.4. */
  async text(scrape: Scrape): Promise<string> {
    this.#lag.reset();
    for (const { topic, partition, lag } of scrape.lag) {
      this.#lag.set({ service: this.#service, topic, partition: String(partition) }, lag);
    }
    this.#records.reset();
    for (const [market, ledger] of scrape.ledgers) this.#ledger(market, ledger);
    this.#projection(scrape);
    const { quality, anomalies, invalid } = this.#own;
    quality?.reset();
    anomalies?.reset();
    for (const { market, average, anomaliesPerRecord } of scrape.quality) {
      quality?.set({ market }, average);
      anomalies?.set({ market }, anomaliesPerRecord);
    }
    invalid?.reset();
    for (const { market, rule, n } of scrape.invalid) invalid?.inc({ market, rule }, n);
    const fed = this.#connectors === null ? '' : `${await this.#connectors.text()}\n`;
    return `${await this.#registry.metrics()}\n${fed}${await this.#process.text()}`;
  }

  #projection({ cacheRatio, cacheRemoved, cacheFlushes, nowMs }: Scrape): void {
    const own = this.#own;
    if (cacheRatio !== null) own.cacheRatio?.set(cacheRatio);
    own.cacheRemoved?.reset();
    for (const [reason, count] of Object.entries(cacheRemoved ?? {}))
      own.cacheRemoved?.inc({ reason }, count);
    own.cacheFlushes?.reset();
    own.cacheFlushes?.inc(cacheFlushes);
    for (const [market, ms] of this.#newestMs) {
      own.freshness?.set({ market }, Math.max(0, nowMs - ms) / 1_000);
    }
  }

  #ledger(market: string, ledger: LedgerView): void {
    const { first, revision, duplicate, rejected, parked, forwarded } = ledger;
    const dispositions = { first, revision, duplicate, rejected, parked, forwarded };
    let settled = 0;
    for (const [disposition, count] of Object.entries(dispositions)) {
      this.#records.inc({ market, disposition }, Math.max(0, count));
      settled += count;
    }
    this.#imbalance.set({ service: this.#service, market }, ledger.read - settled);
  }
}

/** Actors of a market, as of now. */
export interface Actors {
  readonly market: string;
  readonly instruments: number;
  readonly live: number;
  readonly quarantined: number;
}

/** Where the process keeps its state. */
export interface Disk {
  readonly usedBytes: number;
  readonly freeBytes: number;
}

const KEPT = /^(process_|nodejs_eventloop_lag)/;

/** Metrics of the process as a whole. */
export class ProcessTelemetry {
  readonly #registry = new Registry();
  readonly #events: Counter;
  readonly #actors: Gauge;
  readonly #disk: Gauge;
  readonly #look: () => { readonly actors: readonly Actors[]; readonly disk: Disk | null };

  /** `look` is asked at each scrape. */
  constructor(look: () => { readonly actors: readonly Actors[]; readonly disk: Disk | null }) {
    this.#look = look;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    // What prom-client says of V8's heap and of Node's handles does not exist in Bun.
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (!KEPT.test(name)) this.#registry.removeSingleMetric(name);
    }
    this.#events = new Counter({
      name: 'supervisor_events_total',
      help: 'Events of the supervisors since the start of the process, by kind',
      labelNames: ['kind'],
      registers,
    });
    for (const kind of EVENT_KINDS) this.#events.inc({ kind }, 0);
    this.#actors = new Gauge({
      name: 'instrument_actors',
      help: 'Instrument actors by market and state',
      labelNames: ['market', 'state'],
      registers,
    });
    this.#disk = new Gauge({
      name: 'state_dir_bytes',
      help: 'Bytes of the log’s files, and bytes free where they stand',
      labelNames: ['of'],
      registers,
    });
  }

  event(kind: EventKind): void {
    this.#events.inc({ kind });
  }

  async text(): Promise<string> {
    const { actors, disk } = this.#look();
    this.#actors.reset();
    for (const { market, live, quarantined } of actors) {
      this.#actors.set({ market, state: 'running' }, live - quarantined);
      this.#actors.set({ market, state: 'quarantined' }, quarantined);
    }
    if (disk !== null) {
      this.#disk.set({ of: 'log' }, disk.usedBytes);
      this.#disk.set({ of: 'free' }, disk.freeBytes);
    }
    return this.#registry.metrics();
  }
}

// On the port of normalization, or on the connectors' own.
export class ConnectorTelemetry {
  readonly #registry = new Registry();
  readonly #extracted: Counter;
  readonly #seconds: Histogram;
  readonly #runs: Counter;

  constructor(markets: readonly string[]) {
    const registers = [this.#registry];
    this.#extracted = new Counter({
      name: 'connector_records_extracted_total',
      help: 'Raw records put on the log by connectors since the start of the process',
      labelNames: ['market'],
      registers,
    });
    for (const market of markets) this.#extracted.inc({ market }, 0);
    this.#seconds = new Histogram({
      name: 'connector_request_seconds',
      help: 'From a request to the last byte of its answer, without waiting for a turn',
      labelNames: ['market', 'endpoint'],
      buckets: [...SECONDS, 120],
      registers,
    });
    this.#runs = new Counter({
      name: 'connector_runs_total',
      help: 'Windows and lists of corrections asked for, by feed and what became of it',
      labelNames: ['market', 'feed', 'outcome'],
      registers,
    });
  }

  extracted(market: string, records: number): void {
    this.#extracted.inc({ market }, records);
  }

  requested(market: string, endpoint: string, seconds: number): void {
    this.#seconds.observe({ market, endpoint }, seconds);
  }

  ran(market: string, { feed, outcome }: Run): void {
    this.#runs.inc({ market, feed, outcome });
  }

  readonly text = () => this.#registry.metrics();
}
