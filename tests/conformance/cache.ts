// What every cache must do, whichever stands behind the port: time to live, bounds, removal by key and by
// pattern. What it loses is a miss; what it gives is what was put.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Cache } from '../../sinks/sink.ts';
import { until } from '../support/until.ts';

export interface CacheHarness {
  readonly name: string;
  readonly skip: boolean;
  open(entriesMax: number): Promise<Cache>;
  /** Moves the clock on where the cache has one of ours; a real one runs by itself. */
  later(seconds: number): void;
}

export const ENTRIES_MAX = 50;

export function cacheConformance(harness: CacheHarness): void {
  describe.skipIf(harness.skip)(`cache: ${harness.name}`, () => {
    let cache: Cache;
    beforeAll(async () => {
      cache = await harness.open(ENTRIES_MAX);
    });
    afterAll(() => cache.close());
    const fill = async (...keys: string[]) => {
      await cache.clear();
      for (const key of keys) await cache.set(key, `of ${key}`, 60);
    };
    const held = async (...keys: string[]) => {
      const found = await Promise.all(
        keys.map(async (key) => ((await cache.get(key)) === null ? [] : [key])),
      );
      return found.flat();
    };
    describe('entries', () => entryTests(harness, () => cache, fill, held));
    describe('removal', () => removalTests(() => cache, fill, held));
    describe('bounds', () => boundTests(() => cache, held));
  });
}

type Fill = (...keys: string[]) => Promise<void>;
type Held = (...keys: string[]) => Promise<string[]>;

function entryTests(harness: CacheHarness, cache: () => Cache, fill: Fill, held: Held): void {
  test('come back as they were put, the last one of a key, and a miss is null', async () => {
    await fill('ohlc:a');
    const value = '{"price":-0.5,"name":"東京 🜁 \\u0000","rows":[1,2]}\n';
    await cache().set('ohlc:a', value, 60);
    await cache().set('ohlc:empty', '', 60);
    expect(await cache().get('ohlc:a')).toBe(value);
    expect(await cache().get('ohlc:empty')).toBe('');
    expect(await cache().get('ohlc:b')).toBeNull();
  });

  test('end with their time to live, and not before', async () => {
    await fill();
    await cache().set('ohlc:short', 's', 1);
    await cache().set('ohlc:long', 'l', 100);
    expect(await held('ohlc:short', 'ohlc:long')).toEqual(['ohlc:short', 'ohlc:long']);
    harness.later(1);
    await until('the end of the entry', async () => (await cache().get('ohlc:short')) === null);
    expect(await cache().get('ohlc:long')).toBe('l');
  });

  test('put again live anew; without a time to live they are not kept', async () => {
    await fill();
    await cache().set('ohlc:a', '1', 1);
    await cache().set('ohlc:a', '2', 100);
    await cache().set('ohlc:none', '1', 0);
    harness.later(1);
    expect(await cache().get('ohlc:a')).toBe('2');
    expect(await cache().get('ohlc:none')).toBeNull();
  });

  test('are counted: hits, misses, entries', async () => {
    await fill('ohlc:a', 'ohlc:b');
    const before = await cache().stats();
    await held('ohlc:a', 'ohlc:b', 'ohlc:c');
    const after = await cache().stats();
    expect(after).toMatchObject({ available: true, entries: 2, entriesMax: ENTRIES_MAX });
    expect([after.hits - before.hits, after.misses - before.misses]).toEqual([2, 1]);
    expect(after.operations).toBeGreaterThan(before.operations);
    expect(await cache().health()).toBeNull();
  });
}

