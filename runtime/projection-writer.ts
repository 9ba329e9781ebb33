// Group commit in front of the sink: batches of a topic's partitions queue, and an insert takes all of them.
// One follows another when enough rows wait, or a second after the last began: so inserts are few and large
// under load, about one a second when there is little, and the first after a pause is immediate. A row that
// the sink cannot take is found by halving, and refused alone.

import type { Batch } from '../actors/batch.ts';
import { type Rejection, reject } from '../actors/domain/rejection.ts';
import { CALENDAR_KEY } from '../actors/router-work.ts';
import type { Refused } from '../actors/stage.ts';
import { Fault, type Receipt, type Rows, type Sink } from '../sinks/sink.ts';
import type { Clock } from './host.ts';

interface Waiting {
  readonly batch: Batch;
  resolve(refused: readonly Refused[]): void;
  reject(error: unknown): void;
}

/** Records [from, to) of a batch. */
interface Span {
  readonly batch: Batch;
  readonly from: number;
  readonly to: number;
}

export interface WriterSettings {
  readonly sink: Sink;
  readonly topic: string;
  /** Rows that one insert may take; the first waiting batch is always taken whole. */
  readonly rowsMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** `keys`: the instruments whose rows they were. */
  readonly wrote: (topic: string, receipt: Receipt, keys: () => ReadonlySet<string>) => void;
  /** The rows that did not get in. */
  readonly failed: (rows: Pick<Rows, 'topic' | 'count' | 'token'>, fault: Fault) => void;
}

/** So many waiting rows are inserted at once; fewer wait until so long after the last insert began. */
const ROWS_ENOUGH = 10_000;
const LINGER_MS = 1_000;

export class ProjectionWriter {
  readonly #settings: WriterSettings;
  readonly #queue: Waiting[] = [];
  #busy = false;
  #begunMs = Number.NEGATIVE_INFINITY;
  #lingering = false;

  constructor(settings: WriterSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves when the batch is durable. Rejects with a Fault when the sink is out of order: try again later.
   * A partition has one router, with one batch in hand: what still waits of it was left by one that is gone,
   * and makes room, so that no more than a batch of each partition waits whatever comes and goes.
   */
  write(batch: Batch): Promise<readonly Refused[]> {
    if (batch.count === 0) return Promise.resolve([]);
    const left = this.#queue.findIndex((each) => each.batch.partition === batch.partition);
    if (left >= 0) for (const each of this.#queue.splice(left, 1)) each.reject(superseded());
    return new Promise((resolve, reject_) => {
      this.#queue.push({ batch, resolve, reject: reject_ });
      this.#next();
    });
  }

  #next(): void {
    if (this.#busy || this.#queue.length === 0) return;
    const { clock, rowsMax } = this.#settings;
    const nowMs = clock.nowMs();
    const leftMs = Math.min(LINGER_MS, this.#begunMs + LINGER_MS - nowMs);
    if (leftMs > 0 && this.#waiting() < Math.min(ROWS_ENOUGH, rowsMax)) return this.#linger(leftMs);
    this.#busy = true;
    this.#begunMs = nowMs;
    const group = this.#take();
    this.#insert(group).finally(() => {
      this.#busy = false;
      this.#next();
    });
  }

  #waiting(): number {
    return this.#queue.reduce((sum, { batch }) => sum + batch.count, 0);
  }

  #linger(ms: number): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#settings.clock.after(ms, () => {
      this.#lingering = false;
      // It has waited, whatever a clock says that was set back meanwhile.
      if (!this.#busy) this.#begunMs = Number.NEGATIVE_INFINITY;
      this.#next();
    });
  }

  #take(): Waiting[] {
    const group: Waiting[] = [];
    let rows = 0;
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined) return group;
      if (group.length > 0 && rows + first.batch.count > this.#settings.rowsMax) return group;
      this.#queue.shift();
      rows += first.batch.count;
      group.push(first);
    }
  }

  async #insert(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#send(group.map(({ batch }) => ({ batch, from: 0, to: batch.count })));
      for (const each of group) each.resolve([]);
    } catch (error) {
      if (isBadRow(error)) await this.#isolate(group);
      else for (const each of group) each.reject(error);
    }
  }

  /** Each batch on its own, so that one bad row holds up nobody else. */
  async #isolate(group: readonly Waiting[]): Promise<void> {
    for (const each of group) {
      try {
        each.resolve(await this.#halve({ batch: each.batch, from: 0, to: each.batch.count }));
      } catch (error) {
        each.reject(error);
      }
    }
  }

  async #halve(span: Span): Promise<Refused[]> {
    try {
      await this.#send([span]);
      return [];
    } catch (error) {
      if (!isBadRow(error)) throw error;
      const { batch, from, to } = span;
      if (to - from === 1) return [{ offset: batch.offset(from), rejection: rejection(error) }];
      const middle = (from + to) >> 1;
      return [
        ...(await this.#halve({ batch, from, to: middle })),
        ...(await this.#halve({ batch, from: middle, to })),
      ];
    }
  }

  async #send(spans: readonly Span[]): Promise<void> {
    const { sink, topic, timeoutMs, clock } = this.#settings;
    const late = new AbortController();
    const inTime = clock.after(timeoutMs, () => late.abort(tooLate(timeoutMs)));
    const rows = rowsOf(topic, spans);
    try {
      const receipt = await sink.write(rows, late.signal);
      this.#settings.wrote(topic, receipt, () => keysOf(spans));
    } catch (error) {
      // It made no rows: when to try again is decided by whoever asks.
      this.#begunMs = Number.NEGATIVE_INFINITY;
      if (error instanceof Fault) this.#settings.failed(rows, error);
      throw error;
    } finally {
      inTime();
    }
  }
}

function superseded(): Fault {
  return new Fault('its partition has another router by now', 'projection_superseded', false);
}

function tooLate(timeoutMs: number): DOMException {
  return new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError');
}

function rowsOf(topic: string, spans: readonly Span[]): Rows {
  return {
    topic,
    count: spans.reduce((sum, { from, to }) => sum + to - from, 0),
    lines: () => spans.flatMap(({ batch, from, to }) => batch.lines(from, to)),
    values: () => spans.flatMap(valuesOf),
    token: spans.map(token).join('+'),
  };
}

/** Without the calendar, which is no record of a market. */
function valuesOf({ batch, from, to }: Span): Uint8Array[] {
  const values: Uint8Array[] = [];
  for (let index = from; index < to; index += 1) {
    if (batch.key(index) !== CALENDAR_KEY) values.push(batch.value(index));
  }
  return values;
}

function keysOf(spans: readonly Span[]): ReadonlySet<string> {
  const keys = new Set<string>();
  let last = '';
  for (const { batch, from, to } of spans) {
    for (let index = from; index < to; index += 1) {
      const key = batch.key(index);
      // Records of one instrument stand together.
      if (key !== last) keys.add(key);
      last = key;
    }
  }
  keys.delete(CALENDAR_KEY);
  return keys;
}

function token({ batch, from, to }: Span): string {
  return `${batch.topic}/${batch.partition}/${batch.offset(0)}-${batch.nextOffset}/${from}-${to}`;
}

function isBadRow(error: unknown): error is Fault {
  return error instanceof Fault && error.code === 'clickhouse_bad_row';
}

function rejection(fault: Fault): Rejection {
  return reject('wrong_type', `the sink cannot take this record: ${fault.message}`);
}
