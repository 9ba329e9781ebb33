// A slot: one stage's state inside an instrument actor, for one consuming group and input partition, with its
// committed value and the value of the batch in flight. Values are immutable, so undo is forgetting the
// pending one, and slots share nothing.
//
//              fold(seq)                 settle(seq, commit)
//   committed ───────────▶ pending(seq) ─────────────────────▶ committed'
//        ▲                     │ settle(seq, undo)
//        └─────────────────────┘

import { Defect } from './domain/invariant.ts';
import type { Stage, StageContext, StageRecord, StageResult, StoredPart } from './stage.ts';

export interface Fold {
  readonly slot: Slot;
  readonly result: Omit<StageResult<unknown>, 'state'>;
}

/** Hides the type of the stage's state, so that an actor can hold slots of different stages. */
export interface Slot {
  readonly stage: string;
  /** Sequence number of the batch in flight; null between batches. */
  readonly pendingSeq: number | null;
  /** Folds on from the pending state if it belongs to `seq`, else from the committed one. */
  fold(seq: number, records: readonly StageRecord[], context: StageContext): Fold;
  advance(seq: number, toMs: number, context: StageContext): Fold;
  /** What the pending state changes of the committed one; empty when nothing is in flight. */
  changes(): readonly StoredPart[];
  commit(): Slot;
  undo(): Slot;
  /** Of the committed state: no look ever sees half a batch. */
  inspect(): Readonly<Record<string, unknown>>;
}

interface Pending<State> {
  readonly seq: number;
  readonly state: State;
}

/** A slot over `committed`, with nothing in flight. */
export function slotOf<State>(stage: Stage<State>, committed: State): Slot {
  return makeSlot(stage, committed, null);
}

/**
 * The slot of an instrument whose stored state cannot be read. Every record is a defect, so the instrument
 * goes to quarantine and its records are parked instead of being folded onto a wrong state.
 */
export function unreadableSlot(stage: string, cause: string): Slot {
  const fail = (): never => {
    throw new Defect(`the stored ${stage} state cannot be read: ${cause}`);
  };
  const slot: Slot = {
    stage,
    pendingSeq: null,
    fold: fail,
    advance: fail,
    changes: () => [],
    commit: () => slot,
    undo: () => slot,
    inspect: () => ({ unreadable: cause }),
  };
  return slot;
}

function makeSlot<State>(stage: Stage<State>, committed: State, pending: Pending<State> | null): Slot {
  const from = (seq: number): State => (pending !== null && pending.seq === seq ? pending.state : committed);
  const next = (seq: number, result: StageResult<State>): Fold => ({
    slot: makeSlot(stage, committed, { seq, state: result.state }),
    result,
  });
  return {
    stage: stage.name,
    pendingSeq: pending?.seq ?? null,
    fold: (seq, records, context) => next(seq, stage.process(from(seq), records, context)),
    advance: (seq, toMs, context) => next(seq, stage.advance(from(seq), toMs, context)),
    changes: () => (pending === null ? [] : stage.store(committed, pending.state)),
    commit: () =>
      pending === null ? makeSlot(stage, committed, null) : makeSlot(stage, pending.state, null),
    undo: () => makeSlot(stage, committed, null),
    inspect: () => stage.inspect(committed),
  };
}
