// A behaviour is a function (state, message) → state and effects. It decides; a host carries out. The host is
// nact in production and a seeded scheduler in the simulator, so nothing here may await, read a clock or draw
// a number.

export interface Step<State, Effect> {
  readonly state: State;
  /** Carried out by the host in this order, after the state is in place. */
  readonly effects: readonly Effect[];
}

export type Behaviour<State, Message, Effect> = (state: State, message: Message) => Step<State, Effect>;
