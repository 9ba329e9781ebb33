// The SQLite file of the embedded log: its schema, its statements, and the lock that makes one process its
// owner. WAL with synchronous=FULL: what a transaction committed survives the machine.

import { Database } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TopicSpec } from './log.ts';
import { asLogFault, LogFault } from './log-fault.ts';
import type { StoredBatch } from './stored-batch.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS topics (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  retention_ms INTEGER, compacted INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  tp INTEGER NOT NULL, base INTEGER NOT NULL, count INTEGER NOT NULL, appended_ms INTEGER NOT NULL,
  codec INTEGER NOT NULL, checksum INTEGER NOT NULL, idx BLOB NOT NULL, bytes BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS batches_by_offset ON batches (tp, base);
CREATE TABLE IF NOT EXISTS ends (tp INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (
  grp TEXT NOT NULL, tp INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (grp, tp)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
  owner TEXT NOT NULL, tp INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (owner, tp, key)) WITHOUT ROWID;
`;

interface BatchRow {
  base: number;
  count: number;
  appended_ms: number;
  codec: number;
  checksum: number;
  idx: Uint8Array;
  bytes: Uint8Array;
}

/** Opens or creates the file in `dir`, as its only owner. Throws LogFault. */
export function openStore(dir: string): Store {
  try {
    mkdirSync(dir, { recursive: true });
    const lock = takeLock(dir);
    const db = new Database(join(dir, 'log.sqlite'), { create: true, strict: true });
    db.run('PRAGMA journal_mode = WAL');
    db.run('PRAGMA synchronous = FULL');
    db.run('PRAGMA cache_size = -65536');
    db.run('PRAGMA wal_autocheckpoint = 8000');
    db.run(SCHEMA);
    return new Store(db, lock, dir);
  } catch (error) {
    throw asLogFault(error, dir);
  }
}

/**
 * An exclusive transaction that is held for life: the system ends it with the process, whatever ended that.
 */
function takeLock(dir: string): Database {
  const lock = new Database(join(dir, 'owner.lock'), { create: true });
  try {
    lock.run('PRAGMA busy_timeout = 0');
    lock.run('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    const fault = asLogFault(error, dir);
    if (fault.code !== 'data_dir_held') throw fault;
    const message = `${dir} is held by another process: stop it, or set DATA_DIR to another directory`;
    throw new LogFault(message, 'data_dir_held', false, { cause: error });
  }
}

export class Store {
  readonly #db: Database;
  readonly #lock: Database;
  readonly #dir: string;
  /** As the file has them: it has no other writer. Forgotten when a transaction rolls back. */
  readonly #ends = new Map<number, number>();
  readonly #committed = new Map<string, Map<number, number>>();

  constructor(db: Database, lock: Database, dir: string) {
    this.#db = db;
    this.#lock = lock;
    this.#dir = dir;
  }

  /** Runs `work` in one transaction: all of it is durable, or none. Throws LogFault. */
  transaction<T>(work: () => T): T {
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      this.#ends.clear();
      this.#committed.clear();
      throw error instanceof RangeError ? error : asLogFault(error, this.#dir);
    }
  }

  topics(): (TopicSpec & { readonly id: number })[] {
    const rows = this.#db
      .query<
        { id: number; name: string; partitions: number; retention_ms: number | null; compacted: number },
        []
      >('SELECT id, name, partitions, retention_ms, compacted FROM topics ORDER BY name')
      .all();
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      partitions: row.partitions,
      retentionMs: row.retention_ms,
      compacted: row.compacted === 1,
    }));
  }

  addTopic(spec: TopicSpec): void {
    this.#db
      .query('INSERT INTO topics (name, partitions, retention_ms, compacted) VALUES (?, ?, ?, ?)')
      .run(spec.name, spec.partitions, spec.retentionMs, spec.compacted ? 1 : 0);
  }

  addBatch(tp: number, batch: StoredBatch): void {
    this.#db
      .query(
        `INSERT INTO batches (tp, base, count, appended_ms, codec, checksum, idx, bytes)
         VALUES (?,?,?,?,?,?,?,?)`,
      )
      .run(
        tp,
        batch.baseOffset,
        batch.count,
        batch.appendedMs,
        batch.codec,
        batch.checksum,
        batch.index,
        batch.bytes,
      );
    this.#db
      .query('INSERT INTO ends (tp, next) VALUES (?, ?) ON CONFLICT (tp) DO UPDATE SET next = excluded.next')
      .run(tp, batch.baseOffset + batch.count);
    this.#ends.set(tp, batch.baseOffset + batch.count);
  }

  end(tp: number): number {
    const known = this.#ends.get(tp);
    if (known !== undefined) return known;
    const sql = 'SELECT next FROM ends WHERE tp = ?';
    const next = this.#db.query<{ next: number }, [number]>(sql).get(tp)?.next ?? 0;
    this.#ends.set(tp, next);
    return next;
  }

  /** The stored batch that holds `offset`, or the first one after it; null at the end. */
  batchAt(tp: number, offset: number): StoredBatch | null {
    const select = 'SELECT base, count, appended_ms, codec, checksum, idx, bytes FROM batches';
    const before = this.#db
      .query<BatchRow, [number, number]>(`${select} WHERE tp = ? AND base <= ? ORDER BY base DESC LIMIT 1`)
      .get(tp, offset);
    if (before !== null && before.base + before.count > offset) return stored(before);
    const after = this.#db
      .query<BatchRow, [number, number]>(`${select} WHERE tp = ? AND base > ? ORDER BY base LIMIT 1`)
      .get(tp, offset);
    return after === null ? null : stored(after);
  }

  /** First offset appended at or after `timestampMs`; null when there is none. */
  offsetAt(tp: number, timestampMs: number): number | null {
    const row = this.#db
      .query<{ base: number | null }, [number, number]>(
        'SELECT min(base) AS base FROM batches WHERE tp = ? AND appended_ms >= ?',
      )
      .get(tp, timestampMs);
    return row?.base ?? null;
  }

  firstOffset(tp: number): number {
    const sql = 'SELECT min(base) AS base FROM batches WHERE tp = ?';
    return this.#db.query<{ base: number | null }, [number]>(sql).get(tp)?.base ?? this.end(tp);
  }

  committed(group: string, tp: number): number | null {
    const known = this.#committed.get(group)?.get(tp);
    if (known !== undefined) return known;
    const sql = 'SELECT next FROM offsets WHERE grp = ? AND tp = ?';
    const next = this.#db.query<{ next: number }, [string, number]>(sql).get(group, tp)?.next ?? null;
    if (next !== null) this.#remember(group, tp, next);
    return next;
  }

  #remember(group: string, tp: number, next: number): void {
    const of = this.#committed.get(group);
    if (of === undefined) this.#committed.set(group, new Map([[tp, next]]));
    else of.set(tp, next);
  }

  setCommitted(group: string, tp: number, next: number): void {
    this.#db
      .query(
        `INSERT INTO offsets (grp, tp, next) VALUES (?,?,?)
         ON CONFLICT (grp, tp) DO UPDATE SET next = excluded.next`,
      )
      .run(group, tp, next);
    this.#remember(group, tp, next);
  }

  setState(owner: string, tp: number, key: string, value: Uint8Array | null): void {
    if (value === null) {
      this.#db.query('DELETE FROM state WHERE owner = ? AND tp = ? AND key = ?').run(owner, tp, key);
      return;
    }
    this.#db
      .query(
        `INSERT INTO state (owner, tp, key, value) VALUES (?,?,?,?)
         ON CONFLICT (owner, tp, key) DO UPDATE SET value = excluded.value`,
      )
      .run(owner, tp, key, value);
  }

  *state(owner: string, tp: number): Iterable<readonly [string, Uint8Array]> {
    const sql = 'SELECT key, value FROM state WHERE owner = ? AND tp = ? ORDER BY key';
    for (const row of this.#db
      .query<{ key: string; value: Uint8Array }, [string, number]>(sql)
      .iterate(owner, tp)) {
      yield [row.key, row.value];
    }
  }

  owners(): string[] {
    return this.#db
      .query<{ grp: string }, []>('SELECT DISTINCT grp FROM offsets')
      .all()
      .map((row) => row.grp);
  }

  /**
   * Deletes whole batches that ended before `offset` and are older than `beforeMs`; returns the records
   * removed.
   */
  drop(tp: number, beforeMs: number, offset: number): number {
    const where = 'WHERE tp = ? AND appended_ms < ? AND base + count <= ?';
    const sum = this.#db
      .query<{ n: number | null }, [number, number, number]>(`SELECT sum(count) AS n FROM batches ${where}`)
      .get(tp, beforeMs, offset);
    this.#db.query(`DELETE FROM batches ${where}`).run(tp, beforeMs, offset);
    return sum?.n ?? 0;
  }

  close(): void {
    this.#db.run('PRAGMA wal_checkpoint(TRUNCATE)');
    this.#db.close();
    this.#lock.close();
  }
}

function stored(row: BatchRow): StoredBatch {
  return {
    baseOffset: row.base,
    count: row.count,
    appendedMs: row.appended_ms,
    codec: row.codec,
    checksum: row.checksum,
    index: row.idx,
    bytes: row.bytes,
  };
}
