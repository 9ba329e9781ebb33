// The cache on Redis: the owner of ioredis. Redis may be down, slow, flushed or full at any moment: a failure
// is a miss, counted and never thrown, and the answer comes from ClickHouse. All processes share it: who
// writes rows removes the answers that they touch, and `changes:<kind>` keeps out an answer whose rows were
// read before that. It holds a word of chance that ends with each change; so it works in a full Redis too.
// `changes:all` holds one that only ends when everything does: so a flush is noticed.

import { Redis } from 'ioredis';
import { type Cache, type CacheStats, VALUE_CHARS_MAX } from './sink.ts';

export const COMMAND_MS_MAX = 250;
const SCAN_COUNT = 500;
const SCANNED_MAX = 1_000_000;
const SCANNED_FOR_ROOM_MAX = 5_000;
/** Keys of ours; others may live in the same database. */
const KINDS = ['ohlc', 'metrics', 'curves'];
const MARK_SECONDS = 86_400;
const SET_IF_MARKED = `if redis.call('GET', KEYS[2]) == ARGV[1] then
  return redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return false`;

interface Counters {
  hits: number;
  misses: number;
  failures: number;
  operations: number;
  millis: number;
  inFlight: number;
}

function connect(url: string, commandMsMax: number): Redis {
  return new Redis(url, {
    lazyConnect: true,
    commandTimeout: commandMsMax,
    connectTimeout: 2_000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (attempt) => Math.min(5_000, 100 * 2 ** Math.min(attempt, 6)),
  });
}

/** Work on Redis that counts, and never throws. */
function counted(counters: Counters, failed: (why: string) => void): Attempt {
  return async (fallback, work) => {
    const from = performance.now();
    counters.operations += 1;
    counters.inFlight += 1;
    try {
      return await work();
    } catch (error) {
      counters.failures += 1;
      failed(error instanceof Error ? error.message : String(error));
      return fallback;
    } finally {
      counters.inFlight -= 1;
      counters.millis += performance.now() - from;
    }
  };
}

/** `commandMsMax`: a command that takes longer is a miss. */
export function redisCache(url: string, entriesMax: number, commandMsMax = COMMAND_MS_MAX): Cache {
  const client = connect(url, commandMsMax);
  let cause: string | null = 'not connected yet';
  client.on('error', (error: Error) => {
    cause = error.message;
  });
  client.on('ready', () => {
    cause = null;
  });
  client.connect().catch(() => {});
  const counters: Counters = { hits: 0, misses: 0, failures: 0, operations: 0, millis: 0, inFlight: 0 };
  const attempt = counted(counters, (why) => {
    cause = why;
  });
  const flushes = flushWatch(client, attempt);
  const removeMatching = (pattern: string): Promise<number> =>
    attempt(0, () => scanAndRemove(client, pattern));
  return {
    kind: 'redis',
    get pool() {
      // Commands share one connection.
      return { size: 1, inUse: Math.min(1, counters.inFlight) };
    },
    get flushes() {
      return flushes.seen;
    },
    async get(key) {
      const found = await attempt<string | null>(null, () => client.get(key));
      if (found === null) counters.misses += 1;
      else counters.hits += 1;
      return found;
    },
    ...keeping(client, attempt, entriesMax, flushes),
    remove: (keys) => (keys.length === 0 ? Promise.resolve(0) : attempt(0, () => client.unlink([...keys]))),
    removeMatching,
    async clear() {
      let removed = 0;
      for (const kind of KINDS) removed += await removeMatching(`${kind}:*`);
      flushes.forget();
      await attempt(0, () => client.unlink([...KINDS, 'all'].map(markKey)));
      return removed;
    },
    async stats(): Promise<CacheStats> {
      const entries = await attempt(-1, () => client.dbsize());
      return {
        available: entries >= 0,
        entries: Math.max(0, entries),
        entriesMax,
        hits: counters.hits,
        misses: counters.misses,
        operations: counters.operations,
        failures: counters.failures,
        latencyMsAverage: counters.operations === 0 ? 0 : counters.millis / counters.operations,
      };
    },
    async health() {
      const answer = await attempt<string | null>(null, () => client.ping());
      return answer === 'PONG' ? null : `Redis cannot be reached: ${cause ?? 'no answer'}`;
    },
    async close() {
      client.disconnect();
    },
  };
}

