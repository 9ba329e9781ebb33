// A circuit breaker, pure: after `threshold` failures in a row nothing is asked for a while, then one probe
// decides. Each probe that fails doubles the pause up to a maximum.
//
//   closed ──threshold failures──▶ open ──pause over──▶ half_open ──success──▶ closed
//                                   ▲─────────────failure──────┘

export interface BreakerPolicy {
  readonly threshold: number;
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

export interface Breaker {
  readonly failures: number;
  /** When the circuit opened last; null: closed. */
  readonly openedMs: number | null;
  readonly pauseMs: number;
  /** The pause as it was drawn. */
  readonly waitMs: number;
  /** A probe is under way. */
  readonly probing: boolean;
}

export type Circuit = 'closed' | 'open' | 'half_open';

export const CLOSED: Breaker = { failures: 0, openedMs: null, pauseMs: 0, waitMs: 0, probing: false };

export function circuit(of: Breaker, nowMs: number): Circuit {
  if (of.openedMs === null) return 'closed';
  return of.probing || nowMs >= of.openedMs + of.waitMs ? 'half_open' : 'open';
}

/** When something may be asked: now or earlier when nothing hinders. Infinity while a probe is under way. */
export function opensMs(of: Breaker): number {
  if (of.openedMs === null) return Number.NEGATIVE_INFINITY;
  return of.probing ? Number.POSITIVE_INFINITY : of.openedMs + of.waitMs;
}

export function asking(of: Breaker): Breaker {
  return of.openedMs === null ? of : { ...of, probing: true };
}

export function succeeded(): Breaker {
  return CLOSED;
}

/** `spread`: the pause is this many times as long, about 1, so that circuits do not all close at once. */
export function failed(of: Breaker, nowMs: number, policy: BreakerPolicy, spread = 1): Breaker {
  const failures = of.failures + 1;
  if (failures < policy.threshold) return { ...of, failures, probing: false };
  const pauseMs =
    of.openedMs === null ? policy.pauseMs : Math.min(policy.pauseMsMax, Math.max(1, of.pauseMs) * 2);
  return { failures, openedMs: nowMs, pauseMs, waitMs: Math.round(pauseMs * spread), probing: false };
}
