// One batch in a router's hands: which record goes to which instrument, what came back, and the commit it
// adds up to. An accumulator owned by one router for one batch; it forgets itself with the batch.
// Dispositions and outputs are collected here so that the commit holds all of them or none (design §3.1).

import type { Batch, Commit, Outgoing, Place, StateChange } from './batch.ts';
import { type CalendarNews, readCalendar } from './calendar.ts';
import { deadLetter, deadLetterBodies, originKey } from './dead-letter.ts';
import { parseInstrumentId } from './domain/instrument.ts';
import { invariant } from './domain/invariant.ts';
import { type Rejection, reject } from './domain/rejection.ts';
import { sealJson } from './domain/sealed.ts';
import type { FoldReply } from './instrument.ts';
import { type Barrier, barrierOf, type Choice } from './layout.ts';
import { EMPTY_LEDGER, type Ledger, type Ledgers, postLedgers } from './ledger.ts';
import { packParked } from './parked.ts';
import type { Slot } from './slot.ts';
import { type Emission, NO_TALLY, type StageRecord, type Tally } from './stage.ts';

/** Key of calendar messages on every topic; never an instrument id. */
export const CALENDAR_KEY = '~calendar';

export interface WorkSettings {
  readonly service: string;
  readonly tenantId: string;
  /** Topic of a destination. */
  readonly topicOf: (to: Emission['to']) => string;
  readonly deadLetterTopic: string;
  readonly parkingTopic: string;
  /** Where calendar messages are forwarded, beside the input partition; null: nowhere. */
  readonly calendarTo: Emission['to'] | null;
  /** The input topic, for the group that brings stragglers to their partition; null: another group does. */
  readonly strayTo: Emission['to'] | null;
  /** Market that a record counts for when its key names none. */
  readonly marketOf: (key: string) => string;
  /** An output record larger than this is a defect of its input record, bytes. */
  readonly outputBytesMax: number;
}

export interface RoutedEmission extends Emission {
  readonly key: string;
  readonly partition?: Choice;
  /** Offset of the record it was made of, where that is one. */
  readonly from?: number;
}

/** What a layout says of the records of a batch. */
export interface Sorting {
  /** The instrument's records belong to another partition: they are stragglers here. */
  readonly strays: (id: string) => boolean;
  /** Of the layout. */
  readonly version: number;
}

const FORWARDED: Tally = { ...NO_TALLY, forwarded: 1 };
const REJECTED: Tally = { ...NO_TALLY, rejected: 1 };

type MutableLedger = {
  -readonly [K in keyof Ledger]: K extends 'emitted' ? Record<string, number> : Ledger[K];
};

export interface Outcome {
  readonly commit: Commit;
  readonly ledgers: Ledgers;
}

/** What a batch adds up to. Mutable inside, owned by one batch. */
export class Work {
  readonly outputs: Outgoing[] = [];
  readonly state: StateChange[] = [];
  readonly groups = new Map<string, number[]>();
  readonly news: CalendarNews[] = [];
  /** Instruments that have not answered yet. */
  readonly waiting = new Set<string>();
  /** What the slots of its instruments are when it is committed. */
  readonly candidates = new Map<string, Slot>();
  /** Answers with defects or notes, told when they are committed. */
  readonly reports: FoldReply[] = [];
  /** The layout changes here; null: the batch has records. */
  readonly barrier: Barrier | null;
  /** With a barrier: instruments that leave. */
  moved: ReadonlySet<string> = new Set();
  /** Records that stood in the wrong partition. */
  strayed = 0;
  /** Parking offset after which released records ended in quarantine again; null: they did not. */
  stoppedAfter: number | null = null;
  readonly #ledgers = new Map<string, MutableLedger>();
  readonly #indexOf = new Map<number, number>();
  /** Records of one instrument stand together. */
  #lastKey = '';
  #lastLedger: MutableLedger | null = null;

