// Recovery: what a partition starts with. Each stored state is looked over; it stays packed when it is whole.
// An instrument whose stored state cannot be read, whether that shows here or when it is needed (waking.ts),
// is folded again from the input of its partition, up to the position that the state stood at, so that it
// goes on as if nothing had happened; one event says so. What retention has taken of the input is read from
// elsewhere where the stage is a function of its set of ticks; else the event says what is missing. Without
// that the instrument is left unreadable, which leads to quarantine, never to a wrong number.

import { present } from '../actors/domain/invariant.ts';
import { keyHash } from '../actors/domain/murmur2.ts';
import { asOf, bornAt, type Layout, placed, versionOf } from '../actors/layout.ts';
import { isActive } from '../actors/quarantine.ts';
import type { RestoredRouter } from '../actors/router-protocol.ts';
import { type Slot, unreadableSlot } from '../actors/slot.ts';
import type { Glance } from '../actors/stage.ts';
import type { TopicPartition } from './log/log.ts';
import { LogFault } from './log/log-fault.ts';
import type { PackedStore } from './packed-store.ts';
import { readParked } from './parking.ts';
import type { PartitionPlan, PartitionPorts } from './partition-plan.ts';
import { Again, Refolding } from './refolding.ts';
import { type Damage, type Marks, raise } from './resting.ts';
import { glanceOf, type SlotMaker } from './slot-maker.ts';

/** How far its partition is folded, and what is told of quarantines there. */
type Folded = Pick<RestoredRouter, 'position' | 'quarantines' | 'layout'>;
type Ports = Pick<PartitionPorts, 'log' | 'clock' | 'record'>;

/** States looked over before others get a turn. */
const PER_TURN = 500;

export interface Recovered {
  /** Of the instruments that were folded again, or cannot be. */
  readonly slots: ReadonlyMap<string, Slot>;
  /** Every instrument that is stored, with the event time at which something of it is due. */
  readonly instruments: readonly (readonly [id: string, dueMs: number])[];
  readonly marks: Marks;
}

/** Looks over every stored instrument. Throws what the log throws. */
export async function recoverSlots(
  ports: Ports,
  plan: PartitionPlan,
  of: TopicPartition,
  router: Folded,
  store: PackedStore,
): Promise<Recovered> {
  const { slot: maker } = plan;
  const instruments: (readonly [string, number])[] = [];
  const marks: Marks = new Map();
  if (maker === null) return { slots: new Map(), instruments, marks };
  const note = (id: string, { watermarkMs, dueMs }: Glance): void => {
    instruments.push([id, dueMs]);
    raise(marks, id, watermarkMs);
  };
  const damaged: Damage[] = [];
  let seen = 0;
  for (const id of store.ids()) {
    seen += 1;
    if (seen % PER_TURN === 0) await new Promise<void>((done) => ports.clock.after(0, done));
    const parts = store.peek(id) ?? new Map();
    // What is in quarantine gets its actor at once.
    const found = lookOver(maker, id, parts, isActive(router.quarantines, id));
    if (typeof found === 'string') damaged.push({ id, cause: found, parts: [...parts.keys()] });
    else note(id, found);
  }
  const slots = await foldAgain(ports, plan, of, router, damaged);
  for (const [id, slot] of slots) note(id, glanceOf(slot));
  return { slots, instruments, marks };
}

/** `wholly`: by building it. A string says why it cannot be read. */
function lookOver(
  maker: SlotMaker,
  id: string,
  parts: ReadonlyMap<string, Uint8Array>,
  wholly: boolean,
): Glance | string {
  const built = wholly ? maker.restore(id, parts).unusable : null;
  if (built !== null) return built;
  try {
    return maker.glance(id, parts);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return maker.restore(id, parts).unusable ?? cause;
  }
}

/**
 * The slots of instruments whose stored state cannot be read, as of the router's position; unusable where
 * that cannot be. An event for each. Throws what the log throws.
 */
export async function foldAgain(
  ports: Ports,
  plan: PartitionPlan,
  of: TopicPartition,
  router: Folded,
  damaged: readonly Damage[],
): Promise<ReadonlyMap<string, Slot>> {
  const slots = new Map<string, Slot>();
  const found = await new Recovery(ports, plan, of, router).run(damaged.map(({ id }) => id));
  const { service } = plan.settings;
  for (const { id, cause, parts } of damaged) {
    const { slot, decision } = present(found.get(id), id);
    slots.set(id, slot.unusable === null ? slot.replacing(parts) : slot);
    ports.record({ kind: 'defect', service, actor: id, cause, decision, budget_left: null });
  }
  return slots;
}

class Recovery {
  readonly #ports: Ports;
  readonly #plan: PartitionPlan;
  readonly #of: TopicPartition;
  readonly #router: Folded;

