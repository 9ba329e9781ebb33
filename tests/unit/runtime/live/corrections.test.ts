// A connector that is switched off looks for no notice, and at once when it is switched on; each request is a
// run of its history.

import { expect, test } from 'bun:test';
import { findFeed, markets, notices, sources } from '../../../../actors/feeds/markets.ts';
import { Corrections, type CorrectionsParts } from '../../../../runtime/live/corrections.ts';
import { FetchFault } from '../../../../runtime/live/fetch-fault.ts';
import { plan } from '../../../simulation/live-plan.ts';

test('switched off it sets no clock, switched on it asks at once, until the circuit opens', async () => {
  const [list] = notices;
  if (list === undefined) throw new Error('no notices');
  const keys: string[] = [];
  const counted: string[] = [];
  const found = { wakes: 0, asked: 0, enabled: false };
  const nowMs = () => Date.UTC(2026, 10, 10, 20);
  const after = () => {
    found.wakes += 1;
    return () => {};
  };
  const intake = {
    clock: { nowMs, after },
    draw: () => 0,
    log: {
      writerState: async () => new Map(),
      append: async (_: string, __: readonly unknown[], state: readonly { readonly key: string }[]) => {
        keys.push(...state.map(({ key }) => key));
      },
    },
    record: () => {},
  };
  const fetch = async () => {
    found.asked += 1;
    throw new FetchFault('no route', 'network');
  };
  const limiter = { turn: async () => {}, hold: () => {} };
  const registry = { markets, sources, notices, findFeed };
  const requests = { registry, fetch, limiter, nowMs, tenantId: 'default', secret: () => null };
  const corrections = new Corrections({
    intake,
    requests: { ...requests, requested: () => {}, found: () => {} },
    connector: plan('caiso', 'caiso.dam'),
    plan: { name: 'corrections', notices: list, daysBack: 9 },
    enabled: () => found.enabled,
    ran: ({ feed, outcome }) => counted.push(`${feed} ${outcome}`),
    apply: async () => {},
  } satisfies CorrectionsParts);
  corrections.wake();
  await corrections.start();
  expect(found).toEqual({ wakes: 0, asked: 0, enabled: false });
  found.enabled = true;
  corrections.wake();
  expect(corrections.state.phase).toBe('asking');
  while (corrections.state.phase === 'asking') await Promise.resolve();
  // The fifth failure opens the circuit; others wait.
  expect(found).toEqual({ wakes: 1, asked: 5, enabled: true });
  // Each is a run, on the log too.
  expect(keys).toEqual([0, 1, 2, 3, 4].map((n) => `run:caiso/corrections:${n}`));
  expect(corrections.runs.map(({ feed, outcome }) => [feed, outcome])).toEqual(
    Array.from({ length: 5 }, () => ['corrections', 'failed']),
  );
  expect(counted).toEqual(Array.from({ length: 5 }, () => 'corrections failed'));
  expect(corrections.breaker.openedMs).toBe(nowMs());
  corrections.wake();
  expect(corrections.state.phase).toBe('idle');
  corrections.fetchNow();
  expect([corrections.state.phase, corrections.breaker.openedMs]).toEqual(['asking', null]);
  while (corrections.state.phase === 'asking') await Promise.resolve();
  expect(found.asked).toBe(10);
});
