// Restore: everything a group stored for a partition, read in one scan on assignment. Router state is decoded
// at once; instrument parts stay packed until the actor is first needed.

import { storedRunKey } from '../actors/calendar.ts';
import { present } from '../actors/domain/invariant.ts';
import { EMPTY_LEDGER, type Ledger, type Ledgers } from '../actors/ledger.ts';
import { type Quarantine, quarantinedId } from '../actors/quarantine.ts';
import type { RestoredRouter } from '../actors/router-protocol.ts';
import { LEDGER_KEY } from '../actors/router-work.ts';
import type { Member, TopicPartition } from './log/log.ts';

/** Packed parts of each instrument of a partition, by part name. */
export type PackedParts = Map<string, Map<string, Uint8Array>>;

export interface Restored {
  readonly router: RestoredRouter;
  readonly parts: PackedParts;
}

/**
 * Reads the stored state of a partition. Throws what the log throws; a malformed router entry is a Defect.
 */
export async function restorePartition(member: Member, of: TopicPartition): Promise<Restored> {
  const parts: PackedParts = new Map();
  const calendar = new Map<string, number>();
  const quarantines = new Map<string, Quarantine>();
  let ledgers: Ledgers = new Map();
  for await (const [key, value] of member.state(of)) {
    if (key.startsWith('i:')) keepPart(parts, key, value);
    else if (key === LEDGER_KEY) ledgers = readLedgers(value);
    else {
      const run = storedRunKey(key);
      const id = quarantinedId(key);
      if (run !== null) calendar.set(run, Number(text(value)));
      else if (id !== null) quarantines.set(id, readQuarantine(value));
    }
  }
  const position = await member.committed(of);
  return { router: { position, ledgers, quarantines, calendar, instruments: [...parts.keys()] }, parts };
}

function keepPart(parts: PackedParts, key: string, value: Uint8Array): void {
  const cut = key.indexOf('\u0000');
  const id = key.slice(2, cut);
  const found = parts.get(id);
  if (found === undefined) parts.set(id, new Map([[key.slice(cut + 1), value]]));
  else found.set(key.slice(cut + 1), value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

function readLedgers(value: Uint8Array): Ledgers {
  const parsed: Record<string, Partial<Ledger>> = JSON.parse(text(value));
  return new Map(Object.entries(parsed).map(([market, ledger]) => [market, { ...EMPTY_LEDGER, ...ledger }]));
}

function readQuarantine(value: Uint8Array): Quarantine {
  const { active, fromOffset, parked, sinceMs }: Partial<Quarantine> = JSON.parse(text(value));
  return {
    active: present(active, 'quarantine.active'),
    fromOffset: present(fromOffset, 'quarantine.fromOffset'),
    parked: present(parked, 'quarantine.parked'),
    sinceMs: present(sinceMs, 'quarantine.sinceMs'),
  };
}
