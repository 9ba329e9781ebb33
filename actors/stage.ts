// What a stage is to the instrument actor that runs it: pure functions over an immutable state. A stage never
// sees the log, a clock or an actor. One stage is one slot of the instrument actor (one consuming group).
//
//   records of a batch ──▶ process(state, records, context) ──▶ { state', emissions, rejections, tally }
//
// The state is a value that nobody mutates: an abort keeps the old one, a commit keeps the new one. That is
// the undo log of design §3.2. A stage whose `process` throws has a defect; the actor isolates the record.

import type { Lines } from './batch.ts';
import type { Rejection } from './domain/rejection.ts';

/** One record of a batch, decoded lazily: `value` is JSON text in UTF-8. */
export interface StageRecord {
  readonly offset: number;
  readonly value: Uint8Array;
}

/** Where an emission goes; the table of services maps the name to a topic. */
export type Destination =
  | 'ticks'
  | 'enriched'
  | 'bars'
  | 'metrics'
  | 'curves'
  | 'rebuild'
  | 'anomalies'
  | 'scores'
  | 'bodies';

export interface Emission {
  readonly to: Destination;
  /** JSON text of one record, or of many. Keyed by the instrument. */
  readonly value: string | Lines;
}

export interface Refused {
  readonly offset: number;
  readonly rejection: Rejection;
}

/** Disposition of input records; each record read is counted in exactly one of these. */
export interface Tally {
  readonly first: number;
  readonly revision: number;
  readonly duplicate: number;
  readonly rejected: number;
  readonly forwarded: number;
}

export const NO_TALLY: Tally = { first: 0, revision: 0, duplicate: 0, rejected: 0, forwarded: 0 };

export interface StageContext {
  /** Processing time. Goes into `*_timestamp` fields only, never into a value or a version. */
  readonly nowMs: number;
}

export interface StageResult<State> {
  readonly state: State;
  readonly emissions: readonly Emission[];
  readonly refused: readonly Refused[];
  readonly tally: Tally;
  /** Notes for the event log, such as an overflow that was flagged. Usually empty. */
  readonly notes: readonly string[];
}

/** A part of a state as it is stored: `part` is unique within the instrument; null removes it. */
export interface StoredPart {
  readonly part: string;
  readonly bytes: Uint8Array | null;
}

/** Marks of a stored state; see `watermarkMs` and `dueMs` of a stage. */
export interface Glance {
  readonly watermarkMs: number | null;
  readonly dueMs: number;
}

/** Of a stage that goes by its records alone. */
export const TIMELESS: Glance = { watermarkMs: null, dueMs: Number.POSITIVE_INFINITY };

export interface Stage<State> {
  readonly name: 'enrichment' | 'aggregation' | 'data-quality';
  initial(instrumentId: string): State;
  /** Folds records in offset order. Calendar messages come through `advance`, not here. */
  process(state: State, records: readonly StageRecord[], context: StageContext): StageResult<State>;
  /**
   * Event time of the instrument's (market, run) has reached `toMs`. A later call covers an earlier one that
   * was not made, where that was before `dueMs`.
   */
  advance(state: State, toMs: number, context: StageContext): StageResult<State>;
  /** The parts of `after` that differ from `before` (null: all of them). */
  store(before: State | null, after: State): readonly StoredPart[];
  /** Inverse of `store`; throws a Defect on bytes it did not write (each part carries a checksum). */
  restore(instrumentId: string, parts: ReadonlyMap<string, Uint8Array>): State;
  /** Where event time is settled, milliseconds; null before the first observation. Absent: it has none. */
  watermarkMs?(state: State): number | null;
  /**
   * Before this event time `advance` emits nothing: nobody needs to call it. May be earlier than needed.
   * Infinity: it never does. Absent: each call counts.
   */
  dueMs?(state: State): number;
  /**
   * What is known of a stored state before it is built, at a fraction of the cost of `restore`; throws on the
   * same damage. Absent: only `restore` tells.
   */
  glance?(instrumentId: string, parts: ReadonlyMap<string, Uint8Array>): Glance;
  /** JSON for `GET /actors/{market}/{instrument}`; bounded, and cheap: it walks only what it shows. */
  inspect(state: State): Readonly<Record<string, unknown>>;
}
