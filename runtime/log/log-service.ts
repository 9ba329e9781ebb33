// The side that has the log: serves it to a thread that has none. Members live here, so generations are
// checked where the transaction is; when the thread ends, its members leave, and what it still asked for
// changes nothing.

import { invariant } from '../../actors/domain/invariant.ts';
import type { Log, Member } from './log.ts';
import { type Assigned, type LogCall, type MemberCall, sentBatch } from './log-calls.ts';

export class LogService {
  readonly #log: Log;
  readonly #worker: string | undefined;
  readonly #tell: (assigned: Assigned) => void;
  readonly #members = new Map<number, Member>();
  #closed = false;

  /** `worker`: what the thread's members are known as, where they do not say. */
  constructor(log: Log, tell: (assigned: Assigned) => void, worker?: string) {
    this.#log = log;
    this.#worker = worker;
    this.#tell = tell;
  }

  /** The answer can be sent as a message. */
  async answer(of: LogCall, signal: AbortSignal): Promise<unknown> {
    const log = this.#log;
    switch (of.call) {
      case 'bootstrap':
        return log.bootstrap(of.topics);
      case 'topics':
        return log.topics();
      case 'layout':
        return log.layout(of.topic);
      case 'increase':
        return log.increase(of.topic, of.partitions);
      case 'join':
        return this.#join(of);
      case 'append':
        return log.append(of.writer, of.outputs, of.state);
      case 'writer-state':
        return log.writerState(of.writer);
      case 'lag':
        return log.lag(of.group);
      case 'offset-at':
        return log.offsetAt(of.of, of.timestampMs);
      case 'read':
        return sentBatch(await log.read(of.of, of.fromOffset, of.recordsMax));
      case 'end':
        return log.end(of.of);
      case 'start':
        return log.start(of.of);
      case 'appended':
        return log.appended(of.topics, signal);
      case 'retain':
        return log.retain(of.nowMs);
      case 'health':
        return log.health();
      default:
        return this.#ofMember(of);
    }
  }

  /** The thread is gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const members = [...this.#members.values()];
    this.#members.clear();
    await Promise.all(members.map((member) => member.leave()));
  }

  async #join(of: Extract<LogCall, { call: 'join' }>): Promise<void> {
    const member = await this.#log.join(of.group, of.topics, of.worker ?? this.#worker);
    if (this.#closed) return member.leave();
    this.#members.set(of.member, member);
    member.assigned((partitions, generation) =>
      this.#tell({ call: 'assigned', member: of.member, partitions, generation }),
    );
  }

  async #ofMember(of: MemberCall): Promise<unknown> {
    const member = this.#members.get(of.member);
    invariant(member !== undefined, `member ${of.member} has joined`);
    switch (of.call) {
      case 'poll':
        return sentBatch(await member.poll(of.of, of.recordsMax));
      case 'seek':
        return member.seek(of.of, of.offset);
      case 'committed':
        return member.committed(of.of);
      case 'commit':
        return member.commit(of.of, of.commit);
      case 'state':
        return Array.fromAsync(member.state(of.of));
      case 'stored':
        return Array.fromAsync(member.stored(of.of));
      case 'leave':
        // It stays known: what it still asks for is answered as by any member that has left.
        return member.leave();
    }
  }
}
