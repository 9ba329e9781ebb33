// Watermarks: how far an instrument's event time is settled. Its own greatest event time minus the allowed
// lateness, or where a calendar message moved it; part of its state, never decreasing, a function of what the
// instrument saw.

export interface EventTime {
  /** Greatest event time seen; null before the first observation. */
  readonly maxEventMs: number | null;
  /** Where the calendar moved it; null: it did not. */
  readonly advancedToMs: number | null;
}

/** Everything that ended at or before it is final. −∞ before the first observation. */
export function watermarkMs(of: EventTime, allowedLatenessMs: number): number {
  const own = of.maxEventMs === null ? Number.NEGATIVE_INFINITY : of.maxEventMs - allowedLatenessMs;
  return Math.max(own, of.advancedToMs ?? Number.NEGATIVE_INFINITY);
}
