// What stands on the topics at the end of a run, as the checkers read it: plain records in order of offset,
// calendars and barriers left out. Nothing of the product decodes it for them.

import { rawTopic } from '../../runtime/services.ts';
import type { Row } from './simulated-clickhouse.ts';
import type { Simulation } from './simulation.ts';

export const MARKETS = ['CAISO', 'MISO'] as const;
const decoder = new TextDecoder();

/** A record on a topic; its texts are made when they are asked for. */
export class Found {
  constructor(
    readonly key: string,
    readonly value: Uint8Array,
    readonly topic: string,
    readonly partition: number,
    readonly offset: number,
  ) {}

  get place(): string {
    return `${this.topic}/${this.partition}/${this.offset}`;
  }

  get text(): string {
    return decoder.decode(this.value);
  }
}

/** Records of a topic, calendar messages left out. */
export function* stored({ store }: Simulation, topic: string): Iterable<Found> {
  for (let partition = 0; partition < store.spec(topic).partitions; partition += 1) {
    for (const [offset, entry] of store.entries({ topic, partition }).entries()) {
      if (entry === null || entry.key.startsWith('~')) continue;
      yield new Found(entry.key, entry.value, topic, partition, offset);
    }
  }
}

/** By run and topic: several laws read the same rows of a run that is over. */
const known = new WeakMap<Simulation, Map<string, readonly Row[]>>();

export function rowsOn(run: Simulation, topic: string): readonly Row[] {
  const of = known.get(run) ?? new Map<string, readonly Row[]>();
  known.set(run, of);
  const found = of.get(topic) ?? Array.from(stored(run, topic), ({ text }): Row => JSON.parse(text));
  of.set(topic, found);
  return found;
}

/** What connectors appended, of all markets; what others put there may be no JSON. */
export function rawRows(run: Simulation): readonly Row[] {
  return MARKETS.flatMap((market) =>
    [...stored(run, rawTopic(market))]
      .filter(({ key }) => !key.startsWith('poison-'))
      .map(({ text }): Row => JSON.parse(text)),
  );
}

/** A sentence when they differ. */
export function same(what: string, found: unknown, wanted: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  return is === should ? [] : [`${what}: is ${is}, should be ${should}`];
}
