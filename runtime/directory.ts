// The directory of instrument actors: who lives where, under which shard, with which committed slots. It owns
// liveness (a message to a stopped actor is silent) and the committed slots that an actor starts from, and
// knows the instruments that rest: stored, without an actor until one is needed. A slot key belongs to one
// router's life: what a router that is gone asked for, and is answered late, reaches nobody.

import type { Behaviour } from '../actors/behaviour.ts';
import type {
  FoldMessage,
  FoldReply,
  InstrumentEffect,
  InstrumentMessage,
  InstrumentState,
} from '../actors/instrument.ts';
import { type Slot, suspendedSlot } from '../actors/slot.ts';
import { addRestart, NO_RESTARTS, type RestartPolicy, type RestartWindow } from '../actors/supervision.ts';
import type { Address, Host } from './host.ts';
import { InstrumentIndex } from './instrument-index.ts';
import { atRest } from './passivation.ts';
import type { Marks, Resting } from './resting.ts';
import { Shards } from './shards.ts';

export interface Resident {
  readonly id: string;
  readonly market: string;
  /** Path of its shard, such as `markets/CAISO/00`. */
  readonly shard: string;
  address: Address<InstrumentMessage>;
  /** Committed slots, by slot key. */
  readonly slots: Map<string, Slot>;
  restarts: number;
  lastError: string | null;
  /** Slot keys in which it is quarantined. */
  quarantined: ReadonlySet<string>;
  /** Crashes outside the actor's own edge, within the period. */
  crashes: RestartWindow;
  /** Slot keys whose batch has records or news for it, from the fold until what came of it is committed. */
  readonly inHand: Set<string>;
  /** It was asked for something since the last call of `passivate`. */
  isUsed: boolean;
}

export interface SlotOwner {
  /** Instruments of it that need no actor yet. */
  readonly resting: Resting;
  /** Of those. */
  readonly marks: Marks;
  /** Event time that the instrument may not have been told of, milliseconds; null: there is none. */
  calendarMs(id: string): number | null;
  folded(reply: FoldReply): void;
  /** The actor came back with its committed state. */
  respawned(id: string): void;
}

export interface DirectorySettings {
  readonly host: Host;
  readonly behaviour: Behaviour<InstrumentState, InstrumentMessage, InstrumentEffect>;
  readonly shardChildrenMax: number;
  /** Crashes of one actor within the period before its instrument is suspended. */
  readonly crashes: RestartPolicy;
  readonly nowMs: () => number;
  /** An instrument actor was started in this shard. */
  readonly started: (shard: string) => void;
  /** An actor crashed outside its own edge. */
  readonly crashed: (resident: Resident, cause: string, budgetLeft: number) => void;
}

export class Directory {
  readonly #settings: DirectorySettings;
  readonly #shards: Shards;
  readonly #residents = new Map<string, Resident>();
  readonly #owners = new Map<string, SlotOwner>();
  /** Instruments that live or rest here. */
  readonly index = new InstrumentIndex();
  readonly #quarantined = new Map<string, Set<string>>();

  constructor(settings: DirectorySettings) {
    this.#settings = settings;
    this.#shards = new Shards(settings.host, settings.shardChildrenMax);
  }

  /** A router answers for a slot key from now on. */
  own(slotKey: string, owner: SlotOwner): void {
    this.#owners.set(slotKey, owner);
    for (const id of owner.resting.ids()) this.index.add(id);
    for (const [run, ms] of owner.marks) this.index.mark(run, ms);
  }

