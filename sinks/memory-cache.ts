// The embedded cache: bounded, in this process. The oldest entry makes room for the newest; expiry is by the
// clock that is passed in.

import { type Cache, type CacheStats, VALUE_CHARS_MAX } from './sink.ts';

interface Entry {
  readonly value: string;
  readonly expiresMs: number;
}

/** `*` and `?` as a shell has them; everything else stands for itself. */
export function globPattern(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
}

export function memoryCache(entriesMax: number, nowMs: () => number): Cache {
  const entries = new Map<string, Entry>();
  const ends = new Map<string, number>();
  const endsOf = (kind: string): string => String(ends.get(kind) ?? 0);
  let hits = 0;
  let misses = 0;
  const live = (key: string): Entry | null => {
    const found = entries.get(key);
    if (found === undefined) return null;
    if (found.expiresMs > nowMs()) return found;
    entries.delete(key);
    return null;
  };
  return {
    kind: 'memory',
    pool: null,
    flushes: 0,
    async get(key) {
      const found = live(key);
      if (found === null) misses += 1;
      else hits += 1;
      return found?.value ?? null;
    },
    async set(key, value, ttlSeconds, mark) {
      if (value.length > VALUE_CHARS_MAX || ttlSeconds <= 0) return;
      if (mark !== undefined && mark.at !== endsOf(mark.kind)) return;
      entries.delete(key);
      for (const oldest of entries.keys()) {
        if (entries.size < entriesMax) break;
        entries.delete(oldest);
      }
      entries.set(key, { value, expiresMs: nowMs() + ttlSeconds * 1_000 });
    },
    mark: async (kind) => ({ kind, at: endsOf(kind) }),
    async invalidate(kind, touches) {
      ends.set(kind, (ends.get(kind) ?? 0) + 1);
      const found = [...entries.keys()].filter((key) => key.startsWith(`${kind}:`) && touches(key));
      for (const key of found) entries.delete(key);
      return found.length;
    },
    async remove(keys) {
      return keys.filter((key) => live(key) !== null && entries.delete(key)).length;
    },
    async removeMatching(pattern) {
      const matches = globPattern(pattern);
      const found = [...entries.keys()].filter((key) => matches.test(key));
      for (const key of found) entries.delete(key);
      return found.length;
    },
    async clear() {
      const { size } = entries;
      entries.clear();
      return size;
    },
    async stats(): Promise<CacheStats> {
      return {
        available: true,
        entries: entries.size,
        entriesMax,
        hits,
        misses,
        operations: hits + misses,
        failures: 0,
        latencyMsAverage: 0,
      };
    },
    health: async () => null,
    close: async () => entries.clear(),
  };
}
