// Cached answers of queries. An entry carries the stamp of its table: which process wrote it, and how many
// inserts the table had seen. Another stamp is a miss, so an answer is never older than the rows.

import type { GoldPage, QueryKind } from '../../sinks/queries.ts';
import type { Cache, CacheStats } from '../../sinks/sink.ts';

export interface CacheClass {
  readonly enabled: boolean;
  readonly ttlSeconds: number;
}

const TOP_MISSES = 10;
const SHAPES_MAX = 500;

export class AnswerCache {
  readonly #cache: Cache;
  readonly #classes: Readonly<Record<QueryKind, CacheClass>>;
  readonly #inserts: Record<QueryKind, number> = { ohlc: 0, metrics: 0, curves: 0 };
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

  /** The table behind this kind has new rows. */
  inserted(kind: QueryKind): void {
    this.#inserts[kind] += 1;
  }

  async answer(
    kind: QueryKind,
    key: string,
    wanted: boolean,
    read: () => Promise<GoldPage>,
  ): Promise<{ readonly page: GoldPage; readonly cached: boolean }> {
    const { enabled, ttlSeconds } = this.#classes[kind];
    if (!wanted || !enabled) return { page: await read(), cached: false };
    const stamp = `${this.bootId}/${this.#inserts[kind]}`;
    const found = await this.#cache.get(key);
    if (found !== null) {
      const end = found.indexOf('\n');
      if (found.slice(0, end) === stamp) {
        this.#hits += 1;
        return { page: JSON.parse(found.slice(end + 1)), cached: true };
      }
    }
    this.#misses += 1;
    this.#countMiss(key.replace(/:\d{4}-\d\d-\d\d(\.\.\S*?)?:/, ':<days>:'));
    const page = await read();
    await this.#cache.set(key, `${stamp}\n${JSON.stringify(page)}`, ttlSeconds);
    return { page, cached: false };
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

  removeMatching(pattern: string): Promise<number> {
    return this.#cache.removeMatching(pattern);
  }

  clear(): Promise<number> {
    return this.#cache.clear();
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  #countMiss(shape: string): void {
    if (this.#missed.size >= SHAPES_MAX && !this.#missed.has(shape)) this.#missed.clear();
    this.#missed.set(shape, (this.#missed.get(shape) ?? 0) + 1);
  }
}
