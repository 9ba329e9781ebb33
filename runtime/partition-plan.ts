// What a partition at work is given: the ports that it asks, and the plan of its group.

import type { Batch } from '../actors/batch.ts';
import type { FoldReply } from '../actors/instrument.ts';
import type { DirectResult, RouterSettings } from '../actors/router-protocol.ts';
import type { Work } from '../actors/router-work.ts';
import type { StageRecord } from '../actors/stage.ts';
import type { BackoffPolicy } from '../actors/supervision.ts';
import type { Directory } from './directory.ts';
import type { Clock, Draw, Host } from './host.ts';
import type { Log } from './log/log.ts';
import type { Retries } from './retries.ts';
import type { SlotMaker } from './slot-maker.ts';
import type { RecordEvent } from './views.ts';

export interface PartitionPorts {
  readonly host: Host;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly log: Log;
  readonly directory: Directory;
  readonly record: RecordEvent;
  /** Of the group: one outage for all of its partitions. */
  readonly retries: Retries;
}

export interface PartitionPlan {
  readonly settings: RouterSettings;
  readonly recordsMax: number;
  readonly backoff: BackoffPolicy;
  /** For sharded work. */
  readonly slot: SlotMaker | null;
  /**
   * What the stage folded of an instrument that retention has taken from the input; null: the stage goes by
   * what is left of it.
   */
  readonly past: ((id: string) => Promise<readonly StageRecord[]>) | null;
  /** For deferred work: resolves when it is done for good; rejects when it must be tried again. */
  readonly work: ((batch: Batch, nowMs: number) => Promise<DirectResult>) | null;
  readonly progress: (work: Work, seconds: number) => void;
  /** A defect of an instrument, for the supervisor above. */
  readonly defect: (reply: FoldReply) => void;
}

/** How the life of a router ends by itself. */
export interface PartitionEnded {
  readonly crashed: (error: unknown) => void;
  /** It was told that another member has its partition, and has stopped. */
  readonly fenced: () => void;
}
