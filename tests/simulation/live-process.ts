// A process that follows markets live, over a simulated world: the product's own connectors, a stand-in
// for the operator behind the fetch port, a log that outlives the process. Its limiter is the real one,
// over files that all processes share.

import type { Reply } from '../../actors/feeds/source.ts';
import { branch } from '../../runtime/host.ts';
import type { Intake } from '../../runtime/intake.ts';
import { Connectors } from '../../runtime/live/connectors.ts';
import type { Fetch } from '../../runtime/live/fetch.ts';
import { FetchFault } from '../../runtime/live/fetch-fault.ts';
import { hostLimiter } from '../../runtime/live/host-limiter.ts';
import type { ConnectorPlan, Registry } from '../../runtime/live/settings.ts';
import type { SupervisorEvent } from '../../runtime/views.ts';
import type { Answer } from '../support/operators/oasis.ts';
import { type SeededHost, seededHost } from './seeded-host.ts';
import { CALM_LOG, SimulatedLog, type Waiter } from './simulated-log.ts';
import type { SimulatedStore } from './simulated-store.ts';
import type { World } from './world.ts';

export interface LiveWorld {
  readonly world: World;
  readonly store: SimulatedStore;
  /** Readers that wait for what is appended here; without: nobody reads meanwhile. */
  readonly waiters?: Set<Waiter>;
  /** Where the limiter's claims stand. */
  readonly dir: string;
  readonly registry: Registry;
  /** What the operator does with a request; an Error is a connection that failed. */
  readonly answer: (
    url: URL,
    nowMs: number,
    headers: Readonly<Record<string, string>>,
  ) => Answer | FetchFault;
  /** Instead of `answer`: a way out of the product's own. */
  readonly fetch?: Fetch;
  readonly secret?: (name: string) => string | null;
}

export interface LiveProcess {
  readonly connectors: Connectors;
  readonly events: Omit<SupervisorEvent, 'seq' | 'time'>[];
  /** The process is gone without a word. */
  vanish(): void;
}

const LATENCY_MS_MAX = 400;

export async function liveProcess(of: LiveWorld, plans: readonly ConnectorPlan[]): Promise<LiveProcess> {
  const { world, store, dir, registry } = of;
  const { clock, draw } = world;
  const host: SeededHost = seededHost(Math.floor(draw() * 2 ** 32));
  world.host(host);
  const log = new SimulatedLog({
    store,
    clock,
    draw,
    faults: () => CALM_LOG,
    waiters: of.waiters ?? new Set(),
    listening: world.listening,
  });
  const events: LiveProcess['events'] = [];
  const life = { alive: true };
  const intake: Intake = {
    host,
    clock: {
      nowMs: clock.nowMs,
      after: (delayMs, action) => clock.after(delayMs, () => life.alive && action()),
    },
    draw,
    log,
    record: (event) => events.push(event),
    parent: host.spawn({ ...branch, name: 'connectors', parent: null }),
    tenantId: 'default',
    room: async () => {},
    settled: async () => {},
    closeAt: (_market, _run, endUs) => endUs,
    extracted: () => {},
  };
  const connectors = new Connectors({
    intake,
    plans,
    self: { id: 'a', worker: 'a', host: 'sim', pid: 1, url: () => null },
    requested: () => {},
    ran: () => {},
    requests: {
      registry,
      fetch: of.fetch ?? fetchIn(of),
      limiter: hostLimiter(dir, intake.clock),
      nowMs: clock.nowMs,
      tenantId: 'default',
      secret: of.secret ?? (() => 'key'),
      found: () => {},
    },
  });
  const started = connectors.start();
  return {
    connectors: await kept(
      world,
      started.then(() => connectors),
    ),
    events,
    vanish() {
      life.alive = false;
      world.forget(host);
      log.vanish();
    },
  };
}

/** Runs the world until a promise is kept. */
export async function kept<T>(world: World, promise: Promise<T>): Promise<T> {
  const state: { value?: T } = {};
  void promise.then((value) => {
    state.value = value;
  });
  for (let n = 0; n < 100_000; n += 1) {
    if (state.value !== undefined) return state.value;
    await world.step();
  }
  throw new Error('the promise was never kept');
}

function fetchIn({ world, answer }: LiveWorld): Fetch {
  const { clock } = world;
  return async (wish, signal) => {
    const url = new URL(wish.url);
    await wish.turn(url.hostname);
    signal.throwIfAborted();
    const said = answer(url, clock.nowMs(), wish.headers);
    const millis = Math.floor(world.draw() * LATENCY_MS_MAX);
    await new Promise<void>((done) => clock.after(millis, done));
    if (said instanceof FetchFault) throw said;
    const { status, headers, body } = said;
    const reply: Reply = {
      status,
      contentType: headers['content-type'] ?? '',
      retryAfter: headers['retry-after'] ?? null,
      bytes: body,
    };
    return { reply, millis };
  };
}
