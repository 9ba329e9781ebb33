// Cached answers of queries, shared by all who share the cache. Rows that change take the answers away that
// they touch, those of one market, run and location, and leave all others. Until the cache has done that the
// process that wrote them asks it nothing about them; an answer whose rows were read before a change is not
// kept. So an answer is never older than the rows of this process, and of others by a moment.

import { queryKey, scopeOfKey, scopesOf } from '../../sinks/cache-keys.ts';
import type { GoldPage, GoldQuery, QueryKind } from '../../sinks/queries.ts';
import type { Cache, CacheStats } from '../../sinks/sink.ts';
import { TOPIC } from '../services.ts';

export interface CacheClass {
  readonly enabled: boolean;
  readonly ttlSeconds: number;
}

const KIND_OF_TOPIC: ReadonlyMap<string, QueryKind> = new Map([
  [TOPIC.bars, 'ohlc'],
  [TOPIC.metrics, 'metrics'],
  [TOPIC.curves, 'curves'],
]);
const TOP_MISSES = 10;
const SHAPES_MAX = 500;
const OWED_MAX = 50_000;
const RETRY_MS = 1_000;

export type Removal = 'pattern' | 'market' | 'location' | 'refresh' | 'clear';

/** Changes of one kind that the cache has not heard of yet: scopes, and how often each has changed. */
class Owed {
  readonly #scopes = new Map<string, number>();
  /** Too many to name: all of the kind. */
  #all = 0;
  #changes = 0;

  add(instruments: Iterable<string>): void {
    this.#changes += 1;
    for (const each of instruments) {
      for (const scope of scopesOf(each)) this.#scopes.set(scope, this.#changes);
    }
    if (this.#scopes.size > OWED_MAX) {
      this.#scopes.clear();
      this.#all = this.#changes;
    }
  }

  get some(): boolean {
    return this.#all > 0 || this.#scopes.size > 0;
  }

  /** Grows with every change of any scope. */
  get changes(): number {
    return this.#changes;
  }

  has(scope: string): boolean {
    return this.#all > 0 || this.#scopes.has(scope);
  }

