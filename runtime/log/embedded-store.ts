// The SQLite file of the embedded log: its schema, its statements, and the lock that makes one process its
// owner. WAL with synchronous=FULL: what a transaction committed survives the machine. Whatever SQLite throws
// comes out as a LogFault, and the last one is kept for those who ask how the log is.

import { Database } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { asLayout, baseLayout, type Layout, partitionsOf } from '../../actors/layout.ts';
import { freeBytes } from '../directories.ts';
import type { Topic } from './embedded-append.ts';
import { takeLock } from './embedded-lock.ts';
import { SCHEMA } from './embedded-schema.ts';
import type { TopicPartition, TopicSpec } from './log.ts';
import { asLogFault, type LogFault } from './log-fault.ts';
import { damaged, type StoredBatch } from './stored-batch.ts';

interface BatchRow {
  base: number;
  count: number;
  appended_ms: number;
  codec: number;
  checksum: number;
  idx: Uint8Array;
  bytes: Uint8Array;
}

/**
 * Opens or creates the file in `dir`, as its only owner; `bytesMax`: it grows no further, null: as far as the
 * disk goes. Throws LogFault.
 */
export function openStore(dir: string, bytesMax: number | null): Store {
  let lock: Database | null = null;
  let db: Database | null = null;
  try {
    mkdirSync(dir, { recursive: true });
    lock = takeLock(dir);
    db = new Database(join(dir, 'log.sqlite'), { create: true, strict: true });
    // Whoever looks into the file from outside may hold it for a moment.
    db.run('PRAGMA busy_timeout = 5000');
    db.run('PRAGMA journal_mode = WAL');
    db.run('PRAGMA synchronous = FULL');
    db.run('PRAGMA cache_size = -65536');
    db.run('PRAGMA wal_autocheckpoint = 8000');
    if (bytesMax !== null) limit(db, bytesMax);
    db.run(SCHEMA);
    return new Store(db, lock, dir);
  } catch (error) {
    db?.close();
    lock?.close();
    throw asLogFault(error, dir);
  }
}

