// The host: what carries behaviours. nact in production (actor-system.ts), a seeded scheduler in the
// simulator. A message is handled by one actor at a time, in the order sent by one sender; handlers are
// synchronous.

import type { Behaviour } from '../actors/behaviour.ts';

export interface Address<Message> {
  /** Names from the root, joined by `/`, such as `markets/CAISO/00/CAISO:DAM:TH_SP15_GEN-APND`. */
  readonly path: string;
  /** Silent when the actor is stopped: whoever keeps addresses keeps liveness too. */
  tell(message: Message): void;
}

export interface ActorSpec<State, Message, Effect> {
  readonly name: string;
  /** Null: a child of the root. */
  readonly parent: Address<never> | null;
  readonly initial: State;
  readonly behaviour: Behaviour<State, Message, Effect>;
  /** Carries out one effect. May tell other actors; must not await. */
  perform(effect: Effect, self: Address<Message>): void;
  /**
   * The behaviour or an effect threw: the actor is stopped, its message is gone. Respawn from committed
   * state.
   */
  crashed(error: unknown): void;
}

export interface Host {
  spawn<State, Message, Effect>(spec: ActorSpec<State, Message, Effect>): Address<Message>;
  /**
   * Stops an actor and everything below it, leaves first; what waits in its mailbox is not handled. Does
   * nothing when it is stopped already, though another one may live under its path by now.
   */
  stop(address: Address<never>): void;
  /** Actors that live now. */
  size(): number;
}

/** An actor that only stands above others: it handles nothing. */
export const branch = {
  initial: null,
  behaviour: () => ({ state: null, effects: [] }),
  perform: () => {},
  crashed: () => {},
};

/** Time as the runtime asks for it. */
export interface Clock {
  nowMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels. */
  after(delayMs: number, action: () => void): () => void;
}

/** Numbers drawn at random, 0 ≤ n < 1. */
export type Draw = () => number;
