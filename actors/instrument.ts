// The instrument actor: one market/instrument with a slot for each stage that consumes it here. It folds its
// share of a batch and answers the router; the router commits, and tells it to settle. Its edge catches
// defects: the slot goes back to the state before, the failing record is found and refused, the rest of the
// batch is unaffected. More defects than the policy allows and the rest is parked: quarantine (design §3.5).

import type { Behaviour, Step } from './behaviour.ts';
import { reject } from './domain/rejection.ts';
import type { Fold, Slot } from './slot.ts';
import type { Emission, Refused, StageContext, StageRecord, StoredPart, Tally } from './stage.ts';
import { NO_TALLY } from './stage.ts';
import { addRestart, type RestartPolicy, type RestartWindow } from './supervision.ts';

export interface FoldMessage {
  readonly kind: 'fold';
  readonly slotKey: string;
  readonly seq: number;
  readonly records: readonly StageRecord[];
  /** Where event time of the instrument's (market, run) has got to; null: no news. */
  readonly advanceToMs: number | null;
  readonly nowMs: number;
}

export type InstrumentMessage =
  | FoldMessage
  | {
      readonly kind: 'settle';
      readonly slotKey: string;
      readonly seq: number;
      readonly outcome: 'commit' | 'undo';
    }
  | { readonly kind: 'adopt'; readonly slotKey: string; readonly slot: Slot }
  | { readonly kind: 'drop'; readonly slotKey: string };

export interface DefectFound {
  /** Null: not a record's, but the calendar's. */
  readonly offset: number | null;
  readonly cause: string;
}

export interface FoldReply {
  readonly instrument: string;
  readonly slotKey: string;
  readonly seq: number;
  readonly emissions: readonly Emission[];
  readonly refused: readonly Refused[];
  readonly tally: Tally;
  readonly changes: readonly StoredPart[];
  readonly notes: readonly string[];
  readonly defects: readonly DefectFound[];
  /** Set when the instrument is quarantined: records after this offset were not folded. */
  readonly quarantinedAfter: number | null;
  readonly budgetLeft: number;
}

export type InstrumentEffect =
  | { readonly kind: 'reply'; readonly reply: FoldReply }
  /** The committed slot changed: what inspection shows, and what a respawned actor starts from. */
  | { readonly kind: 'publish'; readonly slotKey: string; readonly slot: Slot };

export interface InstrumentState {
  readonly id: string;
  readonly slots: ReadonlyMap<string, Slot>;
  readonly restarts: RestartWindow;
}

/** The behaviour of every instrument; the policy is the quarantine's intensity and period. */
export function instrumentBehaviour(
  policy: RestartPolicy,
): Behaviour<InstrumentState, InstrumentMessage, InstrumentEffect> {
  return (state, message) => {
    switch (message.kind) {
      case 'fold':
        return fold(state, message, policy);
      case 'settle':
        return settle(state, message.slotKey, message.seq, message.outcome);
      case 'adopt':
        return publish(state, message.slotKey, message.slot);
      case 'drop': {
        const slots = new Map(state.slots);
        slots.delete(message.slotKey);
        return { state: { ...state, slots }, effects: [] };
      }
    }
  };
}

function withSlot(state: InstrumentState, slotKey: string, slot: Slot): InstrumentState {
  return { ...state, slots: new Map(state.slots).set(slotKey, slot) };
}

function publish(
  state: InstrumentState,
  slotKey: string,
  slot: Slot,
): Step<InstrumentState, InstrumentEffect> {
  return { state: withSlot(state, slotKey, slot), effects: [{ kind: 'publish', slotKey, slot }] };
}

function settle(
  state: InstrumentState,
  slotKey: string,
  seq: number,
  outcome: 'commit' | 'undo',
): Step<InstrumentState, InstrumentEffect> {
  const slot = state.slots.get(slotKey);
  if (slot === undefined || slot.pendingSeq !== seq) return { state, effects: [] };
  return publish(state, slotKey, outcome === 'commit' ? slot.commit() : slot.undo());
}

interface Folded {
  slot: Slot;
  changes: readonly StoredPart[];
  readonly emissions: Emission[];
  readonly refused: Refused[];
  tally: Tally;
  readonly notes: string[];
  readonly defects: DefectFound[];
  restarts: RestartWindow;
  quarantinedAfter: number | null;
  budgetLeft: number;
}

