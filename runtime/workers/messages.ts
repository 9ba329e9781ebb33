// What the thread of the process and its workers say to each other. Everything is a value that can be copied.

import type { Environment } from '../../configs/environment.ts';
import type { Config } from '../../configs/load.ts';
import type { Done } from '../done.ts';
import type { Assigned, LogCall } from '../log/log-calls.ts';
import type { PartitionLedgers } from '../partition-ledgers.ts';
import type { GroupName } from '../services.ts';
import type { Restoring } from '../staleness.ts';
import type { Actors } from '../telemetry.ts';
import type { RecordEvent } from '../views.ts';
import type { Failure } from '../write-failure.ts';

/** What a worker is started with. */
export interface Order {
  /** `w2` …: the process's own thread is the first. */
  readonly worker: string;
  readonly config: Config;
  readonly environment: Environment;
  /** ClickHouse, which somebody else keeps alive. */
  readonly clickhouseUrl: string;
}

/** How a worker's groups are, and what its partitions have counted. */
export interface Report {
  readonly groups: readonly GroupReport[];
  readonly ledgers: readonly PartitionLedgers[];
  readonly actors: readonly Actors[];
  /** Bytes of its own heap. */
  readonly heapBytes: number;
}

export interface GroupReport {
  readonly group: GroupName;
  readonly ready: boolean;
  /** Why a partition does not go on; null when all do. */
  readonly stuck: string | null;
  readonly quarantined: number;
  readonly restoring: Restoring | null;
  /** What retention took before it was read, in words. */
  readonly gaps: readonly string[];
}

/** About the actors that live in a worker: the calls of ActorsPlace. */
export type Question =
  | { readonly call: 'tree' }
  | { readonly call: 'markets' }
  | {
      readonly call: 'market';
      readonly market: string;
      readonly limit: number;
      readonly after: string | null;
    }
  | { readonly call: 'instruments'; readonly market: string; readonly name: string }
  | { readonly call: 'near'; readonly market: string; readonly name: string }
  | { readonly call: 'release'; readonly instrument: string };

export type ToWorker =
  | Assigned
  | { readonly call: 'start'; readonly order: Order }
  | { readonly call: 'leaving' }
  | { readonly call: 'drain'; readonly group: GroupName }
  /** After every group has drained. */
  | { readonly call: 'close' }
  | { readonly call: 'report' }
  | Question;

/** Told by a worker; nothing is answered. */
export type News =
  | { readonly call: 'event'; readonly event: Parameters<RecordEvent>[0] }
  | { readonly call: 'done'; readonly done: Done }
  | {
      readonly call: 'wrote';
      readonly topic: string;
      readonly rows: number;
      readonly millis: number;
      readonly keys: ReadonlySet<string>;
    }
  | { readonly call: 'failed'; readonly failure: Failure }
  | { readonly call: 'exhausted'; readonly cause: string };

export type FromWorker = LogCall | News;
