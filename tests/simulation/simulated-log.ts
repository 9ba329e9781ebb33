// The simulated log: the port as one process sees it, over a store that all processes share. Every call takes
// time on its way there and on its way back, drawn from the seed; calls fail and commits abort as often as
// the faults say. What was sent is carried out even when its sender is gone by then, as on a real broker.

import type { Outgoing, StateChange } from '../../actors/batch.ts';
import type { Layout } from '../../actors/layout.ts';
import type { Clock, Draw } from '../../runtime/host.ts';
import type {
  Batch,
  Commit,
  CommitOutcome,
  Log,
  Member,
  PartitionLag,
  TopicPartition,
  TopicSpec,
} from '../../runtime/log/log.ts';
import { LogFault } from '../../runtime/log/log-fault.ts';
import { differs } from '../../runtime/log/topic-differs.ts';
import { placeOf, type Seat, type SimulatedStore } from './simulated-store.ts';
import type { Listening } from './world.ts';

export interface LogFaults {
  /** Time on one way, milliseconds. */
  readonly latencyMsMax: number;
  /** Shares of calls, 0–1. */
  readonly aborts: number;
  readonly commitFailures: number;
  readonly readFailures: number;
  readonly appendFailures: number;
  /** Outputs and state are stored, the position is not, and the member that asked for it is gone. */
  readonly tornCommits: number;
  /** All is stored, and the member that asked for it is gone before it hears so. */
  readonly lostReplies: number;
  /** Of reads of a stored state: a part of an instrument's is damaged by then. */
  readonly damages: number;
  /** A member is told that it is fenced, and has the partition all the same: no assignment follows. */
  readonly falseFences: number;
  /** After this a member that is gone loses its partitions, milliseconds. */
  readonly sessionMs: number;
}

export const CALM_LOG: LogFaults = {
  latencyMsMax: 0,
  aborts: 0,
  commitFailures: 0,
  readFailures: 0,
  appendFailures: 0,
  tornCommits: 0,
  lostReplies: 0,
  damages: 0,
  falseFences: 0,
  sessionMs: 0,
};

export interface LogWorld {
  readonly store: SimulatedStore;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly faults: () => LogFaults;
  /** Readers that wait, of all processes. */
  readonly waiters: Set<Waiter>;
  readonly listening: Listening;
  /** What happened to commits, for a trace. */
  readonly tell?: (what: string) => void;
}

export interface Waiter {
  readonly topics: readonly string[];
  wake(): void;
}

export class SimulatedLog implements Log {
  readonly #world: LogWorld;
  readonly #leave: (() => void)[] = [];
  readonly #rejoin: (() => void)[] = [];
  readonly #died: () => void;
  /** Answers that wait for a process that stands still; null: it does not. */
  #held: (() => void)[] | null = null;
  #alive = true;

  /** `died`: the faults have it that this process is gone now. */
  constructor(world: LogWorld, died: () => void = () => {}) {
    this.#world = world;
    this.#died = died;
  }

