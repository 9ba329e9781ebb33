// Wakes instruments that rest, for a router that has something for them. A start looks over what is stored
// by its checksums alone; whether a state can be built of it shows here. One that cannot is folded again from
// the log as at a start, up to the position that stands with it, and its batch waits for that: all of a batch
// in one pass. What fails on the way fails the batch, which is done again.

import type { FoldMessage } from '../actors/instrument.ts';
import type { RouterState } from '../actors/router-protocol.ts';
import type { TopicPartition } from './log/log.ts';
import type { PartitionPlan, PartitionPorts } from './partition-plan.ts';
import { foldAgain } from './recovery.ts';
import type { Damage, Resting } from './resting.ts';

interface Waiting {
  readonly damage: Damage;
  readonly message: FoldMessage;
}

export class Waking {
  readonly #ports: PartitionPorts;
  readonly #plan: PartitionPlan;
  readonly #of: TopicPartition;
  readonly #resting: Resting;
  /** Its router is gone: nobody waits any more. */
  readonly #stop: AbortSignal;
  #waiting: Waiting[] = [];
  #pass: Promise<null> | null = null;

  constructor(
    ports: PartitionPorts,
    plan: PartitionPlan,
    of: TopicPartition,
    resting: Resting,
    stop: AbortSignal,
  ) {
    this.#ports = ports;
    this.#plan = plan;
    this.#of = of;
    this.#resting = resting;
    this.#stop = stop;
  }

  /**
   * Passes a message on to its instrument. Null: it is passed on; else it will be when the promise resolves,
   * which throws what the log throws. `router`: as of the batch that the message is of.
   */
  fold(instrument: string, message: FoldMessage, router: RouterState): Promise<null> | null {
    const damage = this.#resting.wake(instrument);
    if (damage === null) {
      this.#ports.directory.fold(instrument, message);
      return null;
    }
    this.#waiting.push({ damage, message });
    // The other messages of the batch are on their way in this turn.
    this.#pass ??= Promise.resolve().then(() => this.#foldAgain(router));
    return this.#pass;
  }

  async #foldAgain(router: RouterState): Promise<null> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pass = null;
    const damaged = waiting.map(({ damage }) => damage);
    const slots = await foldAgain(this.#ports, this.#plan, this.#of, router, damaged);
    if (this.#stop.aborted) return null;
    for (const [id, slot] of slots) this.#resting.replace(id, slot);
    for (const { damage, message } of waiting) this.#ports.directory.fold(damage.id, message);
    return null;
  }
}