  constructor(
    readonly batch: Batch,
    readonly nowMs: number,
    readonly settings: WorkSettings,
    /** The instrument whose parked records these are, counted when they were parked; null: live records. */
    readonly released: string | null,
  ) {
    this.barrier = released === null ? barrierOf(batch) : null;
  }

  /** Sorts records by instrument, from `fromOffset` on; unusable keys are refused at once. */
  classify(fromOffset: number, known: (id: string) => boolean, { strays, version }: Sorting): void {
    for (let index = 0; index < this.batch.count; index += 1) {
      if (this.batch.offset(index) < fromOffset) continue;
      const key = this.batch.key(index);
      if (key === CALENDAR_KEY) {
        this.#calendar(index, version);
        continue;
      }
      const group = this.groups.get(key);
      if (group !== undefined) group.push(index);
      else if (strays(key)) this.#stray(key, index);
      else if (known(key)) this.groups.set(key, [index]);
      else this.#newInstrument(key, index);
    }
  }

  /** It came after its barrier: it is brought to where its instrument lives now. */
  #stray(key: string, index: number): void {
    this.count(key, 1);
    this.tally(key, FORWARDED);
    this.strayed += 1;
    const { strayTo } = this.settings;
    if (strayTo === null) return;
    this.outputs.push({ topic: this.batch.topic, key, value: this.batch.value(index) });
    this.#emitted(key, strayTo, 1);
  }

  #newInstrument(key: string, index: number): void {
    const parsed = parseInstrumentId(key);
    if ('reason' in parsed) this.settleOne(index, { ...parsed, detail: `record key: ${parsed.detail}` });
    else this.groups.set(key, [index]);
  }

  #calendar(index: number, version: number): void {
    const news = readCalendar(this.batch.value(index));
    if (news === null) {
      const detail = 'a calendar message needs market, run and advance_to (µs)';
      this.refuse(index, reject('wrong_type', detail));
      return;
    }
    this.news.push(news);
    if (this.settings.calendarTo !== null) this.#forward(index, this.settings.calendarTo, version);
  }

  #forward(index: number, to: Emission['to'], version: number): void {
    const topic = this.settings.topicOf(to);
    const value = this.batch.value(index);
    const { topic: input, partition } = this.batch;
    const beside = { beside: { topic: input, partition }, version };
    this.outputs.push({ topic, key: CALENDAR_KEY, value, partition: beside });
  }

  /** The disposition of a record that no instrument holds: refused with a reason, or forwarded. */
  settleOne(index: number, rejection: Rejection | undefined): void {
    const key = this.batch.key(index);
    if (key === CALENDAR_KEY) return;
    this.count(key, 1);
    if (rejection !== undefined) this.refuse(index, rejection);
    this.tally(key, rejection === undefined ? FORWARDED : REJECTED);
  }

  /** The records of one instrument, in offset order, as its stage gets them. */
  records(indices: readonly number[]): StageRecord[] {
    return indices.map((index) => {
      const offset = this.batch.offset(index);
      this.#indexOf.set(offset, index);
      return { offset, value: this.batch.value(index) };
    });
  }

  /** Counts records as read. */
  count(key: string, read: number): void {
    if (this.released === null) this.#ledger(key).read += read;
  }

  tally(key: string, tally: Tally): void {
    const ledger = this.#ledger(key);
    ledger.first += tally.first;
    ledger.revision += tally.revision;
    ledger.duplicate += tally.duplicate;
    ledger.rejected += tally.rejected;
    ledger.forwarded += tally.forwarded;
    if (this.released !== null) {
      ledger.parked -= tally.first + tally.revision + tally.duplicate + tally.rejected + tally.forwarded;
    }
  }

  emit(emission: RoutedEmission): void {
    const { key, value, partition } = emission;
    const records = typeof value === 'string' ? 1 : value.count;
    const topic = this.settings.topicOf(emission.to);
    this.outputs.push(partition === undefined ? { topic, key, value } : { topic, key, value, partition });
    if (key !== CALENDAR_KEY) this.#emitted(key, emission.to, records);
  }

  refuse(index: number, rejection: Rejection): void {
    const origin = { ...this.#placeOf(index), key: this.batch.key(index) };
    const { service, tenantId } = this.settings;
    const context = { service, tenantId, nowMs: this.nowMs };
    const letter = deadLetter(origin, this.batch.value(index), rejection, context);
    const value = JSON.stringify(letter);
    this.outputs.push({ topic: this.settings.deadLetterTopic, key: originKey(origin), value });
    this.#emitted(origin.key, 'dead_letters', 1);
    const topic = this.settings.topicOf('bodies');
    // A body that is refused itself has no body: that would not end.
    if (origin.topic === topic) return;
    for (const body of deadLetterBodies(letter, this.batch.value(index))) {
      this.outputs.push({ topic, key: originKey(origin), value: JSON.stringify(body) });
      this.#emitted(origin.key, 'bodies', 1);
    }
  }

  /** `home`: the partition of the parking topic; null: this one. */
  park(key: string, indices: readonly number[], home: number | null): void {
    const { parkingTopic: topic } = this.settings;
    const partition = home ?? this.batch.partition;
    for (const index of indices) {
      const value = packParked(this.#placeOf(index), this.batch.value(index));
      this.outputs.push({ topic, key, value, partition });
    }
    if (this.released === null) this.#ledger(key).parked += indices.length;
  }

  #placeOf(index: number): Place {
    const { topic, partition } = this.batch;
    return this.batch.origin?.(index) ?? { topic, partition, offset: this.batch.offset(index) };
  }

  /** An instrument's answer becomes part of the outcome. */
  collect(reply: FoldReply): void {
    const key = reply.instrument;
    for (const emission of reply.emissions) this.emit({ ...emission, key });
    for (const { offset, rejection } of reply.refused) {
      const index = this.#indexOf.get(offset);
      invariant(index !== undefined, `${key} refused offset ${offset}, which it was not given`);
      this.refuse(index, rejection);
    }
    for (const { part, bytes } of reply.changes)
      this.state.push({ key: `i:${key}\u0000${part}`, value: bytes });
    this.tally(key, reply.tally);
    this.candidates.set(key, reply.slot);
    if (reply.defects.length > 0 || reply.notes.length > 0) this.reports.push(reply);
  }

  /** `totals` are the ledgers before this batch; the sum is stored with it. */
  commit(totals: Ledgers, nextOffset: number, more: readonly StateChange[]): Outcome {
    const ledgers = postLedgers(totals, this.#ledgers);
    const state = [...this.state, ...more, ledgerChange(ledgers)];
    return { commit: { outputs: this.outputs, state, nextOffset }, ledgers };
  }

  #ledger(key: string): MutableLedger {
    if (key === this.#lastKey && this.#lastLedger !== null) return this.#lastLedger;
    this.#lastKey = key;
    this.#lastLedger = this.#ledgerOf(key);
    return this.#lastLedger;
  }

  #ledgerOf(key: string): MutableLedger {
    const market = this.settings.marketOf(key);
    const found = this.#ledgers.get(market);
    if (found !== undefined) return found;
    const made = { ...EMPTY_LEDGER, emitted: {} };
    this.#ledgers.set(market, made);
    return made;
  }

  #emitted(key: string, to: string, records: number): void {
    const { emitted } = this.#ledger(key);
    emitted[to] = (emitted[to] ?? 0) + records;
  }
}

export const LEDGER_KEY = 'r:ledger';

function ledgerChange(ledgers: Ledgers): StateChange {
  return { key: LEDGER_KEY, value: sealJson(1, Object.fromEntries(ledgers)) };
}

export const POSITION_KEY = 'r:position';

/** The input position that the state belongs to, stored with it: neither is trusted without the other. */
export function positionChange(nextOffset: number): StateChange {
  return { key: POSITION_KEY, value: sealJson(1, nextOffset) };
}
