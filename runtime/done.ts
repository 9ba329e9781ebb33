// What a committed batch adds to the counts of its process: a value, so that a worker can send it to the
// thread that keeps them.

import { CALENDAR_KEY, type Work } from '../actors/router-work.ts';
import type { TopicPartition } from './log/log.ts';
import { TOPIC } from './services.ts';
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
  /** When the raw record behind its last record was appended; null where that is not told. */
  readonly ingestedMs: number | null;
  /** Dead letters. */
  readonly letters: number;
}

export function doneOf(service: StageName, work: Work, seconds: number): Done {
  const { topic, partition, count } = work.batch;
  const enriched = service === 'projection' && topic === TOPIC.enriched;
  return {
    service,
    group: work.settings.service,
    of: { topic, partition },
    records: count,
    seconds,
    ticks: service === 'enrichment' ? ticksOf(work) : [],
    ingestedMs: enriched ? ingestedMsOf(work) : null,
    letters: work.outputs.filter((each) => each.topic === work.settings.deadLetterTopic).length,
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

/** A sample, found by its text. */
function ingestedMsOf({ batch }: Work): number | null {
  if (batch.count === 0) return null;
  const found = INGESTED.exec(decoder.decode(batch.value(batch.count - 1)));
  return found === null ? null : Number(found[1]) / 1_000;
}
