// One owned partition: its reading position and its commits. The committed offset, with the token of the
// commit that put it there, is the one truth: after any failure a new epoch ends what was open, and then that
// token says whether our commit is in (ours), is not (the one before), or somebody else went on (neither).
//
//   fresh ─▶ ready ─▶ committing ─▶ ready
//              ▲          └─ failed ─▶ settling ─▶ committed | aborted ─▶ ready
//              └──────────────────────────┘  └──▶ fenced: closed for good
//
// Commits and settlings take turns: a new epoch ends whatever the slot itself has under way.

import { invariant } from '../../actors/domain/invariant.ts';
import { Epochs } from './kafka-epochs.ts';
import { asKafkaFault, errorType, FENCED } from './kafka-fault.ts';
import { fetchEnough, firstOffset } from './kafka-fetch.ts';
import { slotId } from './kafka-ids.ts';
import { committedOffset } from './kafka-offsets.ts';
import { placeOf } from './kafka-places.ts';
import { apart, batchOver, type Decoded } from './kafka-records.ts';
import type { SlotPorts } from './kafka-slot-ports.ts';
import type { Part, Transactions } from './kafka-transaction.ts';
import type { Batch, CommitOutcome, TopicPartition } from './log.ts';

const SETTLE_MS_MAX = 120_000;
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 2_000;
const SKIP_AGAIN_MS = 250;

interface Pending {
  readonly token: string;
  readonly nextOffset: number;
}

export class Slot {
  readonly #ports: SlotPorts;
  #taking: Promise<void> | null = null;
  /** The last commit or settling in line; never rejects. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #epochs: Epochs;
  #producer: Transactions | null = null;
  #offset = 0;
  #token = '';
  #pending: Pending | null = null;
  /** Null: from the committed offset. */
  #position: number | null = null;
  #held: { readonly decoded: Decoded; taken: number; count: number } | null = null;
  /** What was fetched behind it: a barrier stands apart. */
  #more: readonly Decoded[] = [];
  #reads = 0;
  readonly #doing = new Set<string>();
  closed = false;
  /** Its state was read since it is ours. Until then a commit can only come from who knows the past. */
  adopted: boolean;

  constructor(
    readonly of: TopicPartition,
    ports: SlotPorts,
    first: boolean,
  ) {
    this.#ports = ports;
    this.#epochs = new Epochs(ports.cluster, slotId(ports.group, of), ports.transactions);
    this.adopted = first;
  }

  get place(): string {
    return placeOf(this.of);
  }

  /** What it waits for, for who asks why it stands; null: nothing. */
  get doing(): string | null {
    return this.#doing.size === 0 ? null : [...this.#doing].join(', ');
  }

  /** The committed offset, once it is known. */
  get offset(): number | null {
    return this.#producer === null && this.#offset === 0 ? null : this.#offset;
  }

  /** Takes the partition over: ends what was open, learns where it stands. Again after a failure. */
  async taken(): Promise<void> {
    const taking = this.#taking ?? this.#takeOver();
    this.#taking = taking;
    try {
      await taking;
    } catch (error) {
      if (this.#taking === taking) this.#taking = null;
      throw error;
    }
  }

  /** Besides, nothing of its own is open: a commit under way is waited for, one that failed is settled. */
  async ready(): Promise<void> {
    await this.taken();
    await this.#alone(async () => {
      if (this.#pending !== null && !this.closed) await this.#settle();
      else await this.#steady();
    });
  }

