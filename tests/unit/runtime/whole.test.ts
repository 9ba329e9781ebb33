// Several places seen as one: what they hold is added up, who does not answer is named, and a place that is
// asked over HTTP says what it says itself.

import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApp } from '../../../runtime/http/app.ts';
import { type ActorsOf, inspectionRoutes } from '../../../runtime/http/inspection-routes.ts';
import { peerPlace } from '../../../runtime/http/peer-place.ts';
import { openLoggers } from '../../../runtime/logging.ts';
import type { ActorsPlace, Stale, TreeNode } from '../../../runtime/views.ts';
import { wholeOf } from '../../../runtime/whole.ts';

function node(path: string, kind: TreeNode['kind'], nodes: TreeNode[], instruments?: number): TreeNode {
  const count = instruments === undefined ? {} : { instruments, quarantined: 0 };
  return { path, kind, state: 'running', children: nodes.length, budget_left: 5, ...count, nodes };
}

/** A place where these instruments of CAISO live. */
function place(names: readonly string[], quarantined: readonly string[] = []): ActorsPlace {
  const ids = names.map((name) => `CAISO:DAM:${name}`).sort();
  const shard = { ...node('markets/CAISO/00', 'shard', []), children: ids.length };
  const market = node('markets/CAISO', 'market', [shard], ids.length);
  const row = (id: string) => ({
    instrument_id: id,
    shard: shard.path,
    state: 'running',
    watermark: null,
    restarts: 0,
  });
  const found = (market: string, name: string) => ids.filter((id) => id === `${market}:${name}`);
  return {
    tree: async () => node('root', 'root', [node('markets', 'root', [market], ids.length)]),
    markets: async () => ['CAISO'],
    async market(name, limit, after) {
      if (name !== 'CAISO') return null;
      const rest = ids.filter((id) => id > (after ?? ''));
      const page = rest.slice(0, limit);
      return {
        market: name,
        instruments: ids.length,
        quarantined: quarantined.map((each) => `CAISO:DAM:${each}`),
        watermarks: { DAM: `2024-04-1${ids.length}T00:00:00Z` },
        lag: { 'enrichment-service': 7 },
        ticks_per_second: 2,
        rows: page.map(row),
        next: rest.length > limit ? (page.at(-1) ?? null) : null,
      };
    },
    instruments: async (market, name) => found(market, name).map((id) => ({ instrument_id: id, run: 'DAM' })),
    near: async () => ids.slice(0, 10),
    release: async (id) => {
      if (!ids.includes(id)) return 'unknown';
      return quarantined.some((name) => id.endsWith(`:${name}`)) ? 'released' : 'not_quarantined';
    },
  };
}

const silent: ActorsPlace = {
  tree: () => Promise.reject(new Error('gone')),
  markets: () => Promise.reject(new Error('gone')),
  market: () => Promise.reject(new Error('gone')),
  instruments: () => Promise.reject(new Error('gone')),
  near: () => Promise.reject(new Error('gone')),
  release: () => Promise.reject(new Error('gone')),
};

const whole = wholeOf(() => [
  { name: 'w1', actors: place(['B', 'D', 'F']) },
  { name: 'w2', actors: place(['A', 'C'], ['C']) },
]);

