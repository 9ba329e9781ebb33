// What the HTTP layer may see of a running process. Views answer from memory or from the log, are bounded,
// and never walk what they do not show. The composition root fills them in; routes under http/ only shape
// JSON.

import type { DeadLetter } from '../actors/domain/wire.ts';
import type { PartitionLag } from './log/log.ts';

/** Services that are stages of the pipeline. */
export type StageName = 'normalization' | 'enrichment' | 'aggregation' | 'projection' | 'data-quality';
export type ServiceName = StageName | 'connectors';

export type DependencyStatus = 'up' | 'down' | 'degraded' | 'embedded' | 'standby';

export interface DependencyView {
  readonly status: DependencyStatus;
  /** Host and port or path, never a password. */
  readonly target: string;
  /** Why it is not up; null when it is. */
  readonly cause: string | null;
  /** How long it took to say so, of what was asked. */
  readonly latency_ms?: number;
  readonly pool?: { readonly size: number; readonly in_use: number };
}

export interface HealthView {
  /** healthy and degraded answer 200; starting, unhealthy and draining 503. */
  readonly status: 'healthy' | 'degraded' | 'starting' | 'unhealthy' | 'draining';
  readonly cause: string | null;
  readonly dependencies: Readonly<Record<string, DependencyView>>;
}

/** Counts since the data directory was made; they commit with the batches (design §3.7). */
export interface LedgerView {
  readonly read: number;
  readonly first: number;
  readonly revision: number;
  readonly duplicate: number;
  readonly rejected: number;
  readonly parked: number;
  readonly forwarded: number;
  /** Records written, by destination. */
  readonly emitted: Readonly<Record<string, number>>;
}

