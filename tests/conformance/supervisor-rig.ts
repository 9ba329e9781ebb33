// What the cases of supervision work with: the real directory and instrument actors on any host, a router
// that only keeps what was not answered, and crashes on demand. Actions are words, so that a case is a row.

import type { FoldMessage, FoldReply } from '../../actors/instrument.ts';
import { instrumentBehaviour } from '../../actors/instrument.ts';
import type { Slot } from '../../actors/slot.ts';
import { Directory, type SlotOwner } from '../../runtime/directory.ts';
import type { Host } from '../../runtime/host.ts';
import { PackedStore } from '../../runtime/packed-store.ts';
import { Resting } from '../../runtime/resting.ts';
import { slotMaker } from '../../runtime/slot-maker.ts';
import { countingStage } from '../simulation/counting-stages.ts';

const STAGE = countingStage('aggregation', 'bars');
const CRASHES = { intensity: 3, periodMs: 1_000 };
const encoder = new TextEncoder();

export class DirectoryRig implements SlotOwner {
  readonly told: string[] = [];
  readonly #directory: Directory;
  readonly #crashes = new Map<string, number>();
  readonly #waiting = new Map<string, FoldMessage>();
  /** Committed states of earlier lives of the router. */
  readonly #stored = new Map<string, Slot>();
  #life = 1;
  #nowMs = 0;
  #held = false;
  #many = 0;

  constructor(host: Host) {
    this.host = host;
    const behave = instrumentBehaviour({ quarantine: CRASHES, outputBytesMax: 10_000 });
    this.#directory = new Directory({
      host,
      behaviour: (state, message) => {
        const left = message.kind === 'fold' ? (this.#crashes.get(state.id) ?? 0) : 0;
        if (left === 0) return behave(state, message);
        this.#crashes.set(state.id, left - 1);
        throw new Error('crash on demand');
      },
      shardChildrenMax: 2,
      crashes: CRASHES,
      nowMs: () => this.#nowMs,
      started: () => {},
      crashed: ({ id }, _, left) => void this.told.push(`${id.slice(-1)} ${left}`),
    });
    this.#directory.own(this.#key, this);
  }

  readonly host: Host;

  get #key(): string {
    return `router@${this.#life}`;
  }

  /** What this life of the router found stored, and what was put to rest since. */
  resting = new Resting(slotMaker(STAGE), new PackedStore(), new Map());

  readonly marks = new Map<string, number>();

  calendarMs(): null {
    return null;
  }

  folded(reply: FoldReply): void {
    if (this.#held) return;
    if (!this.#waiting.delete(reply.instrument) || reply.quarantinedAfter !== null) return;
    this.#stored.set(reply.instrument, reply.slot.settled());
    this.#directory.settle(reply.slotKey, new Map([[reply.instrument, reply.slot]]));
  }

  respawned(id: string): void {
    const message = this.#waiting.get(id);
    if (message !== undefined) this.#directory.fold(id, message);
  }

  async act(line: string): Promise<void> {
    const [verb = '', name = '', number = '', times = ''] = line.split(' ');
    const id = `X:R:${name}`;
    switch (verb) {
      case 'fold':
        this.#fold(id, Number(number));
        break;
      case 'hold':
        this.#held = true;
        this.#fold(id, Number(number));
        await this.settle();
        this.#held = false;
        break;
      case 'crash':
        this.#crash(id);
        break;
      case 'crash-on':
        this.#crashes.set(id, times === 'twice' ? 2 : 1);
        this.#fold(id, Number(number));
        break;
      case 'crash-late':
        this.#crashes.set(id, 1);
        this.#fold(id, 0);
        this.#leave();
        break;
      case 'restart':
        this.#directory.restart(name === 'shard' ? 'markets/X/00' : name);
        break;
      case 'wait':
        this.#nowMs += CRASHES.periodMs + 1;
        break;
      case 'idle':
        this.#directory.passivate();
        break;
      case 'disown':
        this.#leave();
        break;
      case 'own':
        this.#life += 1;
        this.resting = new Resting(slotMaker(STAGE), new PackedStore(), this.#stored);
        this.#directory.own(this.#key, this);
        break;
      case 'many':
        this.#many = Number(name);
        for (let n = 0; n < this.#many; n += 1) this.#fold(`X:R:L${n}`, n);
        break;
      case 'crash-all':
        for (let n = 0; n < this.#many; n += 1) this.#crash(`X:R:L${n}`);
        break;
      default:
        throw new Error(`no such action: ${line}`);
    }
    await this.settle();
  }

  /** As many turns as the case needs: until nothing changes for a while. */
  async settle(): Promise<void> {
    const seeded = 'settle' in this.host && typeof this.host.settle === 'function' ? this.host.settle : null;
    if (seeded !== null) {
      seeded(1_000_000);
      return;
    }
    const standing = (): string => `${this.#waiting.size} ${this.host.size()} ${this.told.length}`;
    for (let still = 0, last = ''; still < 20; ) {
      await new Promise<void>((done) => setImmediate(done));
      still = standing() === last ? still + 1 : 0;
      last = standing();
    }
  }

  /** Ids of each actor's committed state, such as `A:1,2 B:3`. */
  standing(): string {
    const all = [...this.#directory.all().values()].map(({ id, slots }) => {
      const [slot] = slots.values();
      const { ids } = slot?.inspect() ?? {};
      const suspended = slot?.unusable === null ? '' : ' (suspended)';
      return { name: id.slice('X:R:'.length), ids: Array.isArray(ids) ? ids.join() : '', suspended };
    });
    if (this.#many > 0) {
      const right = all.filter(({ name, ids }) => name === `L${ids}`).length;
      return right === this.#many ? 'many' : `${right} of ${this.#many}`;
    }
    const sorted = all.sort((a, b) => (a.name < b.name ? -1 : 1));
    return sorted.map(({ name, ids, suspended }) => `${name}:${ids}${suspended}`).join(' ');
  }

  shards(): number[] {
    return this.#directory.shards('X').map(({ children }) => children);
  }

  #fold(id: string, number: number): void {
    const record = { instrument: id, id: number, poison: null };
    const message: FoldMessage = {
      kind: 'fold',
      slotKey: this.#key,
      seq: number,
      source: 'in/0',
      records: [{ offset: number, value: encoder.encode(JSON.stringify(record)) }],
      owedMs: null,
      advanceToMs: null,
      renewed: false,
      nowMs: this.#nowMs,
    };
    this.#waiting.set(id, message);
    this.#directory.fold(id, message);
  }

  /** A crash on a message that nobody waits for an answer to. */
  #crash(id: string): void {
    this.#crashes.set(id, 1);
    this.#fold(id, 0);
    this.#waiting.delete(id);
  }

  #leave(): void {
    this.#directory.disown(this.#key);
    this.#waiting.clear();
  }
}
