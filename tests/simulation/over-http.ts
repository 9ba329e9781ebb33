// A simulated process whose way out is the product's own: TLS and HTTP to a stand-in on loopback. The clock
// is virtual and stands still while a request is on its way, so pauses of hours take no time and yet every
// byte came through a socket.

import { caiso } from '../../actors/feeds/caiso.ts';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import type { Run } from '../../actors/live/run.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Fetch, type Network, systemFetch } from '../../runtime/live/fetch.ts';
import type { ConnectorPlan } from '../../runtime/live/settings.ts';
import { topicSpecs } from '../../runtime/services.ts';
import type { Identity } from '../support/operators/certificates.ts';
import { type Asked, type Play, type StandIn, standIn } from '../support/operators/stand-in.ts';
import { PLAN } from './live-month.ts';
import { type LiveProcess, liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

export const NAME = 'oasis.example';
export const NODES = ['TH_NP15_GEN-APND', 'TH_SP15_GEN-APND'];
const DAY_MS = 86_400_000;
/** Of real time: more than an answer takes on a busy machine. */
const TIMEOUT_MS = 20_000;

export interface OverHttp extends AsyncDisposable {
  readonly world: World;
  readonly store: SimulatedStore;
  readonly server: StandIn;
  readonly process: LiveProcess;
  readonly runs: readonly Run[];
  /** Goes on until it is so, or fails. */
  until(what: string, look: () => boolean): Promise<void>;
}

export interface OverHttpWish {
  readonly seed: number;
  readonly startMs: number;
  readonly dir: string;
  readonly identity: Identity;
  readonly network: Network;
  /** `nowMs` is of the virtual clock. */
  readonly play: (asked: Asked, nowMs: number) => Play;
  readonly plan?: Partial<ConnectorPlan>;
  readonly secret?: (name: string) => string | null;
}

/** CAISO's day-ahead market of two hubs, today and yesterday, unless the plan says otherwise. */
export async function overHttp(wish: OverHttpWish): Promise<OverHttp> {
  const world = new World(wish.seed, wish.startMs);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO'], 2, DAY_MS)) store.topics.set(spec.name, spec);
  const server = await standIn(wish.identity, (asked) => wish.play(asked, world.clock.nowMs()));
  const under = { busy: 0 };
  const origin = `https://${NAME}:${server.port}`;
  const plan: ConnectorPlan = {
    ...PLAN,
    name: 'caiso',
    market: caiso,
    bases: { oasis: `${origin}/oasisapi`, exchange: `${origin}/pricing/v1` },
    origins: new Set([origin]),
    privateAddresses: true,
    timeoutMs: TIMEOUT_MS,
    bytesMax: 4_000_000,
    feeds: [{ name: 'dam', source: sourceOf('caiso.dam'), nodes: NODES, daysBack: 0 }],
    ...wish.plan,
  };
  const registry = { markets, sources, findFeed };
  const never = () => {
    throw new Error('nothing is asked but over HTTP');
  };
  const fetch = counted(systemFetch(systemClock, wish.network), under);
  const of = { world, store, dir: wish.dir, registry, answer: never, fetch };
  const process = await liveProcess({ ...of, ...(wish.secret ? { secret: wish.secret } : {}) }, [plan]);
  const [connector] = process.connectors.all;
  return {
    world,
    store,
    server,
    process,
    get runs() {
      return (connector?.feeds ?? []).flatMap((feed) => feed.runs);
    },
    async until(what, look) {
      for (let steps = 0; steps < 20_000; ) {
        if (under.busy > 0) await Bun.sleep(1);
        else if (look()) return;
        else {
          await world.step();
          steps += 1;
        }
      }
      throw new Error(`it never came to this: ${what}`);
    },
    async [Symbol.asyncDispose]() {
      process.vanish();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function sourceOf(name: string) {
  const found = sources.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** Keeps count of requests that have left and are not answered. */
function counted(fetch: Fetch, under: { busy: number }): Fetch {
  return async (wish, signal) => {
    let left = 0;
    const turn = async (host: string): Promise<void> => {
      under.busy -= left;
      left = 0;
      await wish.turn(host);
      left = 1;
      under.busy += 1;
    };
    try {
      return await fetch({ ...wish, turn }, signal);
    } finally {
      under.busy -= left;
    }
  };
}