export interface ServiceView {
  readonly name: ServiceName;
  readonly port: number;
  readonly group: string;
  readonly description: string;
  readonly startedMs: number;
  health(): Promise<HealthView>;
  /** State is restored and traffic may come; else why not. */
  ready(): { readonly ready: boolean; readonly cause: string | null };
  /** Version, parallelism, effective settings, inputs and outputs, configuration hash. JSON, no secrets. */
  info(): Readonly<Record<string, unknown>>;
  lag(): Promise<readonly PartitionLag[]>;
  /** By market. */
  ledger(): Promise<ReadonlyMap<string, LedgerView>>;
  /** Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
}

/** Part of the state that an answer depends on is still being restored. */
export interface Stale {
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly groups: readonly {
    readonly group: string;
    readonly restored: number;
    /** 0: not known yet. */
    readonly partitions: number;
  }[];
  readonly message: string;
}

export interface TreeNode {
  readonly path: string;
  /** Where it lives, when there are several workers or processes. */
  readonly place?: string;
  readonly kind: 'root' | 'service' | 'router' | 'market' | 'shard' | 'connector' | 'feed' | 'sink';
  readonly state: string;
  readonly children: number;
  /**
   * Instruments below it, how many of them have an actor (the others rest until one is needed), and how many
   * are in quarantine; absent where there are none.
   */
  readonly instruments?: number;
  readonly live?: number;
  readonly quarantined?: number;
  /** Restarts left before it escalates. */
  readonly budget_left: number | null;
  /** Of a router: what it waits for, and since when; ISO 8601. */
  readonly waits_for?: string;
  readonly since?: string;
  /** Of a router whose partition has a lag and does not move. */
  readonly stands_still?: boolean;
  readonly nodes: readonly TreeNode[];
  /** Of the root, while it holds. */
  readonly stale?: Stale;
}

export interface MarketView {
  readonly market: string;
  readonly instruments: number;
  readonly quarantined: readonly string[];
  /** Greatest watermark of its instruments, by run. */
  readonly watermarks: Readonly<Record<string, string>>;
  /** Records that groups have still to read, by group. Markets share the topics after normalization. */
  readonly lag: Readonly<Record<string, number>>;
  readonly ticks_per_second: number;
  readonly rows: readonly InstrumentSummary[];
  /** Id to pass as `after` for the next page; null on the last. */
  readonly next: string | null;
  readonly stale?: Stale;
}

export interface InstrumentSummary {
  readonly instrument_id: string;
  /** Null while it rests: it is stored, and gets an actor when a record or its calendar needs one. */
  readonly shard: string | null;
  /** `running`, `resting`, `quarantined`. */
  readonly state: string;
  readonly watermark: string | null;
  readonly restarts: number;
}

export type InstrumentView = Readonly<Record<string, unknown>> & {
  readonly instrument_id: string;
  readonly stale?: Stale;
};

export type Released = 'released' | 'not_quarantined' | 'unknown';

/** The actors of one place: a thread, or a process as one. */
export interface ActorsPlace {
  tree(): Promise<TreeNode>;
  markets(): Promise<readonly string[]>;
  /** A page of a market's instruments in id order, at most `limit`; null when there is no such market. */
  market(market: string, limit: number, after: string | null): Promise<MarketView | null>;
  /** `RTPD:TH_SP15_GEN-APND`, or a bare location for all its runs; empty when unknown. */
  instruments(market: string, name: string): Promise<readonly InstrumentView[]>;
  /** Up to ten ids that look like it, nearest first. */
  near(market: string, name: string): Promise<readonly string[]>;
  /** Lets a quarantined instrument go on; parked records first. */
  release(instrumentId: string): Promise<Released>;
}

/** What all places together say, and which of them did not answer in time. */
export interface Whole<T> {
  readonly of: T;
  readonly missing: readonly string[];
}

type Wholly<Of> = {
  readonly [K in keyof Of]: Of[K] extends (...words: infer W) => Promise<infer T>
    ? (...words: W) => Promise<Whole<T>>
    : never;
};

/** The actors of a service, wherever they live. */
export type ActorsView = Wholly<ActorsPlace>;

export const EVENT_KINDS = [
  'start',
  'restart',
  'stop',
  'defect',
  'quarantine',
  'release',
  'escalation',
  'rebalance',
  'pause',
  'resume',
  'drain',
  'dead_letter',
  'dependency_down',
  'dependency_up',
  'data_loss',
  'replay',
  'topic_differs',
  'note',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface SupervisorEvent {
  /** Order of the events of this process, 1 first. */
  readonly seq: number;
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly kind: EventKind;
  readonly service: string;
  readonly actor: string;
  readonly cause: string;
  readonly decision: string;
  readonly budget_left: number | null;
}

/** Puts an event on the supervisor's log. Never throws. */
export type RecordEvent = (event: Omit<SupervisorEvent, 'seq' | 'time'>) => void;

export interface EventQuery {
  /** Only those with a greater number. With `sinceSeq` or `sinceMs` the oldest come first, so that a reader
   * can go on from the last one; without, the newest. */
  readonly sinceSeq: number | null;
  readonly sinceMs: number | null;
  /** Prefix of the actor path. */
  readonly actor: string | null;
  readonly kind: string | null;
  readonly limit: number;
}

export interface EventsView {
  list(query: EventQuery): readonly SupervisorEvent[];
  subscribe(listener: (event: SupervisorEvent) => void): () => void;
}

export interface DeadLettersView {
  /** Newest first; `cursor` from the previous page. */
  list(query: {
    readonly limit: number;
    readonly cursor: string | null;
    readonly reason: string | null;
    /** Consumer group that refused it, such as `aggregation-service`. */
    readonly service: string | null;
  }): Promise<{
    readonly letters: readonly DeadLetter[];
    readonly next: string | null;
    readonly total: number;
  }>;
}

export type Json = Readonly<Record<string, unknown>>;

export interface BackfillWish {
  readonly market: string;
  readonly run: string;
  /** Operating days, both included. */
  readonly from: string;
  readonly to: string;
  readonly onlyMissing: boolean;
}

/**
 * Why something is not done: nothing of that name runs here, it can never be done, not now, another process
 * is to be asked, or it begins.
 */
export interface Refused {
  readonly refused: 'unknown' | 'wrong' | 'refused' | 'elsewhere' | 'starting';
  readonly message: string;
  /** What there is instead; addresses of who is to be asked. */
  readonly known: readonly string[];
}

/** Live connectors of this process, with the field names of the wire. Names are those of connectors.yaml. */
export interface ConnectorsView {
  /** Of those that run here; empty while recordings are replayed instead. */
  readonly names: readonly string[];
  /** Null: none of that name runs here. */
  connector(name: string): Json | null;
  health(name: string): { readonly healthy: boolean; readonly body: Json } | null;
  /** Newest first, at most `limit`. */
  runs(name: string, limit: number): readonly Json[] | null;
  /** Remembered on the log before it acts. What is in flight finishes. */
  turn(name: string, enabled: boolean, reason: string | null): Promise<Json | Refused>;
  fetchNow(name: string): Json | Refused;
  /** Where to ask what this process does not follow. Null: here, or nowhere. */
  readonly elsewhere: {
    connector(name: string): Promise<Refused | null>;
    all(): Promise<Refused | null>;
  };
  /** What of an operating day is on the log, and what of it is missing by name. */
  completeness(market: string, date: string, run: string | null): Promise<Json | Refused>;
  backfills(): readonly Json[];
  backfill(id: string): Json | null;
  startBackfill(wish: BackfillWish): Promise<Json | Refused>;
  cancelBackfill(id: string): Promise<Json | Refused>;
}