  /** The router is gone: its slots leave the actors; an actor without slots stops. */
  disown(slotKey: string): void {
    const owner = this.#owners.get(slotKey);
    this.#owners.delete(slotKey);
    for (const resident of [...this.#residents.values()]) this.#drop(resident, slotKey);
    for (const id of owner?.resting.ids() ?? []) this.#unlist(id);
  }

  /** Nobody asks for an instrument that neither lives nor rests here. */
  #unlist(id: string): void {
    if (this.#residents.has(id)) return;
    for (const { resting } of this.#owners.values()) if (resting.has(id)) return;
    this.index.remove(id);
  }

  #drop(resident: Resident, slotKey: string): void {
    if (!resident.slots.delete(slotKey)) return;
    resident.inHand.delete(slotKey);
    this.release(resident.id, slotKey);
    resident.address.tell({ kind: 'drop', slotKey });
    if (resident.slots.size === 0) this.#stop(resident);
  }

  /** These instruments live elsewhere now: their slots leave the actors, as when the router is gone. */
  forget(slotKey: string, ids: Iterable<string>): void {
    for (const id of ids) {
      const resident = this.#residents.get(id);
      if (resident !== undefined) this.#drop(resident, slotKey);
      if (this.#owners.get(slotKey)?.resting.forget(id) === true) this.#unlist(id);
    }
  }

  /** The living actor of an instrument with this slot in it. */
  resident(id: string, slotKey: string): Resident {
    const found = this.#residents.get(id) ?? this.#spawn(id);
    if (!found.slots.has(slotKey)) {
      const owner = this.#owners.get(slotKey);
      if (owner === undefined) throw new Error(`no router owns ${slotKey}`);
      const slot = owner.resting.take(id);
      found.slots.set(slotKey, slot);
      this.#mark(id, slot);
      found.address.tell({ kind: 'adopt', slotKey, slot });
    }
    return found;
  }

  fold(id: string, message: FoldMessage): void {
    const resident = this.resident(id, message.slotKey);
    resident.inHand.add(message.slotKey);
    resident.isUsed = true;
    resident.address.tell(message);
  }

  /** Actors that were asked for nothing since the last call go to rest: how many. */
  passivate(): number {
    let count = 0;
    for (const resident of [...this.#residents.values()]) {
      const { isUsed } = resident;
      resident.isUsed = false;
      const parts = isUsed ? null : atRest(resident, this.#settings.crashes, this.#settings.nowMs());
      if (parts === null) continue;
      for (const [slotKey, all] of parts) this.#owners.get(slotKey)?.resting.put(resident.id, all);
      this.#stop(resident);
      count += 1;
    }
    return count;
  }

  /** These are the committed slots now: for a look, for a respawn, and for the actors. */
  settle(slotKey: string, slots: ReadonlyMap<string, Slot>): void {
    for (const [id, candidate] of slots) {
      const resident = this.resident(id, slotKey);
      const slot = candidate.settled();
      resident.slots.set(slotKey, slot);
      resident.inHand.delete(slotKey);
      this.#mark(id, slot);
      resident.address.tell({ kind: 'adopt', slotKey, slot });
    }
  }

  owners(): ReadonlyMap<string, SlotOwner> {
    return this.#owners;
  }

  find(id: string): Resident | undefined {
    return this.#residents.get(id);
  }

  all(): ReadonlyMap<string, Resident> {
    return this.#residents;
  }

  /** Shards of a market in order, with the number of their children. */
  shards(market: string): readonly { readonly path: string; readonly children: number }[] {
    const all = this.#shards.of(market);
    return all.map((each) => ({ path: each.address.path, children: each.residents.size }));
  }

  /** Actors of a shard. */
  live(shard: string): number {
    return this.#shards.find(shard)?.residents.size ?? 0;
  }

  /** Instruments of a market that are in quarantine, in any of their slots. */
  quarantined(market: string): readonly string[] {
    return [...(this.#quarantined.get(market) ?? [])].sort();
  }

  quarantine(id: string, slotKey: string): void {
    const resident = this.#residents.get(id);
    if (resident === undefined) return;
    resident.quarantined = new Set(resident.quarantined).add(slotKey);
    const all = this.#quarantined.get(resident.market) ?? new Set();
    this.#quarantined.set(resident.market, all.add(id));
  }

  release(id: string, slotKey: string): void {
    const resident = this.#residents.get(id);
    if (resident === undefined || !resident.quarantined.has(slotKey)) return;
    const left = new Set(resident.quarantined);
    left.delete(slotKey);
    resident.quarantined = left;
    if (left.size === 0) this.#quarantined.get(resident.market)?.delete(id);
  }

  #mark(id: string, slot: Slot): void {
    const ms = slot.watermarkMs();
    if (ms !== null) this.index.mark(id, ms);
  }

  /** Stops the actors of a shard or market, and brings them back from their committed slots. */
  restart(what: string): number {
    const hit = [...this.#residents.values()].filter((each) => each.shard === what || each.market === what);
    for (const resident of hit) {
      this.#settings.host.stop(resident.address);
      this.#revive(resident);
    }
    return hit.length;
  }

  #spawn(id: string): Resident {
    const market = marketOf(id);
    const shard = this.#shards.open(market);
    shard.residents.add(id);
    const resident: Resident = {
      id,
      market,
      shard: shard.address.path,
      address: this.#actor(id, shard.address),
      slots: new Map(),
      restarts: 0,
      lastError: null,
      quarantined: new Set(),
      crashes: NO_RESTARTS,
      inHand: new Set(),
      isUsed: true,
    };
    this.#residents.set(id, resident);
    this.index.add(id);
    this.#settings.started(resident.shard);
    return resident;
  }

  #actor(id: string, parent: Address<never>): Address<InstrumentMessage> {
    return this.#settings.host.spawn<InstrumentState, InstrumentMessage, InstrumentEffect>({
      name: id,
      parent,
      initial: { id, slots: new Map() },
      behaviour: this.#settings.behaviour,
      perform: ({ reply }) => this.#owners.get(reply.slotKey)?.folded(reply),
      crashed: (error) => this.#crashed(id, error),
    });
  }

  #crashed(id: string, error: unknown): void {
    const resident = this.#residents.get(id);
    if (resident === undefined) return;
    const cause = error instanceof Error ? error.message : String(error);
    resident.lastError = cause;
    const nowMs = this.#settings.nowMs();
    const verdict = addRestart(resident.crashes, `${resident.restarts}`, nowMs, this.#settings.crashes);
    resident.crashes = verdict.exceeded ? NO_RESTARTS : verdict.window;
    if (verdict.exceeded) suspend(resident, `its actor keeps crashing: ${cause}`);
    this.#revive(resident);
    this.#settings.crashed(resident, cause, verdict.budgetLeft);
  }

  #revive(resident: Resident): void {
    const shard = this.#shards.find(resident.shard);
    if (shard === undefined) throw new Error(`${resident.id} has no shard`);
    resident.restarts += 1;
    resident.address = this.#actor(resident.id, shard.address);
    for (const [slotKey, slot] of resident.slots) resident.address.tell({ kind: 'adopt', slotKey, slot });
    for (const slotKey of resident.slots.keys()) this.#owners.get(slotKey)?.respawned(resident.id);
  }

  #stop(resident: Resident): void {
    this.#settings.host.stop(resident.address);
    this.#residents.delete(resident.id);
    this.#shards.find(resident.shard)?.residents.delete(resident.id);
    this.#unlist(resident.id);
  }
}

function marketOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}

function suspend({ slots }: Resident, cause: string): void {
  for (const [slotKey, slot] of slots) slots.set(slotKey, suspendedSlot(slot, cause));
}
