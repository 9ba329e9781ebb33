// The topics themselves, read to their end through the log's port, and what must hold in them whatever
// happened on the way: each tick and each revision of a bar exactly once, and an instrument's order kept from
// topic to topic. Written over plain records, for any log.

import { markets } from '../../actors/feeds/markets.ts';
import type { Log } from '../../runtime/log/log.ts';
import { rawTopic, TOPIC } from '../../runtime/services.ts';

export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const READ_MAX = 5_000;

/** Every record of a topic, partition by partition in offset order, without calendars and barriers. */
export async function readTopic(log: Log, topic: string): Promise<TopicRecord[]> {
  const decoder = new TextDecoder();
  const specs = await log.topics();
  const partitions = specs.find((each) => each.name === topic)?.partitions ?? 0;
  const out: TopicRecord[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const of = { topic, partition };
    const end = await log.end(of);
    let from = 0;
    while (from < end) {
      const batch = await log.read(of, from, READ_MAX);
      if (batch === null) break;
      for (let n = 0; n < batch.count; n += 1) {
        const value: TopicRecord['value'] = JSON.parse(decoder.decode(batch.value(n)));
        const record = { topic, partition, offset: batch.offset(n), key: batch.key(n), value };
        if (!record.key.startsWith('~')) out.push(record);
      }
      from = batch.nextOffset;
    }
  }
  return out;
}

export interface Topics {
  readonly raw: readonly TopicRecord[];
  readonly ticks: readonly TopicRecord[];
  readonly enriched: readonly TopicRecord[];
  readonly bars: readonly TopicRecord[];
}

export async function readTopics(log: Log): Promise<Topics> {
  const raw: TopicRecord[] = [];
  for (const { market } of markets) raw.push(...(await readTopic(log, rawTopic(market))));
  return {
    raw,
    ticks: await readTopic(log, TOPIC.ticks),
    enriched: await readTopic(log, TOPIC.enriched),
    bars: await readTopic(log, TOPIC.bars),
  };
}

export interface Allowed {
  /** The operator published versions again as they stood: a record may stand twice, but on every topic. */
  readonly repeated?: boolean;
  /** Days were rebuilt: a bar may have been written again as it stood, and is left to its table. */
  readonly rebuilt?: boolean;
}

/** What is wrong in the topics, as sentences; empty when each fact stands there once and in order. */
export function topicFaults({ raw, ticks, enriched, bars }: Topics, allowed: Allowed = {}): string[] {
  const faults: string[] = [];
  if (!allowed.repeated) for (const records of [raw, ticks, enriched]) faults.push(...doubled(records));
  if (!allowed.rebuilt) faults.push(...doubled(bars));
  faults.push(...unlike('raw → ticks', traces(raw), traces(ticks)));
  faults.push(...unlike('ticks → enriched', traces(ticks), traces(enriched)));
  return faults.slice(0, 10);
}

const eventId = (of: TopicRecord): string => String(of.value.event_id);

function doubled(records: readonly TopicRecord[]): string[] {
  const seen = new Map<string, TopicRecord>();
  const faults: string[] = [];
  for (const record of records) {
    const before = seen.get(eventId(record));
    if (before !== undefined) {
      const at = `${before.partition}@${before.offset} and ${record.partition}@${record.offset}`;
      faults.push(`${record.topic}: ${record.key} has ${eventId(record)} twice: ${at}`);
    }
    seen.set(eventId(record), record);
  }
  return faults;
}

/** Traces of each instrument in the order of the topic. */
function traces(records: readonly TopicRecord[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const { value } of records) {
    const id = `${value.market}:${value.run}:${value.delivery_location}`;
    const found = out.get(id);
    if (found === undefined) out.set(id, [String(value.trace_id)]);
    else found.push(String(value.trace_id));
  }
  return out;
}

function unlike(
  what: string,
  from: ReadonlyMap<string, readonly string[]>,
  to: ReadonlyMap<string, readonly string[]>,
): string[] {
  const faults: string[] = [];
  for (const id of new Set([...from.keys(), ...to.keys()])) {
    const [a = [], b = []] = [from.get(id), to.get(id)];
    if (a.length !== b.length) faults.push(`${what}: ${id} has ${a.length} and then ${b.length}`);
    else if (a.some((trace, n) => trace !== b[n])) faults.push(`${what}: ${id} is out of order`);
  }
  return faults;
}