type Attempt = <T>(fallback: T, work: () => Promise<T>) => Promise<T>;

interface FlushWatch {
  seen: number;
  /** What is gone from now on was taken away by us. */
  forget(): void;
  look(): Promise<void>;
}

/** A key without an end that is gone, or is of somebody who found it gone, tells of a flush meanwhile. */
function flushWatch(client: Redis, attempt: Attempt): FlushWatch {
  let known: string | null = null;
  const watch: FlushWatch = {
    seen: 0,
    forget() {
      known = null;
    },
    look: () =>
      attempt(undefined, async () => {
        const fresh = crypto.randomUUID();
        const found = (await client.set(markKey('all'), fresh, 'NX', 'GET')) ?? fresh;
        if (known !== null && found !== known) watch.seen += 1;
        known = found;
      }),
  };
  return watch;
}

/** What is kept, and how a change ends it. */
function keeping(
  client: Redis,
  attempt: Attempt,
  entriesMax: number,
  flushes: FlushWatch,
): Pick<Cache, 'set' | 'mark' | 'invalidate'> {
  return {
    async set(key, value, ttlSeconds, mark) {
      if (value.length > VALUE_CHARS_MAX || ttlSeconds <= 0) return;
      const seconds = Math.ceil(ttlSeconds);
      await attempt<unknown>(null, async () => {
        await makeRoom(client, entriesMax);
        if (mark === undefined) return client.set(key, value, 'EX', seconds);
        return client.eval(SET_IF_MARKED, 2, key, markKey(mark.kind), mark.at, value, seconds);
      });
    },
    async mark(kind) {
      const key = markKey(kind);
      const marked = attempt<string | null>(null, async () => {
        await client.set(key, crypto.randomUUID(), 'EX', MARK_SECONDS, 'NX');
        return client.get(key);
      });
      const [at] = await Promise.all([marked, flushes.look()]);
      return at === null ? null : { kind, at };
    },
    invalidate: (kind, touches) =>
      attempt<number | null>(null, async () => {
        await client.unlink(markKey(kind));
        return scanAndRemove(client, `${kind}:*`, touches);
      }),
  };
}

/** Makes room for one more: removes keys of ours as SCAN happens to find them; none when all are others'. */
async function makeRoom(client: Redis, entriesMax: number): Promise<void> {
  const excess = (await client.dbsize()) + 1 - entriesMax;
  if (excess <= 0) return;
  let cursor = '0';
  let removed = 0;
  let scanned = 0;
  do {
    const [next, keys] = await client.scan(cursor, 'COUNT', SCAN_COUNT);
    cursor = next;
    scanned += SCAN_COUNT;
    const ours = keys.filter((key) => KINDS.some((kind) => key.startsWith(`${kind}:`)));
    const some = ours.slice(0, excess - removed);
    if (some.length > 0) removed += await client.unlink(some);
  } while (cursor !== '0' && removed < excess && scanned < SCANNED_FOR_ROOM_MAX);
}

function markKey(kind: string): string {
  return `changes:${kind}`;
}

/** Only `*` and `?` are special in our patterns; Redis knows more. */
function redisPattern(glob: string): string {
  return glob.replaceAll(/[[\]\\^]/g, '\\$&');
}

async function scanAndRemove(client: Redis, glob: string, isMeant = (_: string) => true): Promise<number> {
  const pattern = redisPattern(glob);
  let cursor = '0';
  let removed = 0;
  let scanned = 0;
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    cursor = next;
    scanned += SCAN_COUNT;
    const keys = found.filter(isMeant);
    if (keys.length > 0) removed += await client.unlink(keys);
  } while (cursor !== '0' && scanned < SCANNED_MAX);
  return removed;
}
