// What a router is told, what it asks for, and what it remembers: the protocol between the pure router and
// the partition that carries out its effects.

import type { Batch, Commit, CommitOutcome } from './batch.ts';
import type { Step } from './behaviour.ts';
import type { HandOver } from './hand-over.ts';
import type { FoldMessage, FoldReply } from './instrument.ts';
import type { Barrier, Layout } from './layout.ts';
import type { Ledgers } from './ledger.ts';
import type { Quarantines } from './quarantine.ts';
import type { RoutedEmission, Work, WorkSettings } from './router-work.ts';
import type { Slot } from './slot.ts';
import type { Refused } from './stage.ts';

/** What a stage without instrument state makes of a batch. Records that it does not refuse are forwarded. */
export interface DirectResult {
  readonly emissions: readonly RoutedEmission[];
  readonly refused: readonly Refused[];
}

export type WorkKind =
  | { readonly kind: 'sharded'; readonly slotKey: string }
  | { readonly kind: 'direct'; readonly fold: (batch: Batch, nowMs: number) => DirectResult }
  /** Handed to the runtime: a sink, or work that reads from outside. */
  | { readonly kind: 'deferred' };

export interface RouterSettings extends WorkSettings {
  readonly work: WorkKind;
  /** Records that may wait in this partition's parking, over all its quarantined instruments. */
  readonly parkedMax: number;
}

/**
 * By `market:run`, each with the event time before which its calendar is of no concern to it; −∞: unknown, so
 * that it is told each time.
 */
export type KnownInstruments = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface Pending {
  readonly ledgers: Ledgers;
  readonly quarantines: Quarantines;
  readonly calendar: ReadonlyMap<string, number>;
}

export interface RouterState {
  readonly phase: 'polling' | 'folding' | 'committing' | 'backing-off' | 'paused' | 'stopped';
  readonly position: number;
  /** Number of the read or batch in flight; an answer to another one is ignored. */
  readonly seq: number;
  readonly work: Work | null;
  readonly ledgers: Ledgers;
  readonly quarantines: Quarantines;
  /** Taken over when the commit of the batch in flight succeeds. */
  readonly pending: Pending | null;
  /** How far event time has come, by `market:run`, milliseconds. */
  readonly calendar: ReadonlyMap<string, number>;
  /** Of the input topic, as of the position; null: version 1, no barrier was read yet. */
  readonly layout: Layout | null;
  /** Instruments seen in this partition. */
  readonly instruments: KnownInstruments;
  /** Instruments whose parked records come before anything live; the first is being released. */
  readonly toRelease: readonly string[];
  /** The instrument of which some parked records were folded already in this release. */
  readonly releasing: string | null;
  readonly draining: boolean;
  readonly held: boolean;
  /** Failures of the batch in flight, or of the read before it, so far. */
  readonly attempt: number;
}

export type RouterMessage =
  | { readonly kind: 'start' }
  | { readonly kind: 'polled'; readonly seq: number; readonly batch: Batch; readonly nowMs: number }
  /** What the parking topic holds of an instrument, from where it was drained to; empty: it is released. */
  | {
      readonly kind: 'parked';
      readonly seq: number;
      readonly instrument: string;
      readonly batch: Batch;
      readonly nowMs: number;
    }
  | { readonly kind: 'folded'; readonly reply: FoldReply }
  | { readonly kind: 'deferred'; readonly seq: number; readonly result: DirectResult }
  /** What is stored of the instruments that move, on its way to their partitions. */
  | { readonly kind: 'handed'; readonly seq: number; readonly handOver: HandOver }
  | { readonly kind: 'committed'; readonly seq: number; readonly outcome: CommitOutcome }
  /** A read, the deferred work or the commit failed; nothing of it is visible. */
  | { readonly kind: 'failed'; readonly seq: number; readonly cause: string }
  | { readonly kind: 'retry'; readonly seq: number }
  | { readonly kind: 'respawned'; readonly instrument: string }
  | { readonly kind: 'release'; readonly instrument: string }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'drain' };

export type RouterEffect =
  /** Answers when there is something; the next read of any kind makes it void. */
  | { readonly kind: 'poll'; readonly seq: number; readonly position: number }
  | { readonly kind: 'fold'; readonly instrument: string; readonly message: FoldMessage }
  | { readonly kind: 'defer'; readonly seq: number; readonly batch: Batch; readonly nowMs: number }
  /** A barrier was read, and nothing is in flight. */
  | { readonly kind: 'hand-over'; readonly seq: number; readonly barrier: Barrier }
  | { readonly kind: 'commit'; readonly seq: number; readonly commit: Commit }
  /** The batch is committed: these are the slots of its instruments now. */
  | { readonly kind: 'settle'; readonly slots: ReadonlyMap<string, Slot> }
  | { readonly kind: 'back-off'; readonly seq: number; readonly attempt: number; readonly cause: string }
  | {
      readonly kind: 'read-parked';
      readonly seq: number;
      readonly instrument: string;
      readonly fromOffset: number;
      /** Partition of the parking topic; null: the router's own. */
      readonly home: number | null;
    }
  /** These instruments live in other partitions now. */
  | { readonly kind: 'moved'; readonly barrier: Barrier; readonly instruments: ReadonlySet<string> }
  | { readonly kind: 'report'; readonly reply: FoldReply }
  | { readonly kind: 'progress'; readonly work: Work }
  | { readonly kind: 'paused'; readonly cause: string }
  | { readonly kind: 'resumed'; readonly cause: string }
  | { readonly kind: 'released'; readonly instrument: string }
  | { readonly kind: 'stopped'; readonly cause: string };

export type RouterStep = Step<RouterState, RouterEffect>;

export interface RestoredRouter {
  readonly position: number;
  readonly ledgers: Ledgers;
  readonly quarantines: Quarantines;
  readonly calendar: ReadonlyMap<string, number>;
  readonly layout: Layout | null;
  readonly instruments: Iterable<readonly [id: string, dueMs: number]>;
}
