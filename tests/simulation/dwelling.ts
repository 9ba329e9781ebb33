// Where instruments live when everything is read: what is stored of one stands in the partition that its
// records go to and in no other, and each of its stages is held by one actor alone, whatever was handed over
// on the way.

import { TOPIC } from '../../runtime/services.ts';
import type { Simulation } from './simulation.ts';

const HOMES = [
  ['enrichment-service', TOPIC.ticks],
  ['aggregation-service', TOPIC.enriched],
  ['data-quality-service', TOPIC.ticks],
] as const;

export function strayed(run: Simulation): string[] {
  return [...HOMES.flatMap(([group, topic]) => storedElsewhere(run, group, topic)), ...heldTwice(run)];
}

/** The instrument that a stored key speaks of; null: it belongs to the partition. */
function instrumentOf(key: string): string | null {
  const [, named] = /^(?:i|r:quarantine):(.+)$/s.exec(key) ?? [];
  return named?.split('\u0000')[0] ?? null;
}

function storedElsewhere({ store }: Simulation, group: string, topic: string): string[] {
  const problems = new Set<string>();
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    for (const key of store.state(`${group} ${topic}/${partition}`).keys()) {
      const id = instrumentOf(key);
      if (id === null) continue;
      const home = store.homeOf(topic, id);
      if (home !== partition)
        problems.add(`${group} stores of ${id} in ${topic}/${partition}, its records go to ${home}`);
    }
  }
  return [...problems];
}

function heldTwice({ members }: Simulation): string[] {
  const held = new Map<string, number>();
  for (const { alive, pipeline } of members) {
    if (!alive) continue;
    for (const { id, slots } of pipeline.platform.directory.all().values()) {
      for (const { stage } of slots.values()) {
        const what = `${stage} of ${id}`;
        held.set(what, (held.get(what) ?? 0) + 1);
      }
    }
  }
  return [...held].flatMap(([what, times]) => (times === 1 ? [] : [`${what} is held ${times} times`]));
}
