// The instrument actor: one market/instrument with a slot for each stage that consumes it here. It folds its
// share of a batch into a candidate and answers the router with it; the router commits, and what is committed
// is adopted. Folding changes nothing here, so an abort needs no undo and a crash loses nothing.

import type { Behaviour } from './behaviour.ts';
import { type FoldLimits, foldShare } from './fold.ts';
import type { Slot } from './slot.ts';
import type { Emission, Refused, StageRecord, StoredPart, Tally } from './stage.ts';

export interface FoldMessage {
  readonly kind: 'fold';
  readonly slotKey: string;
  readonly seq: number;
  /** Topic and partition of the records: a defect counts once for each offset in it. */
  readonly source: string;
  readonly records: readonly StageRecord[];
  /**
   * Where event time stood before the records, of which the instrument was not told since nothing of it was
   * due; null: it was told, or is new.
   */
  readonly owedMs: number | null;
  /** Where event time of the instrument's (market, run) has got to; null: no news. */
  readonly advanceToMs: number | null;
  /** A release begins: the whole budget of defects again. */
  readonly renewed: boolean;
  readonly nowMs: number;
}

export type InstrumentMessage =
  | FoldMessage
  | { readonly kind: 'adopt'; readonly slotKey: string; readonly slot: Slot }
  | { readonly kind: 'drop'; readonly slotKey: string };

export interface DefectFound {
  /** Null: not a record's, but the calendar's or the state's. */
  readonly offset: number | null;
  readonly cause: string;
}

export interface FoldReply {
  readonly instrument: string;
  readonly slotKey: string;
  readonly seq: number;
  /** What the slot is when the batch is committed. */
  readonly slot: Slot;
  readonly emissions: readonly Emission[];
  readonly refused: readonly Refused[];
  readonly tally: Tally;
  readonly changes: readonly StoredPart[];
  readonly notes: readonly string[];
  readonly defects: readonly DefectFound[];
  /** Set when the instrument is quarantined: records after this offset were not folded; −1: none was. */
  readonly quarantinedAfter: number | null;
  readonly budgetLeft: number;
}

export interface InstrumentEffect {
  readonly kind: 'reply';
  readonly reply: FoldReply;
}

export interface InstrumentState {
  readonly id: string;
  /** Committed slots. */
  readonly slots: ReadonlyMap<string, Slot>;
}

/** The behaviour of every instrument; the limits hold for each slot of it. */
export function instrumentBehaviour(
  limits: FoldLimits,
): Behaviour<InstrumentState, InstrumentMessage, InstrumentEffect> {
  return (state, message) => {
    if (message.kind === 'fold') {
      const slot = state.slots.get(message.slotKey);
      if (slot === undefined) throw new Error(`${state.id} has no slot ${message.slotKey}`);
      const { slotKey, seq } = message;
      const reply = { instrument: state.id, slotKey, seq, ...foldShare(slot, message, limits) };
      return { state, effects: [{ kind: 'reply', reply }] };
    }
    const slots = new Map(state.slots);
    if (message.kind === 'adopt') slots.set(message.slotKey, message.slot);
    else slots.delete(message.slotKey);
    return { state: { ...state, slots }, effects: [] };
  };
}
