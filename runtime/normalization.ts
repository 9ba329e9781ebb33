// Normalization at work on a batch: each record on its own, so that a defect in one touches that one.
// Calendar messages are sent to every partition of the ticks, because an instrument may live in any.

import type { Batch } from '../actors/batch.ts';
import { reject } from '../actors/domain/rejection.ts';
import { type Normalized, normalize } from '../actors/normalize.ts';
import type { NormalizeOptions } from '../actors/normalize-options.ts';
import type { DirectResult } from '../actors/router-protocol.ts';
import { CALENDAR_KEY, type RoutedEmission } from '../actors/router-work.ts';
import type { Refused } from '../actors/stage.ts';

export function normalization(options: NormalizeOptions): (batch: Batch, nowMs: number) => DirectResult {
  return (batch) => {
    const emissions: RoutedEmission[] = [];
    const refused: Refused[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      const value = batch.value(index);
      const found = attempt(value, batch.timestampMs(index), options);
      if (found.kind === 'rejected') {
        refused.push({ offset: batch.offset(index), rejection: found.rejection });
      } else if (found.kind === 'tick') {
        const { tick } = found;
        const from = batch.offset(index);
        const text = ingestedAt(JSON.stringify(tick), batch.timestampMs(index));
        emissions.push({ to: 'ticks', key: tick.instrument_id, value: text, from });
      } else {
        const text = decoder.decode(value);
        // The message of a market's first partition stands for all of them.
        if (batch.partition === 0) {
          emissions.push({ to: 'ticks', key: CALENDAR_KEY, value: text, partition: 'every' });
        }
      }
    }
    return { emissions, refused };
  };
}

const decoder = new TextDecoder();

/** Adds when the raw record was appended, µs: for end-to-end latency alone, no part of any identity. */
function ingestedAt(json: string, appendedMs: number): string {
  return `${json.slice(0, -1)},"ingested_at":${appendedMs * 1_000}}`;
}

function attempt(value: Uint8Array, appendedMs: number, options: NormalizeOptions): Normalized {
  try {
    return normalize(value, appendedMs, options);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return { kind: 'rejected', rejection: reject('defect', `normalization failed on this record: ${cause}`) };
  }
}
