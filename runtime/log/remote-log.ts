// The log as a thread without one sees it: the same port, each call a message to the thread that has it.
// Nothing is decided here; a commit is as much one transaction as it is there.

import type { Layout } from '../../actors/layout.ts';
import type {
  Batch,
  Commit,
  CommitOutcome,
  Log,
  Member,
  Outgoing,
  PartitionLag,
  StateChange,
  TopicPartition,
  TopicSpec,
} from './log.ts';
import { type Assigned, type LogCall, receivedBatch, type SentBatch } from './log-calls.ts';

/** Asks the thread that has the log; `tell` expects no answer. */
export interface LogAsker {
  ask<T>(call: LogCall, signal?: AbortSignal): Promise<T>;
  tell(call: LogCall): void;
}

type Stored = readonly (readonly [key: string, value: Uint8Array])[];

export class RemoteLog implements Log {
  readonly #asker: LogAsker;
  readonly #members = new Map<number, RemoteMember>();
  #joined = 0;

  constructor(asker: LogAsker) {
    this.#asker = asker;
  }

  /** An assignment has arrived for one of the members. */
  assigned({ member, partitions, generation }: Assigned): void {
    this.#members.get(member)?.take(partitions, generation);
  }

  bootstrap(topics: readonly TopicSpec[]): Promise<{ created: string[]; differing: string[] }> {
    return this.#asker.ask({ call: 'bootstrap', topics });
  }

  topics(): Promise<readonly TopicSpec[]> {
    return this.#asker.ask({ call: 'topics' });
  }

  layout(topic: string): Promise<Layout | null> {
    return this.#asker.ask({ call: 'layout', topic });
  }

  increase(topic: string, partitions: number): Promise<void> {
    return this.#asker.ask({ call: 'increase', topic, partitions });
  }

  async join(group: string, topics: readonly string[], worker?: string): Promise<Member> {
    this.#joined += 1;
    const id = this.#joined;
    const member = new RemoteMember(this.#asker, id, group, () => this.#members.delete(id));
    this.#members.set(id, member);
    try {
      await this.#asker.ask({ call: 'join', member: id, group, topics, worker: worker ?? null });
      return member;
    } catch (error) {
      this.#members.delete(id);
      throw error;
    }
  }

  append(writer: string, outputs: readonly Outgoing[], state: readonly StateChange[]): Promise<void> {
    return this.#asker.ask({ call: 'append', writer, outputs, state });
  }

  writerState(writer: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.#asker.ask({ call: 'writer-state', writer });
  }

  lag(group: string): Promise<readonly PartitionLag[]> {
    return this.#asker.ask({ call: 'lag', group });
  }

  offsetAt(of: TopicPartition, timestampMs: number): Promise<number> {
    return this.#asker.ask({ call: 'offset-at', of, timestampMs });
  }

  async read(of: TopicPartition, fromOffset: number, recordsMax: number): Promise<Batch | null> {
    return receivedBatch(await this.#asker.ask<SentBatch>({ call: 'read', of, fromOffset, recordsMax }));
  }

  end(of: TopicPartition): Promise<number> {
    return this.#asker.ask({ call: 'end', of });
  }

  start(of: TopicPartition): Promise<number> {
    return this.#asker.ask({ call: 'start', of });
  }

  async appended(topics: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await this.#asker.ask({ call: 'appended', topics }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  retain(nowMs: number): Promise<number> {
    return this.#asker.ask({ call: 'retain', nowMs });
  }

  health(): Promise<string | null> {
    return this.#asker.ask({ call: 'health' });
  }

  /** Its members leave; the log itself belongs to the other thread. */
  async close(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.leave()));
  }
}

class RemoteMember implements Member {
  readonly #asker: LogAsker;
  readonly #id: number;
  readonly #gone: () => void;
  #last: { readonly partitions: readonly TopicPartition[]; readonly generation: number } | null = null;
  #listener: ((partitions: readonly TopicPartition[], generation: number) => void) | null = null;

  constructor(
    asker: LogAsker,
    id: number,
    readonly group: string,
    gone: () => void,
  ) {
    this.#asker = asker;
    this.#id = id;
    this.#gone = gone;
  }

  take(partitions: readonly TopicPartition[], generation: number): void {
    this.#last = { partitions, generation };
    this.#listener?.(partitions, generation);
  }

  assigned(listener: (partitions: readonly TopicPartition[], generation: number) => void): void {
    this.#listener = listener;
    if (this.#last !== null) listener(this.#last.partitions, this.#last.generation);
  }

  async poll(of: TopicPartition, recordsMax: number): Promise<Batch | null> {
    const member = this.#id;
    return receivedBatch(await this.#asker.ask<SentBatch>({ call: 'poll', member, of, recordsMax }));
  }

  seek(of: TopicPartition, offset: number): void {
    this.#asker.tell({ call: 'seek', member: this.#id, of, offset });
  }

  committed(of: TopicPartition): Promise<number> {
    return this.#asker.ask({ call: 'committed', member: this.#id, of });
  }

  commit(of: TopicPartition, commit: Commit): Promise<CommitOutcome> {
    return this.#asker.ask({ call: 'commit', member: this.#id, of, commit });
  }

  async *state(of: TopicPartition): AsyncIterable<readonly [string, Uint8Array]> {
    yield* await this.#asker.ask<Stored>({ call: 'state', member: this.#id, of });
  }

  async *stored(of: TopicPartition): AsyncIterable<readonly [string, Uint8Array]> {
    yield* await this.#asker.ask<Stored>({ call: 'stored', member: this.#id, of });
  }

  async leave(): Promise<void> {
    this.#gone();
    await this.#asker.ask({ call: 'leave', member: this.#id });
  }
}
