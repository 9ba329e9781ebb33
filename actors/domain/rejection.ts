// Rejections: input that we refuse, as a value with a reason. A rejected record becomes a dead letter that
// keeps its origin; nothing is thrown and nothing else of the batch is touched.

export type RejectionReason =
  | 'malformed_json'
  | 'not_an_object'
  | 'too_large'
  | 'too_deep'
  | 'forbidden_key'
  | 'unknown_market'
  | 'unknown_run'
  | 'unknown_data_type'
  | 'missing_field'
  | 'wrong_type'
  | 'not_finite'
  | 'out_of_range'
  | 'bad_time'
  | 'bad_interval'
  | 'validation_rule'
  | 'oversized_output'
  | 'version_overflow'
  | 'defect';

export interface Rejection {
  readonly reason: RejectionReason;
  /** One sentence for a person: what was found, and what was expected. At most 500 characters. */
  readonly detail: string;
  /** The field at fault, where there is one. */
  readonly field?: string;
}

const DETAIL_CHARS_MAX = 500;

/** Builds a rejection; `detail` is cut to its bound. */
export function reject(reason: RejectionReason, detail: string, field?: string): Rejection {
  const cut = detail.length > DETAIL_CHARS_MAX ? `${detail.slice(0, DETAIL_CHARS_MAX - 1)}…` : detail;
  return field === undefined ? { reason, detail: cut } : { reason, detail: cut, field };
}

/** Tells a rejection from any other value. */
export function isRejection(value: unknown): value is Rejection {
  return typeof value === 'object' && value !== null && 'reason' in value && 'detail' in value;
}