describe('several places', () => {
  test('are one tree, in which shards say where they are', async () => {
    const { of: tree, missing } = await whole.tree();
    expect(missing).toEqual([]);
    const [markets] = tree.nodes;
    expect(markets).toMatchObject({ path: 'markets', instruments: 5, children: 1 });
    const shards = markets?.nodes[0]?.nodes.map((shard) => [shard.path, shard.place, shard.children]);
    expect(shards).toEqual([
      ['markets/CAISO/00', 'w1', 3],
      ['markets/CAISO/00', 'w2', 2],
    ]);
  });

  test('are paged as one, each instrument once and in order', async () => {
    const seen: string[] = [];
    for (let after: string | null = null; ; ) {
      const { of: page } = await whole.market('CAISO', 2, after);
      expect(page).toMatchObject({ instruments: 5, ticks_per_second: 4, quarantined: ['CAISO:DAM:C'] });
      expect(page?.watermarks).toEqual({ DAM: '2024-04-13T00:00:00Z' });
      expect(page?.lag).toEqual({ 'enrichment-service': 7 });
      seen.push(...(page?.rows ?? []).map((row) => row.instrument_id));
      after = page?.next ?? null;
      if (after === null) break;
    }
    expect(seen).toEqual(['A', 'B', 'C', 'D', 'F'].map((name) => `CAISO:DAM:${name}`));
    expect((await whole.market('ERCOT', 2, null)).of).toBeNull();
  });

  test('are stale when one is, since the first was', async () => {
    const stale = (since: string, restored: number): Stale => ({
      since,
      groups: [{ group: 'aggregation-service', restored, partitions: 4 }],
      message: 'm',
    });
    const of = (id: string, staleness: Stale | null): ActorsPlace => {
      const here = place([id]);
      const more = staleness === null ? {} : { stale: staleness };
      return {
        ...here,
        tree: async () => ({ ...(await here.tree()), ...more }),
        instruments: async () => [{ instrument_id: 'CAISO:DAM:X', ...more }],
      };
    };
    const all = [of('A', null), of('B', stale('2026-01-02', 1)), of('C', stale('2026-01-01', 2))];
    const some = wholeOf(() => all.map((actors, n) => ({ name: `w${n}`, actors })));
    const groups = [{ group: 'aggregation-service', restored: 3, partitions: 8 }];
    const wanted: Stale = { since: '2026-01-01', groups, message: 'm' };
    expect((await some.tree()).of.stale).toEqual(wanted);
    expect((await some.instruments('CAISO', 'DAM:X')).of[0]?.stale).toEqual(wanted);
    expect('stale' in (await whole.tree()).of).toBe(false);
  });

  test('release where the instrument is', async () => {
    expect((await whole.release('CAISO:DAM:C')).of).toBe('released');
    expect((await whole.release('CAISO:DAM:B')).of).toBe('not_quarantined');
    expect((await whole.release('CAISO:DAM:X')).of).toBe('unknown');
  });

  test('of which one is silent give what the others have, and name it', async () => {
    const places = [
      { name: 'w1', actors: place(['B']) },
      { name: 'w2', actors: silent },
    ];
    const part = wholeOf(() => places);
    expect(await part.market('CAISO', 9, null)).toMatchObject({ of: { instruments: 1 }, missing: ['w2'] });
    expect(await part.instruments('CAISO', 'DAM:B')).toMatchObject({ missing: ['w2'] });
    expect((await part.tree()).missing).toEqual(['w2']);
  });
});

describe('a place asked over HTTP', () => {
  const scopes: string[] = [];
  const actors: ActorsOf = (scope) => {
    scopes.push(scope);
    return whole;
  };
  const dir = mkdtempSync(join(tmpdir(), 'carbon-whole-'));
  const loggers = openLoggers({ dir, level: 'error', stdout: () => {} });
  const app = newApp({ logger: loggers('test'), adminToken: 'secret', loopback: true });
  const none = { list: () => [], subscribe: () => () => {} };
  const deadLetters = { list: async () => ({ letters: [], next: null, total: 0 }) };
  inspectionRoutes(app, { actors, events: none, deadLetters });
  const server = Bun.serve({ port: 0, fetch: (request) => app.fetch(request) });
  const base = `http://127.0.0.1:${server.port}`;
  afterAll(async () => {
    await server.stop(true);
    rmSync(dir, { recursive: true, force: true });
  });

  test('says what it says itself, about its own process', async () => {
    const peer = peerPlace(base, null);
    expect(await peer.tree()).toEqual((await whole.tree()).of);
    expect(await peer.markets()).toEqual(['CAISO']);
    expect(await peer.market('CAISO', 2, 'CAISO:DAM:B')).toEqual(
      (await whole.market('CAISO', 2, 'CAISO:DAM:B')).of,
    );
    expect(await peer.market('ERCOT', 2, null)).toBeNull();
    expect(await peer.instruments('CAISO', 'DAM:B')).toEqual((await whole.instruments('CAISO', 'DAM:B')).of);
    expect(await peer.instruments('CAISO', 'DAM:X')).toEqual([]);
    expect(await peer.near('CAISO', 'DAM:X')).toEqual((await whole.near('CAISO', 'DAM:X')).of);
    expect(new Set(scopes)).toEqual(new Set(['process']));
  });

  test('changes something for who has the token alone', async () => {
    await expect(peerPlace(base, null).release('CAISO:DAM:C')).rejects.toThrow('401');
    const allowed = peerPlace(base, 'Bearer secret');
    expect(await allowed.release('CAISO:DAM:C')).toBe('released');
    expect(await allowed.release('CAISO:DAM:B')).toBe('not_quarantined');
    expect(await allowed.release('CAISO:DAM:X')).toBe('unknown');
  });
});