function fold(
  state: InstrumentState,
  message: FoldMessage,
  policy: RestartPolicy,
): Step<InstrumentState, InstrumentEffect> {
  const found = state.slots.get(message.slotKey);
  if (found === undefined) throw new Error(`${state.id} has no slot ${message.slotKey}`);
  const before = found.pendingSeq === null ? found : found.undo();
  const context = { nowMs: message.nowMs };
  const folded =
    foldWhole(before, message, context, state.restarts, policy) ??
    foldOneByOne(before, message, context, state.restarts, policy);
  return {
    state: { ...withSlot(state, message.slotKey, folded.slot), restarts: folded.restarts },
    effects: [
      {
        kind: 'reply',
        reply: {
          instrument: state.id,
          slotKey: message.slotKey,
          seq: message.seq,
          emissions: folded.emissions,
          refused: folded.refused,
          tally: folded.tally,
          changes: folded.changes,
          notes: folded.notes,
          defects: folded.defects,
          quarantinedAfter: folded.quarantinedAfter,
          budgetLeft: folded.budgetLeft,
        },
      },
    ],
  };
}

/** The ordinary case: no defect. Null when one was thrown, and nothing has happened then. */
function foldWhole(
  slot: Slot,
  message: FoldMessage,
  context: StageContext,
  restarts: RestartWindow,
  policy: RestartPolicy,
): Folded | null {
  try {
    const folds: Fold[] = [];
    let current = slot;
    if (message.records.length > 0) {
      folds.push(current.fold(message.seq, message.records, context));
      current = folds[folds.length - 1]?.slot ?? current;
    }
    if (message.advanceToMs !== null) {
      folds.push(current.advance(message.seq, message.advanceToMs, context));
      current = folds[folds.length - 1]?.slot ?? current;
    }
    const results = folds.map((each) => each.result);
    return {
      slot: current,
      changes: current.changes(),
      emissions: results.flatMap((each) => [...each.emissions]),
      refused: results.flatMap((each) => [...each.refused]),
      tally: results.reduce((sum, each) => addTally(sum, each.tally), NO_TALLY),
      notes: results.flatMap((each) => [...each.notes]),
      defects: [],
      restarts,
      quarantinedAfter: null,
      budgetLeft: Math.max(0, policy.intensity - restarts.entries.length),
    };
  } catch {
    return null;
  }
}

/** After a defect: each record on its own, from the state before it, until the budget is used up. */
function foldOneByOne(
  slot: Slot,
  message: FoldMessage,
  context: StageContext,
  restarts: RestartWindow,
  policy: RestartPolicy,
): Folded {
  const out: Folded = {
    slot,
    changes: [],
    emissions: [],
    refused: [],
    tally: NO_TALLY,
    notes: [],
    defects: [],
    restarts,
    quarantinedAfter: null,
    budgetLeft: policy.intensity,
  };
  const attempt = (offset: number | null, step: (from: Slot) => Fold): void => {
    try {
      const { slot: next, result } = step(out.slot);
      out.changes = next.changes();
      out.slot = next;
      out.emissions.push(...result.emissions);
      out.refused.push(...result.refused);
      out.notes.push(...result.notes);
      out.tally = addTally(out.tally, result.tally);
    } catch (error) {
      noteDefect(out, message, offset, error, policy);
    }
  };
  for (const record of message.records) {
    if (out.quarantinedAfter !== null) break;
    attempt(record.offset, (from) => from.fold(message.seq, [record], context));
  }
  const advanceToMs = message.advanceToMs;
  if (advanceToMs !== null && out.quarantinedAfter === null) {
    attempt(null, (from) => from.advance(message.seq, advanceToMs, context));
  }
  return out;
}

function noteDefect(
  out: Folded,
  message: FoldMessage,
  offset: number | null,
  error: unknown,
  policy: RestartPolicy,
): void {
  const cause = error instanceof Error ? error.message : String(error);
  out.defects.push({ offset, cause });
  const verdict = addRestart(
    out.restarts,
    `${message.slotKey}/${offset ?? 'calendar'}`,
    message.nowMs,
    policy,
  );
  out.restarts = verdict.window;
  out.budgetLeft = verdict.budgetLeft;
  if (offset === null) return;
  out.refused.push({ offset, rejection: reject('defect', `a defect of ours, not of the record: ${cause}`) });
  out.tally = addTally(out.tally, { ...NO_TALLY, rejected: 1 });
  if (verdict.exceeded) out.quarantinedAfter = offset;
}

function addTally(a: Tally, b: Tally): Tally {
  return {
    first: a.first + b.first,
    revision: a.revision + b.revision,
    duplicate: a.duplicate + b.duplicate,
    rejected: a.rejected + b.rejected,
    forwarded: a.forwarded + b.forwarded,
  };
}