  /** The cache has heard of the changes up to this one. */
  paid(upTo: number): void {
    if (this.#all <= upTo) this.#all = 0;
    for (const [scope, change] of this.#scopes) if (change <= upTo) this.#scopes.delete(scope);
  }
}

export class AnswerCache {
  readonly #cache: Cache;
  readonly #classes: Readonly<Record<QueryKind, CacheClass>>;
  readonly #later: (ms: number, work: () => void) => void;
  readonly #owed = { ohlc: new Owed(), metrics: new Owed(), curves: new Owed() };
  readonly #paying = new Set<QueryKind>();
  readonly #removed = { update: 0, pattern: 0, market: 0, location: 0, refresh: 0, clear: 0 };
  readonly #missed = new Map<string, number>();
  #hits = 0;
  #misses = 0;

  /** `later` runs work after so many milliseconds: what the cache could not take is told it again. */
  constructor(
    cache: Cache,
    classes: Readonly<Record<QueryKind, CacheClass>>,
    later: (ms: number, work: () => void) => void,
  ) {
    this.#cache = cache;
    this.#classes = classes;
    this.#later = later;
  }

  /** Rows of a topic were written; `keys` are their instruments. */
  wrote(topic: string, keys: () => Iterable<string>): void {
    const kind = KIND_OF_TOPIC.get(topic);
    if (kind !== undefined) this.changed(kind, keys());
  }

  /** Rows of these instruments were written. */
  changed(kind: QueryKind, instruments: Iterable<string>): void {
    this.#owed[kind].add(instruments);
    void this.#pay(kind);
  }

  /** Tells the cache what it has not heard of yet, one telling at a time. */
  async #pay(kind: QueryKind): Promise<void> {
    if (this.#paying.has(kind)) return;
    this.#paying.add(kind);
    const owed = this.#owed[kind];
    let removed: number | null = 0;
    while (owed.some && removed !== null) {
      const upTo = owed.changes;
      removed = await this.#cache.invalidate(kind, (key) => owed.has(scopeOfKey(key)));
      this.#removed.update += removed ?? 0;
      if (removed !== null) owed.paid(upTo);
    }
    this.#paying.delete(kind);
    if (removed === null) this.#later(RETRY_MS, () => void this.#pay(kind));
  }

  async answer(
    query: GoldQuery,
    wanted: boolean,
    read: () => Promise<GoldPage>,
  ): Promise<{ readonly page: GoldPage; readonly cached: boolean }> {
    const { kind } = query;
    const { enabled, ttlSeconds } = this.#classes[kind];
    if (!wanted || !enabled) return { page: await read(), cached: false };
    const key = queryKey(query);
    const owed = this.#owed[kind];
    const scope = scopeOfKey(key);
    const found = owed.has(scope) ? null : await this.#cache.get(key);
    const page = found === null ? null : unpack(found);
    if (page !== null) {
      this.#hits += 1;
      return { page, cached: true };
    }
    this.#misses += 1;
    this.#countMiss(key.replace(/:\d{4}-\d\d-\d\d(\.\.[^:]*)?:/, ':<days>:'));
    if (owed.has(scope)) return { page: await read(), cached: false };
    const mark = await this.#cache.mark(kind);
    const fresh = await read();
    // A change meanwhile has ended the mark, or will before it is told.
    if (mark !== null && !owed.has(scope)) await this.#cache.set(key, pack(fresh), ttlSeconds, mark);
    return { page: fresh, cached: false };
  }

  /** Hits among lookups, 0–1; 1 before the first. */
  get ratio(): number {
    const lookups = this.#hits + this.#misses;
    return lookups === 0 ? 1 : this.#hits / lookups;
  }

  get lookups(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  topMisses(): readonly { readonly query: string; readonly misses: number }[] {
    const sorted = [...this.#missed].sort((a, b) => b[1] - a[1]);
    return sorted.slice(0, TOP_MISSES).map(([query, misses]) => ({ query, misses }));
  }

  get classes(): Readonly<Record<QueryKind, CacheClass>> {
    return this.#classes;
  }

  get kind(): Cache['kind'] {
    return this.#cache.kind;
  }

  stats(): Promise<CacheStats> {
    return this.#cache.stats();
  }

  get pool(): Cache['pool'] {
    return this.#cache.pool;
  }

  /** How often everything that was kept was found gone. */
  get flushes(): number {
    return this.#cache.flushes;
  }

  /** Null when the cache answers, else why not. */
  health(): Promise<string | null> {
    return this.#cache.health();
  }

  async removeMatching(reason: Removal, patterns: readonly string[]): Promise<number> {
    let removed = 0;
    for (const pattern of patterns) removed += await this.#cache.removeMatching(pattern);
    this.#removed[reason] += removed;
    return removed;
  }

  async clear(): Promise<number> {
    const removed = await this.#cache.clear();
    this.#removed.clear += removed;
    return removed;
  }

  /** Answers that went, by reason; `update`: rows had overtaken them. */
  get invalidations(): Readonly<Record<Removal | 'update', number>> {
    return this.#removed;
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  #countMiss(shape: string): void {
    if (this.#missed.size >= SHAPES_MAX && !this.#missed.has(shape)) this.#missed.clear();
    this.#missed.set(shape, (this.#missed.get(shape) ?? 0) + 1);
  }
}

/** Begins every answer that is kept: of another version, it is a miss. */
const FORM = 'answer/1\n';

function pack(page: GoldPage): string {
  return FORM + JSON.stringify(page);
}

/** Null for what no process of ours wrote. */
function unpack(found: string): GoldPage | null {
  if (!found.startsWith(FORM)) return null;
  try {
    return JSON.parse(found.slice(FORM.length));
  } catch {
    return null;
  }
}
