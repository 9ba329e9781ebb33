// ClickHouse as the sink's port promises it: rows by their natural key, the greatest version of each stands,
// a token that was seen is dropped. It is slow, down, full, or takes rows and loses its reply, as the faults
// say; what a writer gave up on may still be written later.

import type { Clock } from '../../runtime/host.ts';
import { Fault, type Receipt, type Rows, type Sink } from '../../sinks/sink.ts';
import type { World } from './world.ts';

export interface SinkFaults {
  /** Shares of writes and reads, 0–1. */
  readonly slow: number;
  readonly down: number;
  readonly full: number;
  readonly lostReplies: number;
}

export const CALM_SINK: SinkFaults = { slow: 0, down: 0, full: 0, lostReplies: 0 };

export type Row = Readonly<Record<string, unknown>>;

const decoder = new TextDecoder();

export class SimulatedClickHouse {
  readonly #world: World;
  readonly #faults: () => SinkFaults;
  readonly #happened: (what: string) => void;
  readonly #tables = new Map<string, Map<string, Row>>();
  /** Writes that were carried out so far. */
  taken = 0;
  readonly #tokens = new Set<string>();
  /** By text: each row is looked at when it is written and when its position is committed. */
  readonly #known = new Map<string, Identity>();

  constructor(world: World, faults: () => SinkFaults, happened: (what: string) => void) {
    this.#world = world;
    this.#faults = faults;
    this.#happened = happened;
  }

  table(topic: string): Map<string, Row> {
    const found = this.#tables.get(topic);
    if (found !== undefined) return found;
    const made = new Map<string, Row>();
    this.#tables.set(topic, made);
    return made;
  }

  /** The row that a record stands for, or a newer version of it, is there. */
  has(topic: string, value: Uint8Array): boolean {
    const [key, version] = this.#identity(topic, decoder.decode(value));
    const held = this.table(topic).get(key);
    return held !== undefined && versionOf(held) >= version;
  }

  /** As one process sees it: its answers come by that process's clock. */
  sink(clock: Clock): Sink {
    return {
      write: (rows, signal) => this.#write(rows, signal, clock),
      health: async () => null,
      close: async () => {},
    };
  }

  silver(clock: Clock, topic: string, instrument: string, fromUs: number, toUs: number): Promise<Row[]> {
    const { world, faults } = { world: this.#world, faults: this.#faults() };
    return new Promise((resolve, reject) => {
      clock.after(1 + world.below(20), () => {
        if (faults.down > 0 && world.chance(faults.down)) return reject(unreachable());
        const found = [...this.table(topic).values()].filter(
          ({ instrument_id: id, interval_start: start }) =>
            id === instrument && Number(start) >= fromUs && Number(start) < toUs,
        );
        resolve(found);
      });
    });
  }

  #write(rows: Rows, signal: AbortSignal, clock: Clock): Promise<Receipt> {
    const [world, faults] = [this.#world, this.#faults()];
    const happens = (share: number): boolean => share > 0 && world.chance(share);
    const texts = textsOf(rows);
    const millis = happens(faults.slow) ? world.below(60_000) : 1 + world.below(20);
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Fault('simulated: too late', 'clickhouse_timeout', true));
      const off = world.listening.on(signal, late);
      // The server goes on with what it was sent, whoever still waits for it.
      world.clock.after(millis, () => {
        const answer = this.#take(rows, texts, happens);
        clock.after(0, () => {
          off();
          if (answer === null) resolve({ rows: rows.count, millis });
          else reject(answer);
        });
      });
    });
  }

  #take(rows: Rows, texts: readonly string[], happens: (share: number) => boolean): Fault | null {
    const faults = this.#faults();
    const fail = (what: string, fault: Fault): Fault => {
      this.#happened(what);
      return fault;
    };
    if (happens(faults.down)) return fail('sink-down', unreachable());
    if (happens(faults.full)) {
      return fail('sink-full', new Fault('simulated: no space left', 'clickhouse_disk_full', true));
    }
    if (!this.#tokens.has(rows.token)) {
      for (const text of texts) this.#put(rows.topic, text);
      this.taken += 1;
    }
    this.#tokens.add(rows.token);
    return happens(faults.lostReplies) ? fail('sink-lost-reply', unreachable()) : null;
  }

  #identity(topic: string, text: string): Identity {
    const found = this.#known.get(text);
    if (found !== undefined) return found;
    const made = identity(topic, text);
    this.#known.set(text, made);
    return made;
  }

  #put(topic: string, text: string): void {
    const [key, version, row] = this.#identity(topic, text);
    if (row === null) return;
    const table = this.table(topic);
    const held = table.get(key);
    if (held === undefined || versionOf(held) <= version) table.set(key, row);
  }
}

function unreachable(): Fault {
  return new Fault('simulated: ClickHouse cannot be reached', 'clickhouse_unreachable', true);
}

function textsOf(rows: Rows): string[] {
  if (/^ingestion\./.test(rows.topic)) return rows.values().map((value) => decoder.decode(value));
  const whole = rows.lines().map(({ bytes }) => decoder.decode(bytes));
  return whole.join('').split('\n').slice(0, -1);
}

const KEYS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\.market\.ticks\./, ['instrument_id', 'interval_start', 'trade_id', 'publication', 'version_hash']],
  [/\.ohlc\.bars\./, ['market', 'run', 'delivery_location', 'bar_size', 'bar_start']],
  [/\.rolling\.metrics\./, ['market', 'run', 'delivery_location', 'metric_type', 'window_size', 'hour_end']],
  [/\.curve\.prestage\./, ['market', 'run', 'location', 'curve_type', 'hour_start']],
  [/\.anomalies\./, ['anomaly_id']],
  [/\.scores\./, ['event_id']],
];

/** Key, version, and the row; null: no row of a table, such as a calendar message. */
type Identity = readonly [string, number, Row | null];

function identity(topic: string, text: string): Identity {
  const columns = KEYS.find(([pattern]) => pattern.test(topic))?.[1];
  if (columns === undefined) return [text, 0, { text }];
  const parsed: Row = JSON.parse(text);
  if (parsed.data_type === 'calendar') return ['', 0, null];
  const { payload = parsed } = parsed;
  const row: Row = typeof payload === 'object' && payload !== null ? { ...payload } : {};
  return [columns.map((each) => String(row[each])).join('|'), versionOf(row), row];
}

function versionOf({ row_version }: Row): number {
  return typeof row_version === 'number' ? row_version : 0;
}
