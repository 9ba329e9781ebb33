// The dead letters, newest first, read from their topics. A cursor remembers for each partition how far back
// it was read; one call reads a bounded stretch, so a rare reason may need several.

import type { DeadLetter } from '../actors/domain/wire.ts';
import type { Log, TopicPartition } from './log/log.ts';
import { DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS } from './services.ts';
import type { DeadLettersView } from './views.ts';

const SCANNED_PER_PARTITION = 500;

interface Found {
  readonly letter: DeadLetter;
  /** Its time, or that of a letter before it in its partition: never falls there, so pages do not overlap. */
  readonly at: number;
  readonly of: string;
  readonly offset: number;
}

export function deadLettersView(log: Log, partitions: number): DeadLettersView {
  const sources: TopicPartition[] = [DEAD_LETTERS_RAW, DEAD_LETTERS_TICKS].flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
  return {
    async list({ limit, cursor, reason, service }) {
      const upper = readCursor(cursor);
      const wanted = (letter: DeadLetter): boolean =>
        (reason === null || letter.reason === reason) && (service === null || letter.service === service);
      const found: Found[] = [];
      const lower = new Map<string, number>();
      let total = 0;
      for (const of of sources) {
        const end = await log.end(of);
        total += end;
        const to = Math.min(end, upper.get(keyOf(of)) ?? end);
        const from = Math.max(0, to - Math.max(limit, SCANNED_PER_PARTITION));
        lower.set(keyOf(of), from);
        found.push(...(await letters(log, of, from, to, wanted)));
      }
      found.sort((a, b) => b.at - a.at || b.offset - a.offset);
      const page = found.slice(0, limit);
      return { letters: page.map((each) => each.letter), next: nextCursor(page, found, lower), total };
    },
  };
}

function keyOf(of: TopicPartition): string {
  return `${of.topic}/${of.partition}`;
}

async function letters(
  log: Log,
  of: TopicPartition,
  from: number,
  to: number,
  wanted: (letter: DeadLetter) => boolean,
): Promise<Found[]> {
  const found: Found[] = [];
  const decoder = new TextDecoder();
  let latest = 0;
  for (let at = from; at < to; ) {
    const batch = await log.read(of, at, to - at);
    if (batch === null) break;
    for (let index = 0; index < batch.count && batch.offset(index) < to; index += 1) {
      const letter: DeadLetter = JSON.parse(decoder.decode(batch.value(index)));
      latest = Math.max(latest, letter.occurred_at);
      if (wanted(letter)) {
        found.push({ letter, at: latest, of: keyOf(of), offset: batch.offset(index) });
      }
    }
    at = batch.nextOffset;
  }
  return found;
}

/** Where each partition goes on: below the oldest letter shown, or below what was scanned in vain. */
function nextCursor(
  page: readonly Found[],
  found: readonly Found[],
  lower: ReadonlyMap<string, number>,
): string | null {
  const shown = new Set(page);
  const upper = new Map<string, number>(lower);
  for (const each of found) {
    if (!shown.has(each)) upper.set(each.of, Math.max(upper.get(each.of) ?? 0, each.offset + 1));
  }
  const more = [...upper.values()].some((offset) => offset > 0);
  return more ? Buffer.from(JSON.stringify(Object.fromEntries(upper))).toString('base64url') : null;
}

/** A cursor that cannot be read starts from the newest. */
function readCursor(cursor: string | null): ReadonlyMap<string, number> {
  if (cursor === null) return new Map();
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null) return new Map();
    const entries = Object.entries(parsed);
    return new Map(entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
  } catch {
    return new Map();
  }
}
