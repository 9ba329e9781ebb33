// ClickHouse as the sink's port promises it: rows by their natural key, the greatest version of each stands,
// a token that was seen is dropped. It is slow, down, full, or takes rows and loses its reply, as the faults
// say; what a writer gave up on may still be written later.

import type { Clock } from '../../runtime/host.ts';
import { Fault, type Receipt, type Rows, type Sink } from '../../sinks/sink.ts';
import type { StoredRecord } from './simulated-store.ts';
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
  /** By bytes as the log holds them: a row is looked at each time it is sent and when it is committed. */
  readonly #known = new Map<Uint8Array, Identity>();

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
  has(topic: string, { value, line }: Pick<StoredRecord, 'value' | 'line'>): boolean {
    const [key, version] = this.#identity(topic, isRaw(topic) ? value : line);
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
    const pieces = piecesOf(rows);
    const millis = happens(faults.slow) ? world.below(60_000) : 1 + world.below(20);
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Fault('simulated: too late', 'clickhouse_timeout', true));
      const off = world.listening.on(signal, late);
      // The server goes on with what it was sent, whoever still waits for it.
      world.clock.after(millis, () => {
        const answer = this.#take(rows, pieces, happens);
        clock.after(0, () => {
          off();
          if (answer === null) resolve({ rows: rows.count, millis });
          else reject(answer);
        });
      });
    });
  }

  #take(rows: Rows, pieces: readonly Uint8Array[], happens: (share: number) => boolean): Fault | null {
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
      for (const piece of pieces) this.#put(rows.topic, piece);
      this.taken += 1;
    }
    this.#tokens.add(rows.token);
    return happens(faults.lostReplies) ? fail('sink-lost-reply', unreachable()) : null;
  }

  #identity(topic: string, bytes: Uint8Array): Identity {
    const found = this.#known.get(bytes);
    if (found !== undefined) return found;
    const made = identity(topic, decoder.decode(bytes));
    this.#known.set(bytes, made);
    return made;
  }

  #put(topic: string, bytes: Uint8Array): void {
    const [key, version, row] = this.#identity(topic, bytes);
    if (row === null) return;
    const table = this.table(topic);
    const held = table.get(key);
    if (held === undefined || versionOf(held) <= version) table.set(key, row);
  }
}

function unreachable(): Fault {
  return new Fault('simulated: ClickHouse cannot be reached', 'clickhouse_unreachable', true);
}

/** Raw records may hold anything, so each is sent as it is; the others are lines of a text. */
function isRaw(topic: string): boolean {
  return topic.startsWith('ingestion.');
}

/** One record each: so the simulated log gives its lines. */
function piecesOf(rows: Rows): readonly Uint8Array[] {
  return isRaw(rows.topic) ? rows.values() : rows.lines().map(({ bytes }) => bytes);
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
  const row: Row = Object(parsed.payload ?? parsed);
  return [columns.map((each) => String(row[each])).join('|'), versionOf(row), row];
}

function versionOf({ row_version }: Row): number {
  return typeof row_version === 'number' ? row_version : 0;
}
