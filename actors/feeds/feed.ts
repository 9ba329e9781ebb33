// What a feed is: the bytes of one response of one operator → raw records, in interval order, with a ledger
// in which every row of the response is used or refused. README.md beside this says what a new market
// must promise.

import type { MarketSpec } from '../domain/market.ts';
import type { Rejection } from '../domain/rejection.ts';
import type { RawRecord } from '../domain/wire.ts';

/** One response, or one recording of it. */
export interface Response {
  /** File name or endpoint, without credentials. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** When it was taken: the publication of its records where the operator gives none. */
  readonly takenMs: number;
  /** Tenant that the records are written for. */
  readonly tenantId: string;
}

/** A row that could not be used, or a whole observation that failed a check of the file. */
export interface RefusedRow extends Rejection {
  /** Row of the response, 1 = first data row. */
  readonly row: number;
  readonly text: string;
}

/**
 * Why a whole response gave no records. `no_data` is an answer; the others are failures of different kinds.
 */
export interface RefusedResponse extends Omit<Rejection, 'reason'> {
  readonly reason:
    | 'no_data'
    | 'invalid_request'
    | 'throttled'
    | 'in_process'
    | 'operator_error'
    | 'truncated'
    | 'too_large'
    | 'malformed'
    | 'unknown_format';
  /** The operator's own code, such as `1000`. */
  readonly code?: string;
}

/** An operating day of a run that the operator says it has priced anew. */
export interface Correction {
  readonly market: string;
  readonly run: string;
  readonly date: string;
  /** When, in the operator's own words; a later one compares greater. */
  readonly issued: string;
}

export interface Parsed {
  readonly records: readonly RawRecord[];
  /** Of a response that tells of corrections, and holds no prices: one a run and day, the latest. */
  readonly corrections?: readonly Correction[];
  readonly refused: readonly RefusedRow[];
  /**
   * rowsRead = rowsUsed + rowsRefused, always. A row of many cells counts as refused when one of its cells
   * was; the others are used all the same.
   */
  readonly ledger: { readonly rowsRead: number; readonly rowsUsed: number; readonly rowsRefused: number };
  /** Findings on the whole file, such as a failed check of MISO's energy component. */
  readonly warnings: readonly string[];
  /** Present when the response as a whole is refused; then records is empty. */
  readonly refusal?: RefusedResponse;
}

export interface Feed {
  /** Such as `caiso.oasis`. */
  readonly name: string;
  readonly market: MarketSpec;
  /** Whether this feed reads such a response, judged by its content first and its name second. */
  recognises(response: Response): boolean;
  /** Never throws for bad input. Records are in interval order, then by location. */
  parse(response: Response): Parsed;
}
