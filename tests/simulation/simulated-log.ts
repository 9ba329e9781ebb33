// The simulated log: the port as one process sees it, over a store that all processes share. Every call takes
// time on its way there and on its way back, drawn from the seed; calls fail and commits abort as often as
// the faults say. What was sent is carried out even when its sender is gone by then, as on a real broker.

import type { Outgoing, StateChange } from '../../actors/batch.ts';
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
import { placeOf, type Seat, type SimulatedStore } from './simulated-store.ts';

export interface LogFaults {
  /** Time on one way, milliseconds. */
  readonly latencyMsMax: number;
  /** Shares of calls, 0–1. */
  readonly aborts: number;
  readonly commitFailures: number;
  readonly readFailures: number;
  /** After this a member that is gone loses its partitions, milliseconds. */
  readonly sessionMs: number;
}

export const CALM_LOG: LogFaults = {
  latencyMsMax: 0,
  aborts: 0,
  commitFailures: 0,
  readFailures: 0,
  sessionMs: 0,
};

export interface LogWorld {
  readonly store: SimulatedStore;
  readonly clock: Clock;
  readonly draw: Draw;
  readonly faults: () => LogFaults;
  /** Readers that wait, of all processes. */
  readonly waiters: Set<Waiter>;
}

export interface Waiter {
  readonly topics: readonly string[];
  wake(): void;
}

export class SimulatedLog implements Log {
  readonly #world: LogWorld;
  readonly #leave: (() => void)[] = [];
  #alive = true;

  constructor(world: LogWorld) {
    this.#world = world;
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
        return found !== undefined && JSON.stringify(found) !== JSON.stringify(each);
      });
      const created = specs.filter((each) => !topics.has(each.name));
      for (const each of created) topics.set(each.name, each);
      return { created: created.map((each) => each.name), differing: differing.map((each) => each.name) };
    });
  }

  topics(): Promise<readonly TopicSpec[]> {
    return this.#call(() => [...this.#world.store.topics.values()]);
  }

  join(group: string, topics: readonly string[]): Promise<Member> {
    return this.#call(() => {
      const { store } = this.#world;
      const coordinator = store.coordinator(group, topics);
      const told: { listener: Seat['listener'] | null; lastMs: number } = { listener: null, lastMs: 0 };
      const tell = (partitions: readonly TopicPartition[], generation: number): void => {
        const { clock } = this.#world;
        told.lastMs = Math.max(told.lastMs + 1, clock.nowMs() + this.#latencyMs());
        clock.after(told.lastMs - clock.nowMs(), () => {
          if (this.#alive && coordinator.seats.includes(seat)) told.listener?.(partitions, generation);
        });
      };
      const seat: Seat = { listener: tell, owned: [] };
      coordinator.seats.push(seat);
      store.rebalance(coordinator);
      const leave = (): void => {
        const at = coordinator.seats.indexOf(seat);
        if (at < 0) return;
        coordinator.seats.splice(at, 1);
        seat.owned = [];
        store.rebalance(coordinator);
      };
      this.#leave.push(leave);
      // Whoever asked may be gone by now: the session of its seat ends like any other.
      if (!this.#alive) this.#world.clock.after(this.#world.faults().sessionMs, leave);
      return this.#member(group, seat, leave, (listener) => {
        told.listener = listener;
        tell(seat.owned, coordinator.generation);
      });
    });
  }

  append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void> {
    return this.#call(() => {
      const { store, clock } = this.#world;
      this.#wake(store.transact(`writer ${writer}`, outputs, state, clock.nowMs()));
    });
  }

  writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.#call(() => new Map(this.#world.store.state(`writer ${writer}`)));
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

  end(of: TopicPartition): Promise<number> {
    return this.#call(() => this.#world.store.end(of));
  }

  appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { waiters, clock } = this.#world;
    return new Promise((resolve) => {
      const done = (): void => {
        waiters.delete(waiter);
        resolve();
      };
      const waiter = { topics, wake: () => void clock.after(this.#latencyMs(), done) };
      waiters.add(waiter);
      signal.addEventListener('abort', done, { once: true });
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
    leave: () => void,
    assigned: (listener: Seat['listener']) => void,
  ): Member {
    const { store } = this.#world;
    const positions = new Map<string, number>();
    const stateOf = (of: TopicPartition) => this.#call(() => [...store.state(`${group} ${placeOf(of)}`)]);
    return {
      group,
      assigned: (listener) => {
        positions.clear();
        assigned((partitions, generation) => {
          const owned = new Set(partitions.map(placeOf));
          for (const place of positions.keys()) if (!owned.has(place)) positions.delete(place);
          listener(partitions, generation);
        });
      },
      poll: async (of, recordsMax) => {
        const from = positions.get(placeOf(of));
        const batch = await this.#call(() => {
          this.#mayFail('poll', this.#world.faults().readFailures);
          return store.batch(of, from ?? store.committed(group, of), recordsMax);
        });
        if (batch !== null) positions.set(placeOf(of), batch.nextOffset);
        return batch;
      },
      seek: (of, offset) => void positions.set(placeOf(of), offset),
      committed: (of) => this.#call(() => store.committed(group, of)),
      commit: (of, commit) => this.#call(() => this.#commit(group, seat, of, commit)),
      async *state(of) {
        const found = await stateOf(of);
        yield* found.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      },
      leave: () => this.#call(leave),
    };
  }

  #commit(group: string, seat: Seat, of: TopicPartition, commit: Commit): CommitOutcome {
    const { store, clock, draw, faults } = this.#world;
    if (!seat.owned.some((each) => placeOf(each) === placeOf(of))) return 'fenced';
    this.#mayFail('commit', faults().commitFailures);
    if (draw() < faults().aborts) return 'aborted';
    const owner = `${group} ${placeOf(of)}`;
    const topics = store.transact(owner, commit.outputs, commit.state, clock.nowMs());
    store.setCommitted(group, of, commit.nextOffset);
    this.#wake(topics);
    return 'committed';
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
          if (!this.#alive) return;
          if ('error' in answer) reject(answer.error);
          else resolve(answer.value);
        });
      });
    });
  }
}

function attempt<T>(work: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}
