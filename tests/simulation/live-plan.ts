// What short simulations of live connectors share: a connector of one feed and node at the operator's pace,
// and a CAISO whose prices are all out, with what was asked of it.

import { DAY_MS } from '../../actors/domain/time.ts';
import { caiso } from '../../actors/feeds/caiso.ts';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { topicSpecs } from '../../runtime/services.ts';
import { Oasis } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { PLAN } from './live-month.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

export const NODE = 'TH_SP15_GEN-APND';

export function plan(name: string, source: string): ConnectorPlan {
  const found = sources.find((each) => each.name === source);
  if (found === undefined) throw new Error(source);
  return {
    ...PLAN,
    name,
    market: caiso,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    feeds: [{ name: 'prices', source: found, nodes: [NODE], daysBack: 3 }],
  };
}

/** `asked`: the query of each request, in order. */
export function publishedMarket(name: string, startMs: number) {
  const world = new World(seedOf(name), startMs);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO'], 2, DAY_MS)) store.topics.set(spec.name, spec);
  const oasis = new Oasis({ versions: (_run, _node, at) => [{ outMs: 0, cents: at % 97 }] });
  const asked: URLSearchParams[] = [];
  const of = {
    world,
    store,
    dir: temporaryDirs('carbon-live')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => {
      asked.push(url.searchParams);
      return oasis.answer(url, nowMs);
    },
  };
  return { of, world, store, asked };
}
