// Every restart, quarantine and escalation is told by an event, and every such event has a cause that the
// faults of the run account for: what cannot be explained is a defect of the product.

import type { Simulation } from './simulation.ts';

/** A quarantine that is restored with its partition was explained when it began. */
const OWN = /simulated|^in quarantine since /;
const DAMAGED = /^the stored \S+ state cannot be read: stored part /;
const ALARMS: ReadonlySet<string> = new Set(['restart', 'quarantine', 'escalation', 'defect', 'data_loss']);

export function explained(run: Simulation): string[] {
  const { told, injected } = run;
  const alarms = told.filter(({ kind }) => ALARMS.has(kind));
  const odd = alarms.filter(({ cause }) => !OWN.test(cause) && !DAMAGED.test(cause));
  const restarts = (instruments: boolean): number =>
    told.filter(({ kind, service }) => kind === 'restart' && (service === 'markets') === instruments).length;
  const gaveUp = told.filter(({ kind, service }) => kind === 'escalation' && service !== 'markets').length;
  const actors = injected.get('actor-crash') ?? 0;
  const routers = injected.get('router-crash') ?? 0;
  return [
    ...odd.map(({ kind, actor, cause }) => `no fault explains the ${kind} of ${actor}: ${cause}`),
    ...damages(run),
    ...(restarts(true) === actors ? [] : [`${actors} actors crashed, ${restarts(true)} events say so`]),
    ...(restarts(false) + gaveUp >= routers
      ? []
      : [`${routers} routers crashed, ${restarts(false) + gaveUp} events say so`]),
    ...(injected.size > 0 || alarms.length === 0 ? [] : ['there were alarms without a fault']),
  ];
}

/** What is still damaged is told, what is told was damaged, and all of it was folded again from the log. */
function damages({ told, store }: Simulation): string[] {
  const events = told.filter(({ cause }) => DAMAGED.test(cause));
  const said = new Set(events.map(({ service, actor }) => `${service} ${actor}`));
  const nameOf = ({ owner, key }: (typeof store.damages)[number]): string =>
    `${owner.split(' ')[0]} ${key.slice(2, key.indexOf('\u0000'))}`;
  const was = new Set(store.damages.map(nameOf));
  // Who was there before may have written it anew, unaware.
  const still = store.damages.filter(({ owner, key, bytes }) => store.state(owner).get(key) === bytes);
  return [
    ...still
      .map(nameOf)
      .filter((each) => !said.has(each))
      .map((each) => `${each} was damaged, and no event says so`),
    ...[...said].filter((each) => !was.has(each)).map((each) => `${each} was never damaged`),
    ...events
      .filter(({ decision }) => !decision.startsWith('folded again from '))
      .map(({ actor, decision }) => `${actor} was not folded again: ${decision}`),
  ];
}
