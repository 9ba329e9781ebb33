// A slot: one stage's state inside an instrument actor, for one consuming group and input partition, with its
// committed value and the value of the batch in flight. Values are immutable, so undo is forgetting the pending one,
// and slots share nothing.
//
//              fold(seq)                 settle(seq, commit)
//   committed ───────────▶ pending(seq) ─────────────────────▶ committed'
//        ▲                     │ settle(seq, undo)
//        └─────────────────────┘

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
