// Looks for records that stand open though their transaction is over: a broker that came back left their
// partition out when it ended it. Whoever took part says the outcome again by himself before he goes on; this
// is for those who do not come again, and whose records would hold up every reader for good.

import { systemClock } from '../clock.ts';
import { repeating } from '../repeating.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { Epochs, owedBy } from './kafka-epochs.ts';
import { isOurs } from './kafka-ids.ts';
import { placeOf } from './kafka-places.ts';
import type { OpenRecords } from './kafka-producers.ts';
import { idsOf, standingOf } from './kafka-standing.ts';
import type { TransactionOptions } from './kafka-transaction.ts';
import type { LogFault } from './log-fault.ts';

export interface LeftOverPorts {
  readonly cluster: KafkaCluster;
  readonly transactions: TransactionOptions;
  readonly periodMs: number;
  readonly told: (cause: string, decision: string) => void;
  readonly note: (cause: string) => void;
}

export class LeftOvers {
  readonly #ports: LeftOverPorts;
  /** Of the last look. */
  #open: ReadonlySet<string> = new Set();
  #stop: (() => void) | null = null;
  #closed = false;
  /** The last failure, which is not said again while it stays the same. */
  #said = '';

  constructor(ports: LeftOverPorts) {
    this.#ports = ports;
  }

  /** From now on; the first look is at once. */
  start(): void {
    if (this.#closed) return;
    this.#stop ??= repeating(systemClock, this.#ports.periodMs, () => this.#lookAgain(), 0);
  }

  /** A look that is under way fails, and another process goes on where it stopped. */
  close(): void {
    this.#closed = true;
    this.#stop?.();
  }

  /** Ends what stood open at the last look already, and belongs to a transaction that is over. */
  async look(): Promise<void> {
    const { cluster, transactions } = this.#ports;
    const { records } = await transactions.looks.now();
    const still = records.filter((each) => this.#open.has(keyOf(each)));
    this.#open = new Set(records.map(keyOf));
    if (still.length === 0) return;
    const producerIds = [...new Set(still.map(({ producerId }) => producerId))];
    const failed: string[] = [];
    for (const node of await cluster.reachable()) {
      for (const id of await idsOf(node, producerIds)) {
        if (!isOurs(id)) continue;
        // One that fails holds up no other.
        await cluster
          .use(`what ${id} left open`, () => this.#settle(id))
          .catch((error: LogFault) => failed.push(error.message));
      }
    }
    if (failed.length > 0) throw new Error(failed.join('; '));
  }

  async #settle(id: string): Promise<void> {
    const { cluster, transactions, told } = this.#ports;
    const standing = await standingOf(await cluster.coordinator('transaction', id), id);
    if (standing === null || standing.ending) return;
    const owed = owedBy(standing);
    // Under way, unless it is a saying that was interrupted.
    if (standing.ongoing && owed === null) return;
    // What stood open before its coordinator said that it is over, and stands open after that, is forgotten.
    const left = (await transactions.looks.now()).records.filter(
      (each) => each.producerId === standing.producerId && this.#open.has(keyOf(each)),
    );
    if (left.length === 0) return;
    if (!(await new Epochs(cluster, id, transactions).settle())) return;
    const places = left.map((each) => `${placeOf(each)} from ${each.from} on`);
    told(
      `a broker ended the transaction of ${id} and left out ${places.join(', ')}`,
      `it was ended there as well: ${owed ?? standing.outcome ?? 'its outcome is not known, so committed'}`,
    );
  }

  async #lookAgain(): Promise<void> {
    const { cluster, note } = this.#ports;
    try {
      await cluster.use('open records', () => this.look());
      this.#said = '';
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      if (!this.#closed && cause !== this.#said) note(cause);
      this.#said = cause;
    }
  }
}

function keyOf(of: OpenRecords): string {
  return `${placeOf(of)} ${of.producerId} ${of.from}`;
}
