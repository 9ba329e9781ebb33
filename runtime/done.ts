// What a committed batch adds to the counts of its process: a value, so that a worker can send it to the
// thread that keeps them.

import type { DeadLetter } from '../actors/domain/wire.ts';
import { CALENDAR_KEY, type Work } from '../actors/router-work.ts';
import type { TopicPartition } from './log/log.ts';
import { marketOfRawTopic, TOPIC } from './services.ts';
import type { StageName } from './views.ts';

export interface Done {
  readonly service: StageName;
  /** Consumer group that an event of it belongs to. */
  readonly group: string;
  readonly of: TopicPartition;
  readonly records: number;
  readonly seconds: number;
  /** Ticks by market, of enrichment; calendar messages are none. */
  readonly ticks: readonly (readonly [market: string, count: number])[];
  /** When the raw record behind the last record of each market was appended, the batch's last first. */
  readonly ingested: readonly (readonly [market: string, ms: number])[];
  /** Dead letters. */
  readonly letters: number;
  /** The first of them. */
  readonly refused: readonly RefusedRecord[];
}

/** A refused record as an operator looks for it. */
export interface RefusedRecord {
  readonly market: string | null;
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly trace_id: string;
  readonly reason: string;
  readonly detail: string;
}

const REFUSED_MAX = 5;
const DETAIL_CHARS_MAX = 300;

export function doneOf(service: StageName, work: Work, seconds: number): Done {
  const { topic, partition, count } = work.batch;
  const enriched = service === 'projection' && topic === TOPIC.enriched;
  const letters = work.outputs.filter((each) => each.topic === work.settings.deadLetterTopic);
  return {
    service,
    group: work.settings.service,
    of: { topic, partition },
    records: count,
    seconds,
    ticks: service === 'enrichment' ? ticksOf(work) : [],
    ingested: enriched ? ingestedOf(work) : [],
    letters: letters.length,
    refused: letters.slice(0, REFUSED_MAX).map(({ value }) => refusedOf(String(value))),
  };
}

function ticksOf({ groups }: Work): [string, number][] {
  const byMarket = new Map<string, number>();
  for (const [key, indices] of groups) {
    if (key === CALENDAR_KEY) continue;
    const market = key.slice(0, key.indexOf(':'));
    byMarket.set(market, (byMarket.get(market) ?? 0) + indices.length);
  }
  return [...byMarket];
}

const decoder = new TextDecoder();
const INGESTED = /"ingested_at":(\d{10,17})/;

/** A sample a market, found by its text. */
function ingestedOf({ batch }: Work): [string, number][] {
  const seen = new Set<string>();
  const found: [string, number][] = [];
  for (let index = batch.count - 1; index >= 0; index -= 1) {
    const market = marketOf(batch.key(index));
    if (market === null || seen.has(market)) continue;
    seen.add(market);
    const [, at] = INGESTED.exec(decoder.decode(batch.value(index))) ?? [];
    if (at !== undefined) found.push([market, Number(at) / 1_000]);
  }
  return found;
}

/** `CAISO` of `CAISO:DAM:…`. */
function marketOf(key: string): string | null {
  const end = key.indexOf(':');
  return end < 1 ? null : key.slice(0, end);
}

function refusedOf(text: string): RefusedRecord {
  const { origin, trace_id, reason, detail }: DeadLetter = JSON.parse(text);
  const market = marketOfRawTopic(origin.topic) ?? marketOf(origin.key);
  return { market, ...origin, trace_id, reason, detail: detail.slice(0, DETAIL_CHARS_MAX) };
}
