// The conservation ledger (design §3.7): every record that is read gets exactly one disposition. Counts
// commit with the batch they belong to, by market, so that after any crash they are as exact as the outputs.

import { invariant } from './domain/invariant.ts';
import type { Tally } from './stage.ts';

export interface Ledger extends Tally {
  readonly read: number;
  readonly parked: number;
  /** Records written, by destination; dead letters under `dead_letters`. */
  readonly emitted: Readonly<Record<string, number>>;
}

export const EMPTY_LEDGER: Ledger = {
  read: 0,
  first: 0,
  revision: 0,
  duplicate: 0,
  rejected: 0,
  forwarded: 0,
  parked: 0,
  emitted: {},
};

/**
 * read − (first + revision + duplicate + rejected + forwarded + parked): 0 when nothing was lost or invented.
 */
export function imbalance(of: Ledger): number {
  return of.read - (of.first + of.revision + of.duplicate + of.rejected + of.forwarded + of.parked);
}

export function addLedgers(a: Ledger, b: Ledger): Ledger {
  const emitted: Record<string, number> = { ...a.emitted };
  for (const [to, count] of Object.entries(b.emitted)) emitted[to] = (emitted[to] ?? 0) + count;
  return {
    read: a.read + b.read,
    first: a.first + b.first,
    revision: a.revision + b.revision,
    duplicate: a.duplicate + b.duplicate,
    rejected: a.rejected + b.rejected,
    forwarded: a.forwarded + b.forwarded,
    parked: a.parked + b.parked,
    emitted,
  };
}

export type Ledgers = ReadonlyMap<string, Ledger>;

/** Adds by market; a delta that does not balance is a defect of the stage that made it. */
export function postLedgers(total: Ledgers, delta: Ledgers): Ledgers {
  const sum = new Map(total);
  for (const [market, ledger] of delta) {
    invariant(imbalance(ledger) === 0, `ledger of ${market} is off by ${imbalance(ledger)}`);
    sum.set(market, addLedgers(sum.get(market) ?? EMPTY_LEDGER, ledger));
  }
  return sum;
}
