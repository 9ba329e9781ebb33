// Reads one partition for its router: a batch when there is one, else the next that is appended. One read
// counts at a time; the next of any kind ends the wait of the one before.

import type { RouterMessage, RouterState } from '../actors/router-protocol.ts';
import type { Member, TopicPartition } from './log/log.ts';
import { missedBatch } from './missed-barriers.ts';
import type { PartitionPlan, PartitionPorts } from './partition-plan.ts';
import type { StartState } from './start-state.ts';

export class PartitionReader {
  readonly #ports: Pick<PartitionPorts, 'clock' | 'log'>;
  readonly #plan: PartitionPlan;
  readonly #member: Member;
  readonly #of: TopicPartition;
  readonly #missed: StartState['missed'];
  readonly #stop: AbortSignal;
  #reading = new AbortController();
  #waits = false;

  constructor(
    ports: Pick<PartitionPorts, 'clock' | 'log'>,
    plan: PartitionPlan,
    member: Member,
    of: TopicPartition,
    missed: StartState['missed'],
    stop: AbortSignal,
  ) {
    this.#ports = ports;
    this.#plan = plan;
    this.#member = member;
    this.#of = of;
    this.#missed = missed;
    this.#stop = stop;
  }

  /** The log has answered that there is nothing to read now. */
  get isAtEnd(): boolean {
    return this.#waits;
  }

  /** What the read of now waits for. */
  get waitsFor(): string {
    return this.#waits ? 'records to be appended' : 'its read';
  }

  /** Ends the wait of the read before. */
  next(): AbortController {
    this.#reading.abort();
    this.#reading = new AbortController();
    return this.#reading;
  }

  /** Null when another read came; `passed` hears of each that the log answered. */
  async poll(
    { seq, position }: { readonly seq: number; readonly position: number },
    state: RouterState,
    passed: () => void,
  ): Promise<Extract<RouterMessage, { kind: 'polled' }> | null> {
    const { clock, log } = this.#ports;
    const of = this.#of;
    const reading = this.next();
    const missed = missedBatch(of, this.#missed, state, clock.nowMs());
    if (missed !== null) return { kind: 'polled', seq, batch: missed, nowMs: clock.nowMs() };
    const signal = AbortSignal.any([this.#stop, reading.signal]);
    try {
      while (!signal.aborted) {
        this.#waits = false;
        // Each time: a read that an earlier router left behind may have moved the position meanwhile.
        this.#member.seek(of, position);
        const appended = log.appended([of.topic], signal);
        const batch = await this.#member.poll(of, this.#plan.recordsMax);
        passed();
        if (batch !== null) return { kind: 'polled', seq, batch, nowMs: clock.nowMs() };
        this.#waits = true;
        await appended;
      }
    } finally {
      // Nobody waits any more for what is appended.
      reading.abort();
    }
    return null;
  }
}