  /** A broker that promised the last commit and came back may have it in some places only. */
  async #steady(): Promise<void> {
    const { cluster } = this.#ports;
    if (this.closed || this.#producer?.usable === true) return;
    await cluster.use(`last commit of ${this.place}`, () => this.#outcome());
  }

  /** No proof that the state is known: it may be asked for after a state that was read too early. */
  async committed(): Promise<number> {
    await this.ready();
    return this.#offset;
  }

  seek(offset: number): void {
    if (offset === this.#position) return;
    this.#held = null;
    this.#more = [];
    this.#position = offset;
  }

  /** One read at a time: an earlier one that still waits gets nothing, and takes nothing from this one. */
  async poll(recordsMax: number): Promise<Batch | null> {
    this.#reads += 1;
    const mine = this.#reads;
    await this.ready();
    while (this.#held === null) if (!(await this.#fetch()) || mine !== this.#reads) return null;
    if (mine !== this.#reads) return null;
    const held = this.#held;
    const batch = batchOver(this.of, held.decoded, held.taken, recordsMax);
    held.taken += batch.count;
    if (held.taken === held.count) this.#hold(this.#more);
    this.#position = batch.nextOffset;
    return batch;
  }

  /** `made`: places the outputs, under the epoch that sends them. */
  async commit(made: () => Promise<readonly Part[]>, nextOffset: number): Promise<CommitOutcome> {
    if (this.closed || !this.adopted) return 'fenced';
    await this.taken();
    return this.#alone(() => this.#commit(made, nextOffset));
  }

  async #commit(made: () => Promise<readonly Part[]>, nextOffset: number): Promise<CommitOutcome> {
    if (this.#pending !== null) {
      // The answer to this very commit is still owed: who asks again after a failure asks for the same.
      const outcome = await this.#settle();
      if (outcome !== 'aborted') return outcome;
    } else await this.#steady();
    const producer = this.#producer;
    if (this.closed) return 'fenced';
    invariant(producer !== null, `${this.place} has an epoch`);
    const parts = await this.#during('where its outputs go', made());
    if (this.closed) return 'fenced';
    const pending = { token: crypto.randomUUID(), nextOffset };
    this.#pending = pending;
    try {
      const input = { group: this.#ports.group, of: this.of, ...pending };
      const ends = await this.#during('its transaction', producer.run(parts, input));
      if (this.closed) return 'fenced';
      this.#moved(pending);
      this.#ports.committed(ends);
      return 'committed';
    } catch (error) {
      this.#ports.cluster.stale();
      // A new layout fences every writer: it was said when it was decided.
      if (!FENCED.has(errorType(error))) {
        this.#ports.note(asKafkaFault(error, `commit of ${this.place}`, this.#ports.cluster.target).message);
      }
      return this.#settle();
    }
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #takeOver(): Promise<void> {
    const found = await this.#newEpoch();
    this.#token = found?.token ?? '';
    this.#offset = found?.offset ?? (await firstOffset(this.#ports.cluster, this.of));
  }

  /** A new producer, and what is committed once it has fenced the old one. */
  async #newEpoch() {
    const { cluster, group } = this.#ports;
    this.#producer = null;
    const producer = await this.#during(
      'a new epoch',
      cluster.use(`epoch of ${this.place}`, () => this.#epochs.next(() => !this.closed)),
    );
    await this.#during('the layouts', this.#ports.layouts.refresh());
    const found = await this.#during('its offset', committedOffset(cluster, group, this.of));
    this.#producer = producer;
    return found;
  }

  /** What became of the pending commit. Throws a retryable LogFault when that stays unknown for long. */
  async #settle(): Promise<CommitOutcome> {
    const deadline = performance.now() + SETTLE_MS_MAX;
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      try {
        return await this.#outcome();
      } catch (error) {
        this.#ports.cluster.stale();
        if (performance.now() > deadline) {
          throw asKafkaFault(error, `outcome of a commit of ${this.place}`, this.#ports.cluster.target);
        }
        await Bun.sleep(pauseMs);
      }
    }
  }

  async #outcome(): Promise<CommitOutcome> {
    const counted = this.closed || (await this.#during('its seat', this.#ports.counted(this)));
    if (this.closed || !counted) return 'fenced';
    const found = await this.#newEpoch();
    const pending = this.#pending;
    if (this.closed) return 'fenced';
    if (pending !== null && found?.token === pending.token) {
      this.#moved(pending);
      return 'committed';
    }
    if ((found?.token ?? '') !== this.#token) {
      this.closed = true;
      this.#ports.overtaken(this);
      return 'fenced';
    }
    this.#pending = null;
    return 'aborted';
  }

  async #during<T>(what: string, work: Promise<T>): Promise<T> {
    this.#doing.add(what);
    try {
      return await work;
    } finally {
      this.#doing.delete(what);
    }
  }

  #moved({ token, nextOffset }: Pending): void {
    this.#token = token;
    this.#offset = nextOffset;
    this.#pending = null;
  }

  /** False: there is nothing to read now. */
  async #fetch(): Promise<boolean> {
    const { cluster, fetch, note } = this.#ports;
    const from = this.#position ?? this.#offset;
    const reads = this.#reads;
    this.#position = from;
    const overtaken = (first: number): void =>
      note(`retention has overtaken ${this.place}: ${first - from} offsets from ${from} on are gone`);
    const wanted = () => this.#position === from && this.#reads === reads && !this.closed;
    const fetching = fetchEnough(cluster, this.of, from, fetch, overtaken, wanted);
    const decoded = await this.#during('a fetch', fetching);
    if (this.#position !== from) return true;
    if (decoded.runs.length > 0) this.#hold(apart(decoded));
    else if (decoded.nextOffset > from) await this.#skip(from, decoded.nextOffset);
    else return false;
    return true;
  }

  #hold([decoded, ...more]: readonly Decoded[]): void {
    const count = decoded?.runs.reduce((sum, run) => sum + run.count, 0) ?? 0;
    this.#held = decoded === undefined ? null : { decoded, taken: 0, count };
    this.#more = more;
  }

  /** Markers and aborted records alone: the offset moves past them, so that an idle group's lag is 0. */
  async #skip(from: number, to: number): Promise<void> {
    this.#position = to;
    if (from !== this.#offset || this.closed || this.#pending !== null) return;
    if (await this.#during('an offset', this.#ports.skipTo(this.of, to, this.#token))) this.#offset = to;
    else await this.#skipAgain(from, to);
  }

  /** Refused, as while the group is joined again: given up, the lag of a quiet topic would stand for good. */
  async #skipAgain(from: number, to: number): Promise<void> {
    await Bun.sleep(SKIP_AGAIN_MS);
    if (this.#position === to && !this.closed) this.#position = from;
  }
}
