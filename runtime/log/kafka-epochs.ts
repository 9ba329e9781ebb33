// Epochs of a transactional id. A new one ends what the old one had under way, and what it had ended in some
// places only is ended in the others first, as it was: the coordinator is asked for the outcome, the leaders
// and the group for what stands open. Nothing is remembered here, so whoever comes next can do it.
//
//   how does it stand? ─▶ what is left open of it? ─nothing─▶ a new epoch ─▶ ready
//          ▲                        └─▶ an epoch marked with the outcome ─▶ the outcome once more, there ┐
//          └─────────────────────────────────────────────────────────────────────────────────────────────┘
//
// Once there is an epoch, the coordinator does not tell the outcome of the one before any more. It keeps how
// long a transaction may take, so that number is the mark: who takes over from somebody that died in between
// reads the outcome there, and goes on.

import type { KafkaCluster, Node } from './kafka-cluster.ts';
import { FENCED } from './kafka-fault.ts';
import { byTopic } from './kafka-fetch.ts';
import { inputOf } from './kafka-ids.ts';
import { offsetIsOpen } from './kafka-offsets.ts';
import { BUSY, whilePassing } from './kafka-patience.ts';
import { knowsAll, type Outcome, type Standing, standingOf } from './kafka-standing.ts';
import { type Stamp, type TransactionOptions, Transactions } from './kafka-transaction.ts';
import type { TopicPartition } from './log.ts';

const SETTLE_MS_MAX = 20_000;
const LOOK_MS = 100;
/** One is enough, unless others come at the same time. */
const SAYINGS_MAX = 10;
/** The brokers are about to know it, or somebody else does: how it stands is asked again. */
const PASSING: ReadonlySet<string> = new Set([
  ...BUSY,
  ...FENCED,
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'LEADER_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_LEADER_FOR_PARTITION',
  'OPERATION_NOT_ATTEMPTED',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

/** The last digit of the milliseconds that a transaction may take; 0: nothing is owed. */
const MARKS: Readonly<Record<Outcome, number>> = { committed: 1, aborted: 2 };

/** What has to be said before anything new is begun. */
interface Owed {
  readonly outcome: Outcome;
  readonly partitions: readonly TopicPartition[];
  readonly offset: boolean;
}

interface Found {
  readonly owed: Owed | null;
  /** Places where nobody could say what is open. */
  readonly unseen: ReadonlySet<string>;
}

const NOTHING: Found = { owed: null, unseen: new Set() };

/** Null: it is owed nothing. */
export function owedBy({ timeoutMs }: Standing): Outcome | null {
  const digit = timeoutMs % 10;
  if (digit === MARKS.committed) return 'committed';
  return digit === MARKS.aborted ? 'aborted' : null;
}

export class Epochs {
  readonly #cluster: KafkaCluster;
  readonly #options: TransactionOptions;

  constructor(
    cluster: KafkaCluster,
    readonly id: string,
    options: TransactionOptions,
  ) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /**
   * The next: whatever an earlier one left open has ended when this resolves, everywhere as it was decided.
   * Throws when it is not `wanted` any more: an epoch ends what another has under way.
   */
  async next(wanted: () => boolean = () => true): Promise<Transactions> {
    const { breaks } = this.#cluster;
    for (let said = 0; said < SAYINGS_MAX; said += 1) {
      const made = await whilePassing(PASSING, this.#cluster, () => this.#step(wanted));
      if (made === null) continue;
      const { stamp, unseen } = made;
      return new Transactions(this.#cluster, stamp, this.#options, { breaks, unseen });
    }
    throw new Error(`what ${this.id} left open stays open`);
  }

  /** Null: something was ended, and how it stands is asked again. */
  async #step(wanted: () => boolean): Promise<{ stamp: Stamp; unseen: ReadonlySet<string> } | null> {
    const standing = await this.#settled();
    const { owed, unseen } = standing === null ? NOTHING : await this.#found(standing);
    if (!wanted()) throw new Error(`an epoch of ${this.id} is not wanted any more`);
    if (owed === null) return { stamp: await this.#begin(null), unseen };
    const own = standing?.ongoing === true ? this.#stampOf(standing) : await this.#begin(owed.outcome);
    await this.#say(own, owed);
    return null;
  }

  /** How the last one stands, once its end is not on the way and the coordinator knows where it went. */
  async #settled(): Promise<Standing | null> {
    const deadline = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const coordinator = await this.#coordinator();
      const found = await standingOf(coordinator, this.id);
      if (found === null) return null;
      if (!found.ending && (await knowsAll(coordinator, found))) return found;
      // A topic that is gone for good does not come back, and nobody reads what is open in it.
      if (performance.now() > deadline) return found;
      await Bun.sleep(LOOK_MS);
    }
  }

  async #found(standing: Standing): Promise<Found> {
    const mark = owedBy(standing);
    // It is aborted by the next epoch.
    if (standing.ongoing && mark === null) return NOTHING;
    const { records, unseen } = await this.#options.looks.now();
    const partitions = records.filter(({ producerId }) => producerId === standing.producerId);
    const input = inputOf(this.id);
    const offset = input !== null && (await offsetIsOpen(this.#cluster, input.group, input.of));
    const isLeft = standing.ongoing || partitions.length > 0 || offset;
    // Whose outcome nobody knows, as of another program's, is better twice than lost.
    const outcome = mark ?? standing.outcome ?? 'committed';
    return { owed: isLeft ? { outcome, partitions, offset } : null, unseen };
  }

  async #begin(owed: Outcome | null): Promise<Stamp> {
    const { broker } = await this.#coordinator();
    const transactionTimeout = markedMs(this.#options.timeoutMs, owed);
    const made = await broker.initProducerId({ transactionalId: this.id, transactionTimeout });
    return { transactionalId: this.id, ...made };
  }

  #stampOf({ producerId, producerEpoch }: Standing): Stamp {
    return { transactionalId: this.id, producerId, producerEpoch };
  }

  async #say(stamp: Stamp, { outcome, partitions, offset }: Owed): Promise<void> {
    const topics = byTopic(partitions).map(([topic, numbers]) => ({ topic, partitions: numbers }));
    const { broker } = await this.#coordinator();
    if (topics.length > 0) await broker.addPartitionsToTxn({ ...stamp, topics });
    const groupId = offset ? inputOf(this.id)?.group : undefined;
    if (groupId !== undefined) await broker.addOffsetsToTxn({ ...stamp, groupId });
    await broker.endTxn({ ...stamp, transactionResult: outcome === 'committed' });
  }

  #coordinator(): Promise<Node> {
    return this.#cluster.coordinator('transaction', this.id);
  }
}

function markedMs(timeoutMs: number, owed: Outcome | null): number {
  return Math.max(1, Math.floor(timeoutMs / 10)) * 10 + (owed === null ? 0 : MARKS[owed]);
}
