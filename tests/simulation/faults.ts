// The faults of the whole-pipeline simulation by name. A seed enables a random subset of them, each with a
// weight of its own, so that some runs are torn by one fault alone and others by all at once (swarm testing,
// Groce et al. 2012). A fault that is off draws nothing.

import type { Draw } from '../../runtime/host.ts';

/** What goes wrong in the world. */
export const WORLD_FAULTS = [
  'aborted-commit',
  'failed-commit',
  'torn-commit',
  'lost-commit-reply',
  'failed-read',
  'failed-append',
  'crash',
  'zombie',
  'rebalance',
  'actor-crash',
  'router-crash',
  'sink-slow',
  'sink-down',
  'sink-full',
  'sink-lost-reply',
  'clock-jump',
] as const;

/** What is odd about the sources. */
export const SOURCE_FAULTS = [
  'duplicates',
  'reordering',
  'revisions',
  'ties',
  'late',
  'long-past',
  'holes',
  'poison',
  'dst',
] as const;

/** What operators do: topics get more partitions. */
export const OPERATION_FAULTS = ['increase'] as const;

/** Drawn last, so that a seed means what it meant before they were there. */
export const LATER_FAULTS = [
  'damaged-state',
  'cache-flush',
  'cache-down',
  'false-fence',
  // Operators leave instruments in quarantine, so that much happens to them there.
  'slow-release',
] as const;

export type FaultName =
  | (typeof WORLD_FAULTS)[number]
  | (typeof SOURCE_FAULTS)[number]
  | (typeof OPERATION_FAULTS)[number]
  | (typeof LATER_FAULTS)[number];

export const FAULTS: readonly FaultName[] = [
  ...WORLD_FAULTS,
  ...SOURCE_FAULTS,
  ...OPERATION_FAULTS,
  ...LATER_FAULTS,
];

/** Weight of each enabled fault, 0–1. */
export type Faults = ReadonlyMap<FaultName, number>;

/** `only` fixes which are enabled; their weights are as the seed has them. */
export function drawnFaults(draw: Draw, only: readonly FaultName[] | null): Faults {
  const faults = new Map<FaultName, number>();
  const share = draw();
  for (const name of FAULTS) {
    const [on, weight] = [draw() < share, 0.1 + 0.9 * draw()];
    if (only === null ? on : only.includes(name)) faults.set(name, weight);
  }
  return faults;
}

export function faultNamed(name: string): FaultName | null {
  return FAULTS.find((each) => each === name) ?? null;
}
