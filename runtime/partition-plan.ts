// What a partition at work is given: the ports that it asks, and the plan of its group.

import type { Batch } from '../actors/batch.ts';
import type { FoldReply } from '../actors/instrument.ts';
import type { DirectResult, RouterSettings } from '../actors/router-protocol.ts';
import type { Work } from '../actors/router-work.ts';
import type { Slot } from '../actors/slot.ts';
import type { BackoffPolicy } from '../actors/supervision.ts';
import type { Directory } from './directory.ts';
import type { Clock, Draw, Host } from './host.ts';
import type { Log } from './log/log.ts';
import type { RecordEvent } from './views.ts';

export interface PartitionPorts {
  readonly host: Host;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly log: Log;
  readonly directory: Directory;
  readonly record: RecordEvent;
}

export interface PartitionPlan {
  readonly settings: RouterSettings;
  readonly recordsMax: number;
  readonly backoff: BackoffPolicy;
  /** For sharded work: makes an instrument's slot from its packed parts; null: a new instrument. */
  readonly slot: ((id: string, parts: ReadonlyMap<string, Uint8Array> | null) => Slot) | null;
  /** For deferred work: resolves when it is done for good; rejects when it must be tried again. */
  readonly work: ((batch: Batch, nowMs: number) => Promise<DirectResult>) | null;
  readonly progress: (work: Work, seconds: number) => void;
  /** A defect of an instrument, for the supervisor above. */
  readonly defect: (reply: FoldReply) => void;
}
