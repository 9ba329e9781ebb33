// Observations: a price (or trade) of one interval with every distinct version that was published of it. A
// version is known by (publication, hash of its values); the greatest is the observation's value, whenever it
// arrived.

import { type Rejection, reject } from './rejection.ts';

export interface Version {
  /** Microseconds. */
  readonly publication: number;
  /** First twelve hex digits of the hash of the values. */
  readonly hash: string;
  /** Millionths of $/MWh; null: unknown. */
  readonly price: number | null;
  /** Millionths of MWh; null: the observation is no trade. */
  readonly quantity: number | null;
}

export interface Observation {
  readonly startMs: number;
  /** Exclusive; equal to startMs for a trade. */
  readonly endMs: number;
  readonly tradeId: string | null;
  /** At least one, ascending by (publication, hash). */
  readonly versions: readonly Version[];
}

/** Distinct versions that one observation may have; a further one is refused. */
export const VERSIONS_MAX = 64;
export const HASH_DIGITS = 12;

export type Disposition = 'first' | 'revision' | 'duplicate';

function compareVersions(a: Version, b: Version): number {
  return a.publication - b.publication || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);
}

/** Order of observations: event time, then the trade's own id. */
export function compareObservations(
  a: Pick<Observation, 'startMs' | 'tradeId'>,
  b: Pick<Observation, 'startMs' | 'tradeId'>,
): number {
  if (a.startMs !== b.startMs) return a.startMs - b.startMs;
  const left = a.tradeId ?? '';
  const right = b.tradeId ?? '';
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The value: that of the greatest version. */
export function currentOf(observation: Observation): Version {
  const last = observation.versions[observation.versions.length - 1];
  if (last === undefined) throw new RangeError('an observation has at least one version');
  return last;
}

/** Value changes along the versions' order; the first counts, so ≥ 1. Adding a version never lowers it. */
export function changesOf(observation: Observation): number {
  const { versions } = observation;
  let changes = 1;
  for (let n = 1; n < versions.length; n += 1) if (versions[n]?.hash !== versions[n - 1]?.hash) changes += 1;
  return changes;
}

export interface Placed {
  readonly observation: Observation;
  readonly disposition: Disposition;
}

/** Adds a version to its observation. The same version again, or one that changes nothing, is a duplicate. */
export function place(observation: Observation, version: Version): Placed | Rejection {
  const { versions } = observation;
  let at = versions.length;
  while (at > 0) {
    const before = versions[at - 1];
    if (before === undefined) break;
    const order = compareVersions(before, version);
    if (order === 0) return { observation, disposition: 'duplicate' };
    if (order < 0) break;
    at -= 1;
  }
  if (versions.length >= VERSIONS_MAX) {
    return reject('version_overflow', `an observation keeps ${VERSIONS_MAX} versions; this one is more`);
  }
  const placed = { ...observation, versions: [...versions.slice(0, at), version, ...versions.slice(at)] };
  const changed = changesOf(placed) > changesOf(observation);
  return { observation: placed, disposition: changed ? 'revision' : 'duplicate' };
}
