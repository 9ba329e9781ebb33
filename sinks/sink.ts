// Where results go: the ports that ClickHouse and the cache fit behind. Writes are idempotent: the same rows
// again, under the same token, change nothing, so a lost reply is retried safely.

/** The outside failed. `retryable` says whether the same call may go through later. */
export class Fault extends Error {
  override readonly name = 'Fault';
  constructor(
    message: string,
    /** Short machine name, such as `clickhouse_unreachable`, `clickhouse_disk_full`, `clickhouse_bad_row`. */
    readonly code: string,
    readonly retryable: boolean,
    options: { readonly cause?: unknown; readonly serverCode?: string } = {},
  ) {
    super(message, options);
    this.serverCode = options.serverCode ?? null;
  }

  /** The server's own code, such as `243`; null when it gave none. */
  readonly serverCode: string | null;
}

/** A piece of text in UTF-8; `zstd`: packed, as a frame of its own. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly zstd: boolean;
}

/** JSON records of one topic, as they stand on the log, for the tables that the topic feeds. */
export interface Rows {
  readonly topic: string;
  readonly count: number;
  /** The records as JSON texts in UTF-8, each ended by a newline and holding none, in pieces. */
  lines(): readonly Piece[];
  /** The records one by one, whatever they hold. */
  values(): readonly Uint8Array[];
  /** Unique to this set of rows: the input position they came from. A second write with it is dropped. */
  readonly token: string;
}

export interface Receipt {
  readonly rows: number;
  readonly millis: number;
}

export interface Sink {
  /** Resolves only when the rows are durable. Throws Fault; `clickhouse_bad_row` names no row: bisect. */
  write(rows: Rows, signal: AbortSignal): Promise<Receipt>;
  /** Null when it can serve, else why not. */
  health(): Promise<string | null>;
  close(): Promise<void>;
}

/** A larger answer is not kept. */
export const VALUE_CHARS_MAX = 4_000_000;

/** A moment of a kind of answers, as all know it who share the cache. */
export interface Mark {
  readonly kind: string;
  readonly at: string;
}

/** A disposable cache of answers. Losing it at any moment changes no answer. */
export interface Cache {
  readonly kind: 'memory' | 'redis';
  /** Connections to where the answers are kept; null: they are kept here. */
  readonly pool: { readonly size: number; readonly inUse: number } | null;
  /** How often everything that was kept was found gone, as after a flush or a restart of the store. */
  readonly flushes: number;
  get(key: string): Promise<string | null>;
  /**
   * Keeps it for `ttlSeconds`, or shorter: others make room for it, and it for others. With a `mark`: only if
   * nothing of its kind was invalidated since that was taken.
   */
  set(key: string, value: string, ttlSeconds: number, mark?: Mark): Promise<void>;
  /** Taken before the rows are read that an answer is made of; null: it cannot be kept. */
  mark(kind: string): Promise<Mark | null>;
  /**
   * Rows have changed: removes the keys of a kind that `touches` says of, for all who share the cache, and
   * ends every mark of the kind. Null: it could not be done, and has to be asked again.
   */
  invalidate(kind: string, touches: (key: string) => boolean): Promise<number | null>;
  /** Returns how many of the keys were there. */
  remove(keys: readonly string[]): Promise<number>;
  /** Removes keys that match a glob (`*` and `?` only, at most 256 characters); bounded, by scan. */
  removeMatching(pattern: string): Promise<number>;
  clear(): Promise<number>;
  stats(): Promise<CacheStats>;
  health(): Promise<string | null>;
  close(): Promise<void>;
}

export interface CacheStats {
  readonly available: boolean;
  readonly entries: number;
  readonly entriesMax: number;
  readonly hits: number;
  readonly misses: number;
  readonly operations: number;
  readonly failures: number;
  readonly latencyMsAverage: number;
}
