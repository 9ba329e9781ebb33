// Inspection as a port answers it: the actors of this thread, of the workers beside it, and on Kafka of the
// other processes of the port's group.

import { hostname } from 'node:os';
import { systemClock } from './clock.ts';
import { deadLettersView } from './dead-letters.ts';
import type { EventLog } from './events.ts';
import type { ActorsOf } from './http/inspection-routes.ts';
import { peerPlace } from './http/peer-place.ts';
import { actorsPlace } from './inspection.ts';
import type { Launched } from './launch.ts';
import type { Log } from './log/log.ts';
import type { ActorsView } from './views.ts';
import { onePlace, wholeOf } from './whole.ts';

/** An address that others can use: the host's name where the ports listen on all of its addresses. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}

/** The actors of a service, this process's and those of its peers on Kafka. */
export function actorsOfService(log: Log, group: string, own: string | null, here: ActorsView): ActorsOf {
  return (scope, authorization) => {
    const peers = scope === 'process' ? [] : (log.peers?.(group) ?? []).filter((url) => url !== own);
    if (peers.length === 0) return here;
    return wholeOf(() => [
      { name: own, actors: onePlace(here) },
      ...peers.map((url) => ({ name: url, actors: peerPlace(url, authorization ?? null) })),
    ]);
  };
}

export function inspectionOf(launched: Launched, events: EventLog, partitions: number) {
  const { pipeline, database, cache, workers, log } = launched;
  const here = actorsPlace({
    platform: pipeline.platform,
    connectors: () => pipeline.sources,
    sinks: () => [
      { name: 'clickhouse', state: database.state },
      { name: `cache (${cache.kind})`, state: 'running' },
    ],
    rate: (market) => pipeline.meter.rate(market),
    tellsLag: true,
    nowMs: systemClock.nowMs,
  });
  const process = wholeOf(() => {
    const others = workers.places();
    return [{ name: others.length === 0 ? null : 'w1', actors: here }, ...others];
  });
  return {
    actors: process,
    events,
    deadLetters: deadLettersView(log, partitions),
  };
}