  /** The process stands still: what comes for it waits, and its seats go when the session ends. */
  freeze(): void {
    const held: (() => void)[] = [];
    this.#held = held;
    const { clock, faults } = this.#world;
    clock.after(faults().sessionMs, () => {
      if (this.#held === held) for (const leave of this.#leave) leave();
    });
  }

  /** It goes on, hears all that came meanwhile, and takes its seats again where it lost them. */
  thaw(): void {
    const held = this.#held ?? [];
    this.#held = null;
    if (!this.#alive) return;
    for (const each of held) each();
    for (const rejoin of this.#rejoin) rejoin();
  }

  #deliver(action: () => void): void {
    if (!this.#alive) return;
    if (this.#held === null) action();
    else this.#held.push(action);
  }

  /** The process is gone without a word: nothing more is answered, its seats go when the session ends. */
  vanish(): void {
    this.#alive = false;
    const { clock, faults } = this.#world;
    for (const leave of this.#leave) clock.after(faults().sessionMs, leave);
  }

  bootstrap(specs: readonly TopicSpec[]): Promise<{ created: string[]; differing: string[] }> {
    return this.#call(() => {
      const { topics } = this.#world.store;
      const differing = specs.filter((each) => {
        const found = topics.get(each.name);
        return found !== undefined && differs(each, found);
      });
      const created = specs.filter((each) => !topics.has(each.name));
      for (const each of created) topics.set(each.name, each);
      return { created: created.map((each) => each.name), differing: differing.map((each) => each.name) };
    });
  }

  topics(): Promise<readonly TopicSpec[]> {
    return this.#call(() => [...this.#world.store.topics.values()]);
  }

  layout(topic: string): Promise<Layout> {
    return this.#call(() => this.#world.store.layout(topic));
  }

  increase(topic: string, partitions: number): Promise<void> {
    return this.#call(() => {
      const { store, clock } = this.#world;
      store.increase(topic, partitions, clock.nowMs());
      this.#wake(new Set([topic]));
    });
  }

  join(group: string, topics: readonly string[]): Promise<Member> {
    return this.#call(() => {
      const { store } = this.#world;
      const coordinator = store.coordinator(group, topics);
      const told: { listener: Seat['listener'] | null; lastMs: number; heard: number } = {
        listener: null,
        lastMs: 0,
        heard: 0,
      };
      const tell = (partitions: readonly TopicPartition[], generation: number): void => {
        const { clock } = this.#world;
        told.lastMs = Math.max(told.lastMs + 1, clock.nowMs() + this.#latencyMs());
        clock.after(told.lastMs - clock.nowMs(), () => {
          this.#deliver(() => {
            if (!coordinator.seats.includes(seat)) return;
            told.heard = generation;
            told.listener?.(partitions, generation);
          });
        });
      };
      let left = false;
      const seat: Seat = { listener: tell, owned: [], since: new Map() };
      coordinator.seats.push(seat);
      store.rebalance(coordinator);
      const leave = (): void => {
        const at = coordinator.seats.indexOf(seat);
        if (at < 0) return;
        coordinator.seats.splice(at, 1);
        seat.owned = [];
        seat.since = new Map();
        store.rebalance(coordinator);
      };
      this.#leave.push(leave);
      this.#rejoin.push(() => {
        if (left || coordinator.seats.includes(seat)) return;
        // It learns first that it has lost all that it had.
        told.listener?.([], coordinator.generation);
        coordinator.seats.push(seat);
        store.rebalance(coordinator);
      });
      // Whoever asked may be gone by now: the session of its seat ends like any other.
      if (!this.#alive) this.#world.clock.after(this.#world.faults().sessionMs, leave);
      const goodbye = (): void => {
        left = true;
        leave();
      };
      const heard = (): number => told.heard;
      return this.#member(group, seat, heard, goodbye, (listener) => {
        told.listener = listener;
        tell(seat.owned, coordinator.generation);
      });
    });
  }

  append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void> {
    return this.#call(() => {
      const { store, clock, faults, tell } = this.#world;
      if ((store.writers.get(writer) ?? this) !== this) {
        throw new LogFault(`another process writes as ${writer} by now`, 'log_fenced', false);
      }
      if (this.#happens(faults().appendFailures))
        throw new LogFault('simulated: the append failed', 'log_io', true);
      const lost = this.#happens(faults().lostReplies);
      this.#wake(store.transact(`writer ${writer}`, outputs, state, clock.nowMs()));
      tell?.(`${writer} appended ${outputs.length}${lost ? ', reply lost' : ''}`);
      if (lost) this.#died();
    });
  }

  writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.#call(() => {
      const { store } = this.#world;
      // Whoever asks for the state is the writer from here on: what an earlier one has on its way is refused.
      // One that died since it asked takes nothing from who came after it: it will never write.
      if (this.#alive) store.writers.set(writer, this);
      return new Map(store.state(`writer ${writer}`));
    });
  }

  lag(group: string): Promise<readonly PartitionLag[]> {
    return this.#call(() => {
      const { store } = this.#world;
      return store.partitionsOf(group).map((of) => {
        const [committed, end] = [store.committed(group, of), store.end(of)];
        return { ...of, committed, end, lag: end - committed };
      });
    });
  }

  offsetAt(of: TopicPartition, timestampMs: number): Promise<number> {
    return this.#call(() => {
      const entries = this.#world.store.entries(of);
      const found = entries.findIndex((each) => each !== null && each.timestampMs >= timestampMs);
      return found < 0 ? entries.length : found;
    });
  }

  read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null> {
    return this.#call(() => {
      this.#mayFail('read', this.#world.faults().readFailures);
      return this.#world.store.batch(of, fromOffset, recordsMax);
    });
  }

  /** Nothing is ever taken away. */
  start(): Promise<number> {
    return this.#call(() => 0);
  }

  end(of: TopicPartition): Promise<number> {
    return this.#call(() => this.#world.store.end(of));
  }

  appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { waiters, clock, listening } = this.#world;
    return new Promise((resolve) => {
      const done = (): void => {
        waiters.delete(waiter);
        off();
        resolve();
      };
      const waiter = { topics, wake: () => void clock.after(this.#latencyMs(), () => this.#deliver(done)) };
      waiters.add(waiter);
      const off = listening.on(signal, done);
    });
  }

  /** Keeps everything: a simulated run is short. */
  retain(): Promise<number> {
    return this.#call(() => 0);
  }

  health(): Promise<string | null> {
    return this.#call(() => null);
  }

  async close(): Promise<void> {
    for (const leave of this.#leave) leave();
    this.#alive = false;
  }

  #member(
    group: string,
    seat: Seat,
    heard: () => number,
    leave: () => void,
    assigned: (listener: Seat['listener']) => void,
  ): Member {
    const { store } = this.#world;
    const positions = new Map<string, number>();
    /** Generation that was known when the state of a partition was last read. */
    const adopted = new Map<string, number>();
    const entriesOf = (of: TopicPartition) => this.#call(() => [...store.state(`${group} ${placeOf(of)}`)]);
    const stateOf = (of: TopicPartition) => {
      adopted.set(placeOf(of), heard());
      this.#mayDamage(`${group} ${placeOf(of)}`);
      return entriesOf(of);
    };
    return {
      group,
      assigned: (listener) => {
        positions.clear();
        assigned((partitions, generation) => {
          const owned = new Set(partitions.map(placeOf));
          for (const place of positions.keys()) if (!owned.has(place)) positions.delete(place);
          for (const place of owned) if (!adopted.has(place)) adopted.set(place, generation);
          listener(partitions, generation);
        });
      },
      poll: async (of, recordsMax) => {
        const from = positions.get(placeOf(of));
        const batch = await this.#call(() => {
          this.#mayFail('poll', this.#world.faults().readFailures);
          const at = from ?? store.committed(group, of);
          const found = store.batch(of, at, recordsMax);
          // Markers alone are left: the position moves past them, so that an idle group has no lag.
          if (found === null && seat.since.has(placeOf(of)) && store.committed(group, of) < store.end(of))
            store.setCommitted(group, of, store.end(of));
          return found;
        });
        if (batch !== null) positions.set(placeOf(of), batch.nextOffset);
        return batch;
      },
      seek: (of, offset) => void positions.set(placeOf(of), offset),
      committed: (of) => this.#call(() => store.committed(group, of)),
      commit: (of, commit) => {
        // What its sender knew when it was sent counts, and who had lost the partition knows nothing of it.
        const known = adopted.get(placeOf(of)) ?? heard();
        return this.#call(() => this.#commit(group, seat, known, of, commit));
      },
      async *state(of) {
        const found = await stateOf(of);
        yield* found.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      },
      async *stored(of) {
        yield* await entriesOf(of);
      },
      leave: () => this.#call(leave),
    };
  }

  #commit(group: string, seat: Seat, known: number, of: TopicPartition, commit: Commit): CommitOutcome {
    const { store, clock, draw, faults, tell } = this.#world;
    const owner = `${group} ${placeOf(of)}`;
    const since = seat.since.get(placeOf(of));
    // Who had lost the partition, and does not know it yet, is fenced though it may have it again.
    if (since === undefined || known < since) {
      tell?.(`${owner} fenced`);
      return 'fenced';
    }
    if (this.#happens(faults().falseFences)) {
      tell?.(`${owner} falsely fenced`);
      return 'fenced';
    }
    this.#mayFail('commit', faults().commitFailures);
    if (draw() < faults().aborts) {
      tell?.(`${owner} aborted`);
      return 'aborted';
    }
    const torn = this.#happens(faults().tornCommits) && commit.state.some(({ key }) => key === 'r:position');
    const lost = this.#happens(faults().lostReplies);
    const own = commit.state.filter(({ partition }) => partition === undefined);
    const topics = store.transact(owner, commit.outputs, own, clock.nowMs());
    for (const { key, value, partition } of commit.state) {
      if (partition !== undefined) store.change(`${group} ${of.topic}/${partition}`, key, value);
    }
    if (!torn) store.setCommitted(group, of, commit.nextOffset);
    tell?.(`${owner} committed to ${commit.nextOffset}${torn ? ', torn' : ''}${lost ? ', reply lost' : ''}`);
    this.#wake(topics);
    if (torn || lost) this.#died();
    return 'committed';
  }

  /** Draws only where it may happen, so that a fault that is off changes nothing of a run. */
  #happens(share: number): boolean {
    return share > 0 && this.#world.draw() < share;
  }

  /** A bit of a part flips, or its end is lost. */
  #mayDamage(owner: string): void {
    if (!this.#happens(this.#world.faults().damages)) return;
    const { store, draw, tell } = this.#world;
    const below = (limit: number): number => Math.floor(draw() * limit);
    const parts = [...store.state(owner)].filter(([key]) => key.startsWith('i:'));
    const [key, bytes] = parts[below(parts.length)] ?? [];
    if (key === undefined || bytes === undefined) return;
    const damaged =
      draw() < 0.5 ? bytes.slice(0, below(bytes.length)) : flipped(bytes, below(bytes.length * 8));
    store.damage(owner, key, damaged);
    tell?.(`${owner} damaged ${key.slice(2, key.indexOf('\u0000'))}`);
  }

  #mayFail(what: string, share: number): void {
    if (this.#world.draw() < share) throw new LogFault(`simulated: the ${what} failed`, 'log_io', true);
  }

  #wake(topics: ReadonlySet<string>): void {
    for (const waiter of [...this.#world.waiters]) {
      if (waiter.topics.some((topic) => topics.has(topic))) waiter.wake();
    }
  }

  #latencyMs(): number {
    return Math.floor(this.#world.draw() * (this.#world.faults().latencyMsMax + 1));
  }

  /** There, carried out, and back. */
  #call<T>(work: () => T): Promise<T> {
    const { clock } = this.#world;
    return new Promise((resolve, reject) => {
      clock.after(this.#latencyMs(), () => {
        const answer = attempt(work);
        clock.after(this.#latencyMs(), () => {
          this.#deliver(() => {
            if ('error' in answer) reject(answer.error);
            else resolve(answer.value);
          });
        });
      });
    });
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const out = bytes.slice();
  out[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return out;
}

function attempt<T>(work: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}
