// Ticks that have left the log: what silver holds of an instrument without what the topic of ticks still
// holds. Enriched records are younger than their ticks, so what is not among these stands on the log.

import type { StageRecord } from '../actors/stage.ts';
import type { Log } from './log/log.ts';
import { TOPIC } from './services.ts';

export interface PastPorts {
  readonly log: Log;
  readonly silver: (instrument: string, fromUs: number, toUs: number) => Promise<readonly object[]>;
}

const READ_MAX = 10_000;
/** Before and after every market: 1970 and 2200, µs. */
const [FIRST_US, LAST_US] = [0, 7_258_118_400_000_000];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** In order of event time, as records of a stage; their offsets are before any other. */
export function goneTicks({ log, silver }: PastPorts) {
  return async (id: string): Promise<readonly StageRecord[]> => {
    const held = await heldVersions(log, id);
    const rows = await silver(id, FIRST_US, LAST_US);
    const gone = rows.filter((row) => !held.has(versionOf(row)));
    const at = (row: object): number => Number(Reflect.get(row, 'interval_start'));
    return gone
      .sort((a, b) => at(a) - at(b))
      .map((row) => ({ offset: -1, value: encoder.encode(JSON.stringify(row)) }));
  };
}

/** In any partition: a topic that grew has an instrument's ticks in more than one. */
async function heldVersions(log: Log, id: string): Promise<ReadonlySet<string>> {
  const found = (await log.topics()).find(({ name }) => name === TOPIC.ticks);
  const held = new Set<string>();
  for (let partition = 0; partition < (found?.partitions ?? 0); partition += 1) {
    const of = { topic: TOPIC.ticks, partition };
    for (let from = await log.offsetAt(of, 0); ; ) {
      const batch = await log.read(of, from, READ_MAX);
      if (batch === null) break;
      for (let index = 0; index < batch.count; index += 1) {
        if (batch.key(index) === id) held.add(versionOf(JSON.parse(decoder.decode(batch.value(index)))));
      }
      from = batch.nextOffset;
    }
  }
  return held;
}

function versionOf(tick: object): string {
  const of = (name: string): unknown => Reflect.get(tick, name) ?? '';
  return [of('interval_start'), of('trade_id'), of('publication'), of('version_hash')].join('|');
}
