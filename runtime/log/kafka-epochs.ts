// Epochs of a transactional id. A new one ends what the old one had under way, and what it had ended in some
// places only is ended in the others first, as it was: the coordinator is asked for the outcome, the leaders
// and the group for what stands open. Nothing is remembered here, so whoever comes next can do it.
//
//   how does it stand? ─▶ what is left open of it? ─nothing─▶ a new epoch ─▶ ready
//          ▲                        └─▶ an epoch marked with the outcome ─▶ the outcome once more, there ┐
//          └─────────────────────────────────────────────────────────────────────────────────────────────┘
//
// Once there is an epoch, the coordinator does not tell the outcome of the one before any more. It keeps how
// long a transaction may take, so that number is the mark: who comes in between, or after somebody died
// there, reads the outcome from it and goes on under that very epoch, as all others do.

import type { KafkaCluster, Node } from './kafka-cluster.ts';
import { FENCED, throwIfFailed } from './kafka-fault.ts';
import { inputOf } from './kafka-ids.ts';
import { offsetIsOpen } from './kafka-offsets.ts';
import { BUSY, whilePassing } from './kafka-patience.ts';
import { byTopic } from './kafka-places.ts';
import { knowsAll, type Outcome, type Standing, standingOf } from './kafka-standing.ts';
import { type Stamp, type TransactionOptions, Transactions } from './kafka-transaction.ts';
import type { TopicPartition } from './log.ts';

const CONCURRENT_TRANSACTIONS = 51;
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

/** The last two digits of the milliseconds that a transaction may take; 0: nothing is owed. */
const MARKS: Readonly<Record<Outcome, number>> = { committed: 71, aborted: 72 };
const MARK = 100;

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

/** What is owed under its epoch; null: nothing. */
export function owedBy({ timeoutMs }: Standing): Outcome | null {
  const mark = timeoutMs % MARK;
  if (mark === MARKS.committed) return 'committed';
  return mark === MARKS.aborted ? 'aborted' : null;
}

/** Never longer than asked for: brokers have a limit. */
function markedMs(timeoutMs: number, owed: Outcome | null): number {
  const plain = Math.max(1, Math.floor(timeoutMs / MARK)) * MARK;
  return owed === null ? plain : plain - MARK + MARKS[owed];
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
    const { value } = await this.#once(wanted, async (unseen) => ({
      stamp: await this.#begin(null),
      unseen,
    }));
    return new Transactions(this.#cluster, value.stamp, this.#options, { breaks, unseen: value.unseen });
  }

  /** Without a new epoch, unless something was left open; whether it was. What is under way goes on. */
  async settle(): Promise<boolean> {
    const { said } = await this.#once(
      () => true,
      async () => {},
    );
    return said > 0;
  }

  /** Says what is owed, and does the rest once nothing is. */
  async #once<T>(
    wanted: () => boolean,
    rest: (unseen: ReadonlySet<string>) => Promise<T>,
  ): Promise<{ readonly value: T; readonly said: number }> {
    for (let said = 0; said < SAYINGS_MAX; said += 1) {
      const done = await whilePassing(PASSING, this.#cluster, async () => {
        const standing = await this.#standing();
        const { owed, unseen } = standing === null ? NOTHING : await this.#found(standing, said === 0);
        if (!wanted()) throw new Error(`an epoch of ${this.id} is not wanted any more`);
        if (standing === null || owed === null) return { value: await rest(unseen), said };
        await this.#say(await this.#sayerOf(standing, owed), owed);
        return null;
      });
      if (done !== null) return done;
    }
    throw new Error(`what ${this.id} left open stays open`);
  }

  /** How the last one stands, once its end is not on the way and the coordinator knows where it went. */
  async #standing(): Promise<Standing | null> {
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

  async #found(standing: Standing, isFirst: boolean): Promise<Found> {
    const mark = owedBy(standing);
    // It is aborted by the next epoch.
    if (standing.ongoing && mark === null) return NOTHING;
    const { records, unseen } = await this.#options.looks.now();
    const partitions = records.filter(({ producerId }) => producerId === standing.producerId);
    const input = inputOf(this.id);
    // What stays open after that is not of this producer.
    const offset = isFirst && input !== null && (await offsetIsOpen(this.#cluster, input.group, input.of));
    const isLeft = standing.ongoing || partitions.length > 0 || offset;
    // Whose outcome nobody knows, as of another program's, is better twice than lost.
    const outcome = mark ?? standing.outcome ?? 'committed';
    return { owed: isLeft ? { outcome, partitions, offset } : null, unseen };
  }

  /** Under a marked epoch nothing else is done, so all who come use it, and none ends another's saying. */
  async #sayerOf(standing: Standing, { outcome }: Owed): Promise<Stamp> {
    const { producerId, producerEpoch } = standing;
    if (owedBy(standing) !== null) return { transactionalId: this.id, producerId, producerEpoch };
    const now = await standingOf(await this.#coordinator(), this.id);
    const isSame = now?.producerEpoch === producerEpoch && now.outcome === standing.outcome && !now.ongoing;
    // Somebody came meanwhile: how it stands is asked again.
    if (!isSame) throwIfFailed(CONCURRENT_TRANSACTIONS);
    return this.#begin(outcome);
  }

  async #begin(owed: Outcome | null): Promise<Stamp> {
    const { broker } = await this.#coordinator();
    const transactionTimeout = markedMs(this.#options.timeoutMs, owed);
    const made = await broker.initProducerId({ transactionalId: this.id, transactionTimeout });
    return { transactionalId: this.id, ...made };
  }

  async #say(stamp: Stamp, { outcome, partitions, offset }: Owed): Promise<void> {
    const topics = byTopic(partitions);
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
