// The rebuilder: observations older than an instrument's retained window. Once silver covers them, each
// touched instrument is read back whole around the touched days and folded by the same functions as live; row
// versions are functions of the set of versions, so a rebuilt row and a live one can never disagree on which
// is newer.

import type { Batch } from '../actors/batch.ts';
import { reject } from '../actors/domain/rejection.ts';
import type { DirectResult } from '../actors/router-protocol.ts';
import type { RoutedEmission } from '../actors/router-work.ts';
import { CALENDAR_KEY } from '../actors/router-work.ts';
import type { Emission, Refused } from '../actors/stage.ts';
import type { Log, PartitionLag } from './log/log.ts';
import { TOPIC } from './services.ts';

export interface RebuilderPorts<SilverTick> {
  readonly log: Log;
  /** Every version of an instrument's ticks with interval start in [fromUs, toUs). */
  readonly silver: (instrument: string, fromUs: number, toUs: number) => Promise<readonly SilverTick[]>;
  /** Days and hours that a change at these event times can touch, as a range to read. */
  readonly span: (
    instrument: string,
    eventMs: readonly number[],
  ) => { readonly fromMs: number; readonly toMs: number };
  /** The rows of the touched days and of the metric hours they influence. */
  readonly refold: (
    instrument: string,
    ticks: readonly SilverTick[],
    eventMs: readonly number[],
    nowMs: number,
  ) => readonly Emission[];
  /** Waits a little; the projection is behind. */
  readonly pause: () => Promise<void>;
}

/** Deferred work for the rebuild topic's routers. */
export function rebuilder<SilverTick>(
  ports: RebuilderPorts<SilverTick>,
): (batch: Batch, nowMs: number) => Promise<DirectResult> {
  return async (batch, nowMs) => {
    const { touched, refused } = touchedBy(batch);
    if (touched.size > 0) await covered(ports);
    const emissions: RoutedEmission[] = [];
    for (const [instrument, eventMs] of touched) {
      const { fromMs, toMs } = ports.span(instrument, eventMs);
      const ticks = await ports.silver(instrument, fromMs * 1_000, toMs * 1_000);
      for (const emission of ports.refold(instrument, ticks, eventMs, nowMs)) {
        emissions.push({ ...emission, key: instrument });
      }
    }
    return { emissions, refused };
  };
}

/** Silver covers the batch when projection has taken every tick that was on the log by now. */
async function covered<SilverTick>({ log, pause }: RebuilderPorts<SilverTick>): Promise<void> {
  const target = await tickEnds(log);
  for (;;) {
    const taken = await ticksTaken(log);
    if (!target.some(({ partition, end }) => (taken.get(partition)?.committed ?? 0) < end)) return;
    await pause();
  }
}

/** How far projection is, by partition of the ticks; those that it never took are not in it. */
async function ticksTaken(log: Log): Promise<ReadonlyMap<number, PartitionLag>> {
  const all = await log.lag('projection-service');
  return new Map(
    all.filter(({ topic }) => topic === TOPIC.ticks).map((each) => [each.partition, each] as const),
  );
}

/**
 * Where each partition of the ticks ends. Not what projection lags behind alone: one that has not joined yet,
 * or has not taken a partition so far, has no lag there.
 */
async function tickEnds(log: Log): Promise<readonly { readonly partition: number; readonly end: number }[]> {
  const count = (await log.topics()).find(({ name }) => name === TOPIC.ticks)?.partitions ?? 0;
  const taken = await ticksTaken(log);
  return Promise.all(
    Array.from({ length: count }, async (_, partition) => {
      const known = taken.get(partition);
      if (known !== undefined) return { partition, end: known.end };
      const of = { topic: TOPIC.ticks, partition };
      // What holds no record for a reader, but aborted ones, is never taken.
      const first = await log.read(of, await log.offsetAt(of, 0), 1);
      return { partition, end: first === null ? 0 : await log.end(of) };
    }),
  );
}

const decoder = new TextDecoder();

function touchedBy(batch: Batch): { touched: Map<string, number[]>; refused: Refused[] } {
  const touched = new Map<string, number[]>();
  const refused: Refused[] = [];
  for (let index = 0; index < batch.count; index += 1) {
    const key = batch.key(index);
    if (key === CALENDAR_KEY) continue;
    const at = intervalStartMs(batch.value(index));
    if (at === null) {
      const rejection = reject('missing_field', 'a tick to rebuild needs interval_start', 'interval_start');
      refused.push({ offset: batch.offset(index), rejection });
    } else {
      const found = touched.get(key);
      if (found === undefined) touched.set(key, [at]);
      else found.push(at);
    }
  }
  return { touched, refused };
}

function intervalStartMs(value: Uint8Array): number | null {
  try {
    const tick: unknown = JSON.parse(decoder.decode(value));
    if (typeof tick !== 'object' || tick === null || !('interval_start' in tick)) return null;
    const { interval_start } = tick;
    return typeof interval_start === 'number' ? Math.floor(interval_start / 1_000) : null;
  } catch {
    return null;
  }
}