  constructor(ports: Ports, plan: PartitionPlan, of: TopicPartition, router: Folded) {
    this.#ports = ports;
    this.#plan = plan;
    this.#of = of;
    this.#router = router;
  }

  async run(ids: readonly string[]): Promise<ReadonlyMap<string, Again>> {
    const all = new Map<string, Again>();
    const together = new Map<string, { chain: readonly number[]; ids: string[] }>();
    for (const id of ids) {
      const chain = chainOf(id, this.#of.partition, this.#router.layout);
      const found = together.get(chain.join()) ?? { chain, ids: [] };
      found.ids.push(id);
      together.set(chain.join(), found);
    }
    for (const { chain, ids: some } of together.values()) {
      for (const [id, again] of await this.#refold(chain, some)) all.set(id, again);
    }
    return all;
  }

  /** Instruments that were in the same partitions, one after the other. */
  async #refold(chain: readonly number[], ids: readonly string[]): Promise<ReadonlyMap<string, Again>> {
    const { log } = this.#ports;
    const { position } = this.#router;
    const { topic, partition: last } = this.#of;
    const gone = await this.#gone(chain);
    const all = new Map<string, Again>();
    for (const id of ids) all.set(id, await this.#begin(id, gone));
    for (const partition of chain) {
      const of = { topic, partition };
      const until = partition === last ? position : Number.POSITIVE_INFINITY;
      const pass = new Refolding(of, until, this.#plan.settings.outputBytesMax, all);
      for (let at = await log.offsetAt(of, 0); at < until; ) {
        const batch = await log.read(of, at, this.#plan.recordsMax);
        if (batch === null) break;
        pass.fold(batch);
        at = batch.nextOffset;
      }
    }
    const short = this.#plan.past === null ? gone : '';
    for (const each of all.values()) conclude(each, `${topic}/${last} up to ${position}`, short);
    return all;
  }

  /** What retention has taken of the input, in words; empty: nothing. */
  async #gone(chain: readonly number[]): Promise<string> {
    const missing: string[] = [];
    for (const partition of chain) {
      const from = await this.#ports.log.offsetAt({ topic: this.#of.topic, partition }, 0);
      if (from > 0) missing.push(`offsets 0 to ${from - 1} of ${this.#of.topic}/${partition}`);
    }
    return missing.length === 0 ? '' : `${missing.join(', ')} are gone from the log`;
  }

  async #begin(id: string, gone: string): Promise<Again> {
    const fresh = this.#plan.slot?.fresh(id) ?? unreadableSlot('no', 'it has no slots');
    const again = new Again(id, fresh, isActive(this.#router.quarantines, id), await this.#parkedFrom(id));
    const end = await this.#ports.log.end(this.#of);
    const { position } = this.#router;
    if (end < position) again.lacks(`the log ends at ${end}, and the state stood at ${position}`);
    if (gone === '' || this.#plan.past === null) return again;
    try {
      const records = await this.#plan.past(id);
      again.take(records, null, 0, 'silver', this.#plan.settings.outputBytesMax);
      again.gone = again.folded;
    } catch (error) {
      if (error instanceof LogFault) throw error;
      const cause = error instanceof Error ? error.message : String(error);
      again.lacks(`${gone}, and silver has no answer: ${cause}`);
    }
    return again;
  }

  /** Where the first record stands that waits in the parking. */
  async #parkedFrom(id: string): Promise<(TopicPartition & { readonly offset: number }) | null> {
    const entry = this.#router.quarantines.get(id);
    if (entry === undefined || !entry.active) return null;
    const of = { topic: this.#plan.settings.parkingTopic, partition: entry.home ?? this.#of.partition };
    const parked = await readParked(this.#ports.log, of, id, entry.fromOffset, this.#plan.recordsMax);
    return parked.count === 0 ? null : (parked.origin?.(0) ?? null);
  }
}

/** Partitions that held an instrument's records, in order; `last` holds its state now. */
function chainOf(id: string, last: number, layout: Layout | null): readonly number[] {
  const hash = keyHash(id);
  // A state that stands elsewhere came from outside the layout: its records do too.
  if (layout === null || placed(layout, hash) !== last || bornAt(layout, last) === 1) return [last];
  const places = Array.from({ length: versionOf(layout) }, (_, n) => placed(asOf(layout, n + 1), hash));
  return [...new Set(places)];
}

function conclude(again: Again, place: string, short: string): void {
  const { slot, folded, gone } = again;
  const silver = gone === 0 ? '' : `${gone} ticks of silver and `;
  const what = `folded again from ${silver}${folded - gone} records of ${place}`;
  if (slot.unusable !== null) again.decision = `its records will be parked: ${slot.unusable}`;
  else again.decision = short === '' ? what : `${what}; ${short}`;
}