function limit(db: Database, bytesMax: number): void {
  const page = db.query<{ page_size: number }, []>('PRAGMA page_size').get()?.page_size ?? 4_096;
  db.run(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytesMax / page))}`);
}

const BATCH_COLUMNS = 'base, count, appended_ms, codec, checksum, idx, bytes';

type Value = string | number | Uint8Array | null;

/** Less is a full disk: a batch and its index take up to a megabyte, and the WAL holds them first. */
const ROOM_BYTES = 4 * 1024 * 1024;

export class Store {
  readonly #db: Database;
  readonly #lock: Database;
  readonly #dir: string;
  /** As the file has them: it has no other writer. Forgotten when a transaction rolls back. */
  readonly #ends = new Map<number, number>();
  readonly #committed = new Map<string, Map<number, number>>();
  #fault: LogFault | null = null;

  constructor(db: Database, lock: Database, dir: string) {
    this.#db = db;
    this.#lock = lock;
    this.#dir = dir;
  }

  /** Runs `work` in one transaction: all of it is durable, or none. Throws LogFault, or its RangeError. */
  transaction<T>(work: () => T): T {
    try {
      const done = this.#db.transaction(work).immediate();
      if (this.#fault?.retryable === true && !this.#isStillFull()) this.#fault = null;
      return done;
    } catch (error) {
      this.#ends.clear();
      this.#committed.clear();
      throw error instanceof RangeError ? error : this.failed(error);
    }
  }

  /** Why the log cannot serve: the last failure that no later write has made good; null when it can. */
  get fault(): LogFault | null {
    return this.#fault;
  }

  /** Keeps the failure for `fault`, and gives it back to be thrown. */
  failed(error: unknown): LogFault {
    this.#fault = asLogFault(error, this.#dir);
    return this.#fault;
  }

  /** On a full disk a small write may still find a place, and says nothing of the next large one. */
  #isStillFull(): boolean {
    if (this.#fault?.code !== 'log_disk_full') return false;
    const free = freeBytes(this.#dir);
    return free !== null && free < ROOM_BYTES;
  }

  topics(): Topic[] {
    const rows = this.#all<{
      id: number;
      name: string;
      partitions: number;
      retention_ms: number | null;
      compacted: number;
      layout: string | null;
    }>(
      `SELECT id, name, partitions, retention_ms, compacted, layout FROM topics
       LEFT JOIN layouts ON layouts.topic = topics.id ORDER BY name`,
    );
    return rows.map(({ id, name, partitions, retention_ms: retentionMs, compacted, layout }) => {
      const kept = layout === null ? baseLayout(partitions) : asLayout(JSON.parse(layout));
      if (kept === null) throw this.failed(new Error(`the layout of ${name} is damaged`));
      return { id, name, partitions, retentionMs, compacted: compacted === 1, layout: kept };
    });
  }

  setLayout(id: number, layout: Layout): void {
    this.#db.query('UPDATE topics SET partitions = ? WHERE id = ?').run(partitionsOf(layout), id);
    const sql = `INSERT INTO layouts (topic, layout) VALUES (?,?)
      ON CONFLICT (topic) DO UPDATE SET layout = excluded.layout`;
    this.#db.query(sql).run(id, JSON.stringify(layout));
  }

  addTopic({ name, partitions, retentionMs, compacted }: TopicSpec): void {
    const sql = 'INSERT INTO topics (name, partitions, retention_ms, compacted) VALUES (?, ?, ?, ?)';
    this.#db.query(sql).run(name, partitions, retentionMs, compacted ? 1 : 0);
  }

  addBatch(tp: number, batch: StoredBatch): void {
    const { baseOffset, count, appendedMs, codec, checksum, index, bytes } = batch;
    this.#db
      .query(`INSERT INTO batches (tp, ${BATCH_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)`)
      .run(tp, baseOffset, count, appendedMs, codec, checksum, index, bytes);
    this.#db
      .query('INSERT INTO ends (tp, next) VALUES (?, ?) ON CONFLICT (tp) DO UPDATE SET next = excluded.next')
      .run(tp, baseOffset + count);
    this.#ends.set(tp, baseOffset + count);
  }

  end(tp: number): number {
    const known = this.#ends.get(tp);
    if (known !== undefined) return known;
    const next = this.#first<{ next: number }>('SELECT next FROM ends WHERE tp = ?', tp)?.next ?? 0;
    this.#ends.set(tp, next);
    return next;
  }

  /**
   * The stored batch that holds `offset`, or the first of all when `offset` is before it; null at the end.
   * Offsets have no gaps: one between two batches, or before the end, is damage and thrown.
   */
  batchAt(of: TopicPartition, tp: number, offset: number): StoredBatch | null {
    if (offset >= this.end(tp)) return null;
    const select = `SELECT ${BATCH_COLUMNS} FROM batches`;
    const before = this.#first<BatchRow>(
      `${select} WHERE tp = ? AND base <= ? ORDER BY base DESC LIMIT 1`,
      tp,
      offset,
    );
    if (before !== null && before.base + before.count > offset) return stored(before);
    const sql = `${select} WHERE tp = ? AND base > ? ORDER BY base LIMIT 1`;
    const after = this.#first<BatchRow>(sql, tp, offset);
    if (before !== null || after === null) throw this.failed(damaged(of, offset));
    return stored(after);
  }

  /** First offset appended at or after `timestampMs`; null when there is none. */
  offsetAt(tp: number, timestampMs: number): number | null {
    const sql = 'SELECT min(base) AS base FROM batches WHERE tp = ? AND appended_ms >= ?';
    return this.#first<{ base: number | null }>(sql, tp, timestampMs)?.base ?? null;
  }

  firstOffset(tp: number): number {
    const sql = 'SELECT min(base) AS base FROM batches WHERE tp = ?';
    return this.#first<{ base: number | null }>(sql, tp)?.base ?? this.end(tp);
  }

  committed(group: string, tp: number): number | null {
    const known = this.#committed.get(group)?.get(tp);
    if (known !== undefined) return known;
    const sql = 'SELECT next FROM offsets WHERE grp = ? AND tp = ?';
    const next = this.#first<{ next: number }>(sql, group, tp)?.next ?? null;
    if (next !== null) this.#remember(group, tp, next);
    return next;
  }

  #remember(group: string, tp: number, next: number): void {
    const of = this.#committed.get(group);
    if (of === undefined) this.#committed.set(group, new Map([[tp, next]]));
    else of.set(tp, next);
  }

  /** Positions of all groups that ever joined for this partition. */
  positions(tp: number): number[] {
    return this.#all<{ next: number }>('SELECT next FROM offsets WHERE tp = ?', tp).map(({ next }) => next);
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

  state(owner: string, tp: number): (readonly [string, Uint8Array])[] {
    const sql = 'SELECT key, value FROM state WHERE owner = ? AND tp = ? ORDER BY key';
    const rows = this.#all<{ key: string; value: Uint8Array }>(sql, owner, tp);
    return rows.map(({ key, value }) => [key, value] as const);
  }

  owners(): string[] {
    return this.#all<{ grp: string }>('SELECT DISTINCT grp FROM offsets').map(({ grp }) => grp);
  }

  /**
   * Deletes the oldest batches that end before `offset` and are older than `beforeMs`, up to the first that
   * is not; returns the records removed.
   */
  drop(tp: number, beforeMs: number, offset: number): number {
    const first = this.firstOffset(tp);
    const kept = this.#first<{ base: number | null }>(
      'SELECT min(base) AS base FROM batches WHERE tp = ? AND (appended_ms >= ? OR base + count > ?)',
      tp,
      beforeMs,
      offset,
    );
    const from = kept?.base ?? this.end(tp);
    this.#db.query('DELETE FROM batches WHERE tp = ? AND base < ?').run(tp, from);
    return from - first;
  }

  close(): void {
    try {
      this.#db.run('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // What the WAL holds is durable there, and the next one to open the file takes it over.
    }
    this.#db.close();
    this.#lock.close();
  }

  #first<Row>(sql: string, ...values: Value[]): Row | null {
    try {
      return this.#db.query<Row, Value[]>(sql).get(...values);
    } catch (error) {
      throw this.failed(error);
    }
  }

  #all<Row>(sql: string, ...values: Value[]): Row[] {
    try {
      return this.#db.query<Row, Value[]>(sql).all(...values);
    } catch (error) {
      throw this.failed(error);
    }
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
