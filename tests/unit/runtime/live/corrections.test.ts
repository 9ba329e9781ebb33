// A connector that is switched off looks for no notice, and at once when it is switched on.

import { expect, test } from 'bun:test';
import { findFeed, markets, notices, sources } from '../../../../actors/feeds/markets.ts';
import { Corrections, type CorrectionsParts } from '../../../../runtime/live/corrections.ts';
import { FetchFault } from '../../../../runtime/live/fetch.ts';
import { plan } from '../../../simulation/live-plan.ts';

test('switched off it sets no clock, switched on it asks at once', async () => {
  const [list] = notices;
  if (list === undefined) throw new Error('no notices');
  const found = { wakes: 0, asked: 0, enabled: false };
  const nowMs = () => Date.UTC(2026, 10, 10, 20);
  const after = () => {
    found.wakes += 1;
    return () => {};
  };
  const intake = {
    clock: { nowMs, after },
    draw: () => 0,
    log: { writerState: async () => new Map() },
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
    plan: { name: 'corrections', notices: list, daysBack: 5 },
    enabled: () => found.enabled,
    apply: async () => {},
  } satisfies CorrectionsParts);
  corrections.wake();
  await corrections.start();
  expect(found).toEqual({ wakes: 0, asked: 0, enabled: false });
  found.enabled = true;
  corrections.wake();
  expect(corrections.state.phase).toBe('asking');
  while (corrections.state.phase === 'asking') await Promise.resolve();
  // Yesterday is not due yet.
  expect(found).toEqual({ wakes: 1, asked: 4, enabled: true });
});
