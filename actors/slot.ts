// A slot: one stage's state inside an instrument actor, for one consuming group and input partition. A slot
// is a value. Folding gives a candidate beside it and changes nothing, so undo is forgetting the candidate,
// slots share nothing, and doing a batch again gives the same candidate.
//
//   committed ──fold, advance──▶ candidate ──settled──▶ committed'
//        └───────── forgotten ◀──────┘ (abort, fence, crash)

import { Defect } from './domain/invariant.ts';
import type { Stage, StageContext, StageRecord, StageResult, StoredPart } from './stage.ts';
import { NO_RESTARTS, type RestartWindow } from './supervision.ts';

export interface Fold {
  readonly slot: Slot;
  readonly result: Omit<StageResult<unknown>, 'state'>;
}

/** Hides the type of the stage's state, so that an actor can hold slots of different stages. */
export interface Slot {
  readonly stage: string;
  /** Defects of this slot within the period; they commit with the batch they were found in. */
  readonly defects: RestartWindow;
  /** Why no record may be folded on this state; null: any may. */
  readonly unusable: string | null;
  /** Both throw what the stage throws. */
  fold(records: readonly StageRecord[], context: StageContext): Fold;
  advance(toMs: number, context: StageContext): Fold;
  /** What a candidate changes of the state that is stored. */
  changes(): readonly StoredPart[];
  noting(defects: RestartWindow): Slot;
  /** The candidate's state is stored now. */
  settled(): Slot;
  /** What is stored is damaged: the next change stores the whole state, and removes the rest of `parts`. */
  replacing(parts: readonly string[]): Slot;
  /** The whole state as it stands in the log, for a rest without an actor; null: it differs. */
  packed(): readonly (readonly [part: string, bytes: Uint8Array])[] | null;
  /** For a release: the whole budget again, and the state under a suspension. */
  renewed(): Slot;
  /** Offset of the last record folded in this process; null before the first. */
  readonly lastOffset: number | null;
  watermarkMs(): number | null;
  /** See the stage's; −Infinity: it is to be told each time. */
  dueMs(): number;
  inspect(): Readonly<Record<string, unknown>>;
}

/** A slot over `committed`, with nothing in flight. */
export function slotOf<State>(stage: Stage<State>, committed: State): Slot {
  return makeSlot(stage, { state: committed, damaged: [] }, committed, NO_RESTARTS, null);
}

/** What stands in the log: null and the names of its parts when it is damaged. */
interface Stored<State> {
  readonly state: State | null;
  readonly damaged: readonly string[];
}

function makeSlot<State>(
  stage: Stage<State>,
  stored: Stored<State>,
  state: State,
  defects: RestartWindow,
  lastOffset: number | null,
): Slot {
  const next = ({ state: folded, ...result }: StageResult<State>, offset: number | null): Fold => ({
    slot: makeSlot(stage, stored, folded, defects, offset),
    result,
  });
  return {
    stage: stage.name,
    defects,
    unusable: null,
    fold: (records, context) =>
      next(stage.process(state, records, context), records.at(-1)?.offset ?? lastOffset),
    advance: (toMs, context) => next(stage.advance(state, toMs, context), lastOffset),
    changes: () => (state === stored.state ? [] : changesOf(stage, stored, state)),
    noting: (found) => makeSlot(stage, stored, state, found, lastOffset),
    settled: () => makeSlot(stage, { state, damaged: [] }, state, defects, lastOffset),
    replacing: (damaged) => makeSlot(stage, { state: null, damaged }, state, defects, lastOffset),
    packed: () => (state === stored.state ? partsOf(stage, state) : null),
    renewed: () => makeSlot(stage, stored, state, NO_RESTARTS, lastOffset),
    lastOffset,
    watermarkMs: () => stage.watermarkMs?.(state) ?? null,
    dueMs: () => stage.dueMs?.(state) ?? Number.NEGATIVE_INFINITY,
    inspect: () => stage.inspect(state),
  };
}

function changesOf<State>(stage: Stage<State>, stored: Stored<State>, state: State): StoredPart[] {
  const changes = [...stage.store(stored.state, state)];
  for (const part of stored.damaged) {
    if (!changes.some((each) => each.part === part)) changes.push({ part, bytes: null });
  }
  return changes;
}

function partsOf<State>(stage: Stage<State>, state: State) {
  return stage
    .store(null, state)
    .flatMap(({ part, bytes }) => (bytes === null ? [] : [[part, bytes] as const]));
}

/**
 * The slot of an instrument whose stored state cannot be read. The instrument goes to quarantine and its
 * records are parked instead of being folded onto a wrong state; a release does not change that.
 */
export function unreadableSlot(stage: string, cause: string): Slot {
  return stillSlot(stage, `the stored ${stage} state cannot be read: ${cause}`, NO_RESTARTS, null);
}

/** A good state whose actor keeps crashing: nothing is folded on it until a release. */
export function suspendedSlot(slot: Slot, cause: string): Slot {
  return slot.unusable !== null ? slot : stillSlot(slot.stage, cause, slot.defects, slot);
}

function stillSlot(stage: string, cause: string, defects: RestartWindow, under: Slot | null): Slot {
  const fail = (): never => {
    throw new Defect(cause);
  };
  const slot: Slot = {
    stage,
    defects,
    unusable: cause,
    fold: fail,
    advance: fail,
    changes: () => [],
    noting: (found) => stillSlot(stage, cause, found, under),
    settled: () => slot,
    replacing: () => slot,
    packed: () => null,
    renewed: () => under?.renewed() ?? stillSlot(stage, cause, NO_RESTARTS, null),
    lastOffset: under?.lastOffset ?? null,
    watermarkMs: () => under?.watermarkMs() ?? null,
    dueMs: () => Number.NEGATIVE_INFINITY,
    inspect: () => ({ unusable: cause, ...under?.inspect() }),
  };
  return slot;
}
