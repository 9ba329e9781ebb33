// The instrument's edge: its share of a batch, folded so that a defect costs the record it is in. All at once
// first; after a defect each record on its own, from the state before it, and the failing one is refused.
// More defects than the budget allows and the rest is left for the parking: quarantine (design §3.5).
// Pure: the same slot and share give the same answer, so a batch that is done again ends as it did.

import { recordsOf } from './batch.ts';
import { invariant } from './domain/invariant.ts';
import { reject } from './domain/rejection.ts';
import type { DefectFound, FoldMessage, FoldReply } from './instrument.ts';
import type { Fold, Slot } from './slot.ts';
import type { Emission, Refused, StageRecord, Tally } from './stage.ts';
import { NO_TALLY } from './stage.ts';
import { addRestart, budgetLeft, type RestartPolicy } from './supervision.ts';

export interface FoldLimits {
  /** Defects of one slot within the period before its instrument is quarantined. */
  readonly quarantine: RestartPolicy;
  /** An output larger than this is a defect of its record, bytes. */
  readonly outputBytesMax: number;
}

export type Folded = Omit<FoldReply, 'instrument' | 'slotKey' | 'seq'>;

/** None of the records before the quarantine was folded. */
const NONE = -1;

export function foldShare(from: Slot, message: FoldMessage, limits: FoldLimits): Folded {
  const slot = message.renewed ? from.renewed() : from;
  if (slot.unusable !== null) return notFolded(slot, slot.unusable);
  return foldWhole(slot, message, limits) ?? foldOneByOne(slot, message, limits);
}

function notFolded(slot: Slot, cause: string): Folded {
  const nothing = { emissions: [], refused: [], tally: NO_TALLY, changes: [], notes: [] };
  const defects = [{ offset: null, cause }];
  return { ...nothing, slot, defects, quarantinedAfter: NONE, budgetLeft: 0 };
}

/** The ordinary case: no defect. Null when one was thrown, and nothing has happened then. */
function foldWhole(slot: Slot, message: FoldMessage, limits: FoldLimits): Folded | null {
  const { records, owedMs, advanceToMs, nowMs } = message;
  try {
    const results: Fold['result'][] = [];
    let current = slot;
    const take = ({ slot: next, result }: Fold): void => {
      current = next;
      results.push(result);
    };
    if (owedMs !== null) take(checked(current.advance(owedMs, { nowMs }), [], limits));
    if (records.length > 0) take(checked(current.fold(records, { nowMs }), records, limits));
    if (advanceToMs !== null) take(checked(current.advance(advanceToMs, { nowMs }), [], limits));
    return {
      slot: current,
      changes: current.changes(),
      emissions: results.flatMap((each) => [...each.emissions]),
      refused: results.flatMap((each) => [...each.refused]),
      tally: results.reduce((sum, each) => addTally(sum, each.tally), NO_TALLY),
      notes: results.flatMap((each) => [...each.notes]),
      defects: [],
      quarantinedAfter: null,
      budgetLeft: budgetLeft(slot.defects, nowMs, limits.quarantine),
    };
  } catch {
    return null;
  }
}

interface Answer {
  slot: Slot;
  changes: Folded['changes'];
  readonly emissions: Emission[];
  readonly refused: Refused[];
  tally: Tally;
  readonly notes: string[];
  readonly defects: DefectFound[];
  quarantinedAfter: number | null;
  budgetLeft: number;
}

function foldOneByOne(slot: Slot, message: FoldMessage, limits: FoldLimits): Folded {
  const { records, owedMs, advanceToMs, nowMs } = message;
  const out: Answer = {
    slot,
    changes: [],
    emissions: [],
    refused: [],
    tally: NO_TALLY,
    notes: [],
    defects: [],
    quarantinedAfter: null,
    budgetLeft: limits.quarantine.intensity,
  };
  const attempt = (what: StageRecord | null, step: (from: Slot) => Fold): void => {
    try {
      const { slot: next, result } = checked(step(out.slot), what === null ? [] : [what], limits);
      out.changes = next.changes();
      out.slot = next;
      out.emissions.push(...result.emissions);
      out.refused.push(...result.refused);
      out.notes.push(...result.notes);
      out.tally = addTally(out.tally, result.tally);
    } catch (error) {
      noteDefect(out, message, what, error, limits);
    }
  };
  if (owedMs !== null) attempt(null, (from) => from.advance(owedMs, { nowMs }));
  for (const record of records) {
    if (out.quarantinedAfter !== null) return out;
    attempt(record, (from) => from.fold([record], { nowMs }));
  }
  if (advanceToMs !== null && out.quarantinedAfter === null) {
    attempt(null, (from) => from.advance(advanceToMs, { nowMs }));
  }
  return out;
}

function noteDefect(
  out: Answer,
  message: FoldMessage,
  record: StageRecord | null,
  error: unknown,
  limits: FoldLimits,
): void {
  const cause = error instanceof Error ? error.message : String(error);
  const offset = record?.offset ?? null;
  out.defects.push({ offset, cause });
  const what = offset === null ? `calendar ${message.advanceToMs}` : `${message.source}/${offset}`;
  const verdict = addRestart(out.slot.defects, what, message.nowMs, limits.quarantine);
  out.slot = out.slot.noting(verdict.window);
  out.budgetLeft = verdict.budgetLeft;
  if (verdict.exceeded) out.quarantinedAfter = offset ?? message.records.at(-1)?.offset ?? NONE;
  if (offset === null) return;
  const reason = error instanceof OversizedOutput ? 'oversized_output' : 'defect';
  out.refused.push({ offset, rejection: reject(reason, `a defect of ours, not of the record: ${cause}`) });
  out.tally = addTally(out.tally, { ...NO_TALLY, rejected: 1 });
}

class OversizedOutput extends Error {}

/** A stage's answer that does not add up is a defect of the stage: found here, it costs one record. */
function checked(fold: Fold, records: readonly StageRecord[], limits: FoldLimits): Fold {
  const { tally, refused, emissions } = fold.result;
  const { first, revision, duplicate, rejected, forwarded } = tally;
  const sum = first + revision + duplicate + rejected + forwarded;
  invariant(sum === records.length, `${records.length} records were given ${sum} dispositions`);
  invariant(refused.length === rejected, `${refused.length} records were refused, ${rejected} counted`);
  for (const { offset } of refused) {
    const given = records.some((record) => record.offset === offset);
    invariant(given, `offset ${offset} was refused, which was not given`);
  }
  for (const { value } of emissions) {
    const bytes = outputBytes(value, limits.outputBytesMax);
    if (bytes <= limits.outputBytesMax) continue;
    throw new OversizedOutput(`an output of ${bytes} bytes is over the bound of ${limits.outputBytesMax}`);
  }
  return fold;
}

/** The longest record in UTF-8; an upper bound where that is already within `max`. */
export function outputBytes(value: Emission['value'], max: number): number {
  if (typeof value === 'string') return value.length * 3 <= max ? value.length * 3 : Buffer.byteLength(value);
  if (value.bytes.length <= max) return value.bytes.length;
  let longest = 0;
  for (const record of recordsOf(value)) longest = Math.max(longest, record.length);
  return longest;
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
