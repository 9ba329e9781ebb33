// Every restart, quarantine and escalation is told by an event, and every such event has a cause that the
// faults of the run account for: what cannot be explained is a defect of the product.

import type { Simulation } from './simulation.ts';

/** A quarantine that is restored with its partition was explained when it began. */
const OWN = /simulated|^in quarantine since /;
const ALARMS: ReadonlySet<string> = new Set(['restart', 'quarantine', 'escalation', 'defect', 'data_loss']);

export function explained({ told, injected }: Simulation): string[] {
  const alarms = told.filter(({ kind }) => ALARMS.has(kind));
  const odd = alarms.filter(({ cause }) => !OWN.test(cause));
  const restarts = (instruments: boolean): number =>
    told.filter(({ kind, service }) => kind === 'restart' && (service === 'markets') === instruments).length;
  const gaveUp = told.filter(({ kind, service }) => kind === 'escalation' && service !== 'markets').length;
  const actors = injected.get('actor-crash') ?? 0;
  const routers = injected.get('router-crash') ?? 0;
  return [
    ...odd.map(({ kind, actor, cause }) => `no fault explains the ${kind} of ${actor}: ${cause}`),
    ...(restarts(true) === actors ? [] : [`${actors} actors crashed, ${restarts(true)} events say so`]),
    ...(restarts(false) + gaveUp >= routers
      ? []
      : [`${routers} routers crashed, ${restarts(false) + gaveUp} events say so`]),
    ...(injected.size > 0 || alarms.length === 0 ? [] : ['there were alarms without a fault']),
  ];
}
