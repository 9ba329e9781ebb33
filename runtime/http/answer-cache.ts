// Cached answers of queries. An entry carries the stamp of what was asked about: which process wrote it, and
// how often rows of that market, run and location (as far as the question named them) had changed. Another
// stamp is a miss, so an answer is never older than its rows, and new rows of one instrument make no other's
// answer a miss.

import { queryKey, scopeName, scopesOf } from '../../sinks/cache-keys.ts';
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
const SCOPES_MAX = 200_000;

export type Removal = 'pattern' | 'market' | 'location' | 'refresh' | 'clear';

/** How often the rows of each scope changed. Bounded: when there are too many, every stamp changes. */
class Changes {
  readonly #counts = new Map<string, number>();
  #round = 0;

  add(instruments: Iterable<string>): void {
    const scopes = new Set<string>();
    for (const each of instruments) for (const scope of scopesOf(each)) scopes.add(scope);
    if (this.#counts.size + scopes.size > SCOPES_MAX) {
      this.#counts.clear();
      this.#round += 1;
    }
    for (const scope of scopes) this.#counts.set(scope, (this.#counts.get(scope) ?? 0) + 1);
  }

  of(scope: string): string {
    return `${this.#round}/${this.#counts.get(scope) ?? 0}`;
  }
}

export class AnswerCache {
  readonly #cache: Cache;
  readonly #classes: Readonly<Record<QueryKind, CacheClass>>;
  readonly #changes = { ohlc: new Changes(), metrics: new Changes(), curves: new Changes() };
  readonly #removed = { update: 0, pattern: 0, market: 0, location: 0, refresh: 0, clear: 0 };
  readonly #missed = new Map<string, number>();
  #hits = 0;
  #misses = 0;

  /** `bootId` differs between processes that share a cache. */
  constructor(
    cache: Cache,
    classes: Readonly<Record<QueryKind, CacheClass>>,
    readonly bootId: string,
  ) {
    this.#cache = cache;
    this.#classes = classes;
  }

  /** Rows of a topic were written; `keys` are their instruments. */
  wrote(topic: string, keys: () => Iterable<string>): void {
    const kind = KIND_OF_TOPIC.get(topic);
    if (kind !== undefined) this.changed(kind, keys());
  }

  /** Rows of these instruments were written. */
  changed(kind: QueryKind, instruments: Iterable<string>): void {
    this.#changes[kind].add(instruments);
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
    const stamp = `${this.bootId}/${this.#changes[kind].of(scopeName(query))}`;
    const found = await this.#cache.get(key);
    const page = found === null ? null : this.#unpack(found, stamp);
    if (page !== null) {
      this.#hits += 1;
      return { page, cached: true };
    }
    this.#misses += 1;
    this.#countMiss(key.replace(/:\d{4}-\d\d-\d\d(\.\.[^:]*)?:/, ':<days>:'));
    const fresh = await read();
    await this.#cache.set(key, `${stamp}\n${JSON.stringify(fresh)}`, ttlSeconds);
    return { page: fresh, cached: false };
  }

  /** Null for an answer that rows have overtaken, and for what no process of ours wrote. */
  #unpack(found: string, stamp: string): GoldPage | null {
    const end = found.indexOf('\n');
    if (found.slice(0, end) !== stamp) {
      this.#removed.update += 1;
      return null;
    }
    try {
      return JSON.parse(found.slice(end + 1));
    } catch {
      return null;
    }
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
