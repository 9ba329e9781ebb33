// Restore: everything a group stored for a partition, read in one scan on assignment. Router state is decoded
// at once; instrument parts stay packed until the actor is first needed.

import { storedRunKey } from '../actors/calendar.ts';
import { Defect, invariant, present } from '../actors/domain/invariant.ts';
import { unsealJson } from '../actors/domain/sealed.ts';
import {
  awaited,
  LAYOUT_STATE,
  latestCalendar,
  type Mark,
  readMark,
  storedLayout,
} from '../actors/hand-over.ts';
import type { Layout } from '../actors/layout.ts';
import { EMPTY_LEDGER, type Ledger, type Ledgers } from '../actors/ledger.ts';
import { type Quarantine, quarantinedId } from '../actors/quarantine.ts';
import type { RestoredRouter } from '../actors/router-protocol.ts';
import { LEDGER_KEY, POSITION_KEY } from '../actors/router-work.ts';
import type { Member, TopicPartition } from './log/log.ts';
import { PackedStore } from './packed-store.ts';

export interface Restored {
  readonly router: Omit<RestoredRouter, 'instruments'>;
  readonly store: PackedStore;
  /** The position that stands with the state; null: nothing is stored. */
  readonly stored: number | null;
  /** Older partitions that have not handed over yet: until they have, this one is not whole. */
  readonly awaits: readonly number[];
}

/**
 * Reads the stored state of a partition. Throws what the log throws; a damaged router entry is a Defect.
 * The position that is stored with the state counts, where there is one: what the state holds is not folded
 * again, and what it lacks is, whatever became of the offset. `layout`: the topic's, as the log has it now.
 */
export async function restorePartition(
  member: Member,
  of: TopicPartition,
  layout: Layout | null,
): Promise<Restored> {
  const store = new PackedStore();
  const instruments = new Gathering(store);
  const calendar = new Map<string, number>();
  const quarantines = new Map<string, Quarantine>();
  let ledgers: Ledgers = new Map();
  const marks: Mark[] = [];
  let stored: number | null = null;
  let own: Layout | null = null;
  for await (const [key, value] of member.state(of)) {
    if (key.startsWith('i:')) instruments.add(key, value);
    else if (key === LEDGER_KEY) ledgers = readLedgers(value);
    else if (key === POSITION_KEY) stored = Number(unsealJson(value, [1]));
    else if (key === LAYOUT_STATE) own = storedLayout(value);
    else {
      const mark = readMark(key, value);
      if (mark !== null) marks.push(mark);
      const run = storedRunKey(key);
      const id = quarantinedId(key);
      if (run !== null) calendar.set(run, Number(unsealJson(value, [1])));
      else if (id !== null) quarantines.set(id, readQuarantine(value));
    }
  }
  instruments.end();
  const position = stored ?? (await member.committed(of));
  const router = {
    position,
    ledgers,
    quarantines,
    calendar: latestCalendar(calendar, marks),
    layout: own ?? marks[0]?.layout ?? null,
  };
  return { router, store, stored, awaits: layout === null ? [] : awaited(layout, of.partition, marks) };
}

/** Puts together the parts of an instrument, which stand one behind the other in the order of their keys. */
class Gathering {
  readonly #store: PackedStore;
  #id = '';
  #parts: [part: string, bytes: Uint8Array][] = [];

  constructor(store: PackedStore) {
    this.#store = store;
  }

  add(key: string, value: Uint8Array): void {
    const cut = key.indexOf('\u0000');
    const id = key.slice(2, cut);
    if (id !== this.#id) {
      this.end();
      invariant(!this.#store.has(id), `the parts of ${id} are stored together`);
      this.#id = id;
    }
    this.#parts.push([key.slice(cut + 1), value]);
  }

  end(): void {
    if (this.#parts.length > 0) this.#store.put(this.#id, this.#parts);
    this.#parts = [];
  }
}

function readLedgers(value: Uint8Array): Ledgers {
  const parsed = unsealJson(value, [1]);
  if (typeof parsed !== 'object' || parsed === null) throw new Defect('the stored ledger is no object');
  const markets: Record<string, Partial<Ledger>> = { ...parsed };
  return new Map(Object.entries(markets).map(([market, ledger]) => [market, { ...EMPTY_LEDGER, ...ledger }]));
}

function readQuarantine(value: Uint8Array): Quarantine {
  const parsed = unsealJson(value, [1]);
  if (typeof parsed !== 'object' || parsed === null) throw new Defect('a stored quarantine is no object');
  const { active, fromOffset, parked, sinceMs, home }: Partial<Quarantine> = parsed;
  return {
    active: present(active, 'quarantine.active'),
    fromOffset: present(fromOffset, 'quarantine.fromOffset'),
    parked: present(parked, 'quarantine.parked'),
    sinceMs: present(sinceMs, 'quarantine.sinceMs'),
    home: home ?? null,
  };
}
