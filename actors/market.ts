// The supervisor above the instruments: it hears of every defect and respawn, keeps the budgets of shards,
// markets and the service, and decides what restarts. Ticks never pass through it.

import type { Behaviour } from './behaviour.ts';
import { CALM, escalate, type Ladder, type LadderState, type SupervisorLevel } from './supervision.ts';

export type SupervisorMessage = {
  readonly kind: 'defect';
  /** What counts once within the period: the instrument for its defects, each crash of an actor alone. */
  readonly what: string;
  /** Path of the shard, such as `markets/CAISO/00`. */
  readonly shard: string;
  readonly market: string;
  readonly cause: string;
  readonly nowMs: number;
};

export type SupervisorEffect = {
  readonly kind: 'restart';
  readonly level: SupervisorLevel;
  /** Path of the shard, name of the market, or `service`. */
  readonly what: string;
  readonly cause: string;
  readonly budgetLeft: number;
};

export const calmSupervisor: LadderState = CALM;

export function supervisorBehaviour(
  ladder: Ladder,
): Behaviour<LadderState, SupervisorMessage, SupervisorEffect> {
  return (state, message) => {
    const { state: next, restart, budgetLeft } = escalate(state, message, message.nowMs, ladder);
    if (restart === null) return { state: next, effects: [] };
    return { state: next, effects: [{ kind: 'restart', ...restart, cause: message.cause, budgetLeft }] };
  };
}
