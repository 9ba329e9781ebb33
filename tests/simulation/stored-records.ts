// What stands on the topics at the end of a run, as the checkers read it: plain records in order of offset,
// calendars and barriers left out. Nothing of the product decodes it for them.

import type { Row } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';

export const MARKETS = ['CAISO', 'MISO'] as const;
const decoder = new TextDecoder();

/** A record on a topic; its text is made when it is asked for. */
export class Found {
  constructor(
    readonly key: string,
    readonly place: string,
    readonly value: Uint8Array,
  ) {}

  get text(): string {
    return decoder.decode(this.value);
  }
}

/** Records of a topic, calendar messages left out. */
export function* stored({ store }: Simulation, topic: string): Iterable<Found> {
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    for (const [offset, entry] of store.entries({ topic, partition }).entries()) {
      if (entry === null || entry.key.startsWith('~')) continue;
      yield new Found(entry.key, `${topic}/${partition}/${offset}`, entry.value);
    }
  }
}

export function rowsOn(run: Simulation, topic: string): Row[] {
  return Array.from(stored(run, topic), ({ text }): Row => JSON.parse(text));
}

/** A sentence when they differ. */
export function same(what: string, found: unknown, wanted: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  return is === should ? [] : [`${what}: is ${is}, should be ${should}`];
}
