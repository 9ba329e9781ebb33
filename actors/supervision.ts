// Restart intensity, backoff and escalation, as Erlang/OTP means them: more than `intensity` restarts within
// `periodMs` and the supervisor gives up and tells its own. Pure: time and randomness are arguments.
//
//   instrument ──▶ quarantine;  many instruments: shard ──▶ market ──▶ service ──▶ process exit

export interface RestartPolicy {
  /** Restarts allowed within the period; one more exceeds it. 0: the first one does. */
  readonly intensity: number;
  readonly periodMs: number;
}

export interface BackoffPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Share of the delay that is drawn at random, 0–1. */
  readonly jitter: number;
}

export interface RestartWindow {
  /** What was restarted or failed, and when; oldest first; only those inside the period. */
  readonly entries: readonly { readonly what: string; readonly atMs: number }[];
}

export const NO_RESTARTS: RestartWindow = { entries: [] };

export interface Verdict {
  readonly window: RestartWindow;
  readonly exceeded: boolean;
  /** Restarts left in the period, ≥ 0. */
  readonly budgetLeft: number;
}

/**
 * Adds an occurrence and judges it. The same `what` counts once within the period, so a batch that is done
 * again does not use the budget twice. An entry exactly `periodMs` old still counts.
 */
export function addRestart(
  window: RestartWindow,
  what: string,
  nowMs: number,
  policy: RestartPolicy,
): Verdict {
  const kept = window.entries.filter((entry) => nowMs - entry.atMs <= policy.periodMs);
  const entries = kept.some((entry) => entry.what === what) ? kept : [...kept, { what, atMs: nowMs }];
  return {
    window: { entries },
    exceeded: entries.length > policy.intensity,
    budgetLeft: Math.max(0, policy.intensity - entries.length),
  };
}

/** Budget left now, without adding anything. */
export function budgetLeft(window: RestartWindow, nowMs: number, policy: RestartPolicy): number {
  const kept = window.entries.filter((entry) => nowMs - entry.atMs <= policy.periodMs);
  return Math.max(0, policy.intensity - kept.length);
}

/**
 * Delay before attempt `attempt` (0 first): initial·2^attempt up to the maximum, of which the share `jitter`
 * is spread evenly around it by `draw` (0 ≤ draw < 1). Milliseconds, never negative.
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, draw: number): number {
  const plain = Math.min(policy.maxMs, policy.initialMs * 2 ** Math.min(attempt, 30));
  return Math.round(Math.max(0, plain * spread(policy.jitter, draw)));
}

/** A factor about 1 that `draw` (0 ≤ draw < 1) takes from [1 − jitter, 1 + jitter). */
export function spread(jitter: number, draw: number): number {
  return 1 - jitter + 2 * jitter * draw;
}

export type SupervisorLevel = 'shard' | 'market' | 'service' | 'process';

export interface Ladder {
  readonly shard: RestartPolicy;
  readonly market: RestartPolicy;
  readonly service: RestartPolicy;
}

export interface LadderState {
  readonly shards: ReadonlyMap<string, RestartWindow>;
  readonly markets: ReadonlyMap<string, RestartWindow>;
  readonly service: RestartWindow;
}

export const CALM: LadderState = { shards: new Map(), markets: new Map(), service: NO_RESTARTS };

export interface Escalation {
  readonly state: LadderState;
  /** What must restart: null while the shard's own budget holds. `process`: leave with an exit code. */
  readonly restart: { readonly level: SupervisorLevel; readonly what: string } | null;
  readonly budgetLeft: number;
}

/**
 * A defect or crash of an instrument, seen from above. Distinct ones within the period count against their
 * shard; a shard that exceeds restarts and counts against its market; a market likewise against the service.
 */
export function escalate(
  state: LadderState,
  at: { readonly what: string; readonly shard: string; readonly market: string },
  nowMs: number,
  ladder: Ladder,
): Escalation {
  const shard = addRestart(state.shards.get(at.shard) ?? NO_RESTARTS, at.what, nowMs, ladder.shard);
  const shards = new Map(state.shards).set(at.shard, shard.exceeded ? NO_RESTARTS : shard.window);
  if (!shard.exceeded) return { state: { ...state, shards }, restart: null, budgetLeft: shard.budgetLeft };

  const cause = `${at.shard} ${at.what} ${nowMs}`;
  const market = addRestart(state.markets.get(at.market) ?? NO_RESTARTS, cause, nowMs, ladder.market);
  const markets = new Map(state.markets).set(at.market, market.exceeded ? NO_RESTARTS : market.window);
  if (!market.exceeded) {
    return {
      state: { ...state, shards, markets },
      restart: { level: 'shard', what: at.shard },
      budgetLeft: market.budgetLeft,
    };
  }

  const service = addRestart(state.service, `${at.market} ${at.what} ${nowMs}`, nowMs, ladder.service);
  const next = { shards, markets, service: service.window };
  return service.exceeded
    ? { state: next, restart: { level: 'process', what: 'service' }, budgetLeft: 0 }
    : { state: next, restart: { level: 'market', what: at.market }, budgetLeft: service.budgetLeft };
}
