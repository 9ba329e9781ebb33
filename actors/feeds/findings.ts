// What a response had to say besides its records, as sentences for the event log: rows that were refused and
// checks of the whole file that failed. Bounded: the first few of each, and how many there are.

import type { Parsed } from './feed.ts';

export interface Finding {
  readonly cause: string;
  readonly decision: string;
}

const SHOWN = 10;

export function findingsOf(name: string, { refused, ledger, warnings }: Parsed): Finding[] {
  const rows = refused.slice(0, SHOWN).map(({ row, reason, detail }) => ({
    cause: `${name} row ${row}: ${reason}: ${detail}`,
    decision: `refused; ${ledger.rowsRefused} of ${ledger.rowsRead} rows of the response are`,
  }));
  const checks = warnings.slice(0, SHOWN).map((warning) => ({
    cause: `${name} ${warning}`,
    decision: `flagged, the values are kept; ${warnings.length} such findings on the response`,
  }));
  return [...rows, ...checks];
}