function removalTests(cache: () => Cache, fill: Fill, held: Held): void {
  test('of keys takes those and no other, and says how many were there', async () => {
    await fill('ohlc:a', 'ohlc:b', 'ohlc:c');
    expect(await cache().remove(['ohlc:a', 'ohlc:c', 'ohlc:missing'])).toBe(2);
    expect(await cache().remove([])).toBe(0);
    expect(await held('ohlc:a', 'ohlc:b', 'ohlc:c')).toEqual(['ohlc:b']);
  });

  const keys = [
    ...['ohlc:CAISO:DAM:A', 'ohlc:CAISO:RTM:AB', 'ohlc:MISO:RT:A', 'metrics:CAISO:DAM:A'],
    ...['ohlc:X:[ab]', 'ohlc:X:a', 'ohlc:X:^', 'ohlc:X:back\\slash', 'ohlc:X:(a|b)+$'],
  ];
  const patterns: readonly (readonly [string, readonly string[]])[] = [
    ['ohlc:CAISO:*', ['ohlc:CAISO:DAM:A', 'ohlc:CAISO:RTM:AB']],
    ['*:A', ['ohlc:CAISO:DAM:A', 'ohlc:MISO:RT:A', 'metrics:CAISO:DAM:A']],
    ['*:?B', ['ohlc:CAISO:RTM:AB']],
    ['ohlc:X:[ab]', ['ohlc:X:[ab]']],
    ['ohlc:X:^', ['ohlc:X:^']],
    ['ohlc:X:back\\slash', ['ohlc:X:back\\slash']],
    ['ohlc:X:(a|b)+$', ['ohlc:X:(a|b)+$']],
    ['ohlc', []],
    ['*', keys],
  ];
  for (const [pattern, removed] of patterns) {
    test(`by '${pattern}' takes what it matches as a whole; only * and ? are special`, async () => {
      await fill(...keys);
      expect(await cache().removeMatching(pattern)).toBe(removed.length);
      expect(await held(...keys)).toEqual(keys.filter((key) => !removed.includes(key)));
    });
  }

  test('by a change takes the keys of its kind that it touches, and ends the marks of the kind', async () => {
    await fill('ohlc:a', 'ohlc:b', 'metrics:a');
    const [mark, other] = [await cache().mark('ohlc'), await cache().mark('metrics')];
    if (mark === null || other === null) throw new Error('no mark');
    await cache().set('ohlc:c', 'c', 60, mark);
    expect(await cache().invalidate('ohlc', (key) => key !== 'ohlc:b')).toBe(2);
    expect(await held('ohlc:a', 'ohlc:b', 'ohlc:c', 'metrics:a')).toEqual(['ohlc:b', 'metrics:a']);
    await cache().set('ohlc:late', 'read before the change', 60, mark);
    await cache().set('metrics:b', 'of another kind', 60, other);
    const fresh = await cache().mark('ohlc');
    if (fresh === null) throw new Error('no mark');
    expect(fresh.at).not.toBe(mark.at);
    await cache().set('ohlc:new', 'read after it', 60, fresh);
    expect(await held('ohlc:late', 'metrics:b', 'ohlc:new')).toEqual(['metrics:b', 'ohlc:new']);
  });

  test('of everything leaves nothing', async () => {
    await fill('ohlc:a', 'metrics:b', 'curves:c');
    expect(await cache().clear()).toBe(3);
    expect((await cache().stats()).entries).toBe(0);
    expect(await cache().clear()).toBe(0);
  });
}

function boundTests(cache: () => Cache, held: Held): void {
  test('hold: the number of entries stays below, and the newest is there', async () => {
    await cache().clear();
    for (let n = 0; n < ENTRIES_MAX * 4; n += 1) {
      await cache().set(`ohlc:${n}`, 'x', 60);
      expect(await held(`ohlc:${n}`)).toEqual([`ohlc:${n}`]);
      expect((await cache().stats()).entries).toBeLessThanOrEqual(ENTRIES_MAX);
    }
    expect((await cache().stats()).entries).toBeGreaterThan(ENTRIES_MAX / 4);
  });

  test('a value over the bound is not kept, and is no error', async () => {
    await cache().set('ohlc:large', 'x'.repeat(4_000_001), 60);
    expect(await cache().get('ohlc:large')).toBeNull();
  });
}
