// How a connector's records and calendars stand on the log: the one place that says it, for recordings and
// for live feeds. A writer's state is what the log remembers of it: its cursors, and how far its calendars
// were told.

import type { Cursor } from '../actors/connector.ts';
import { hash64 } from '../actors/domain/hash.ts';
import type { RawRecord } from '../actors/domain/wire.ts';
import { SCHEMA_VERSION } from '../actors/domain/wire.ts';
import { CALENDAR_KEY } from '../actors/router-work.ts';
import type { Log, Outgoing } from './log/log.ts';
import { rawTopic } from './services.ts';

/** Of recordings. */
export const WRITER = 'connectors';

/** Of a live connector: one a name, whichever others run beside it or in another process. */
export function writerOf(connector: string): string {
  return `${WRITER}/${connector}`;
}

/** The cursors of everybody who feeds; `names`: of all connectors that are configured. */
export async function storedCursors(
  log: Pick<Log, 'writerState'>,
  names: readonly string[],
): Promise<Cursor[]> {
  const found: Cursor[] = [];
  for (const writer of [WRITER, ...names.map(writerOf)]) {
    for (const [key, value] of await log.writerState(writer)) {
      if (key.startsWith(CURSOR)) found.push(JSON.parse(new TextDecoder().decode(value)));
    }
  }
  return found;
}

const CURSOR = 'response:';

/** Observations of one append: large, so that what follows works on large batches. */
export const APPEND_MAX = 10_000;

/** Key of a response's cursor; `id` says which response, or which feed's running total. */
export function cursorKey(id: string): string {
  return `${CURSOR}${id}`;
}

/** Key under which it is remembered how far the calendar of `market:run` was told. */
export function closedKey(runKey: string): string {
  return `closed:${runKey}`;
}

export function rawOutputs(records: readonly RawRecord[]): Outgoing[] {
  return records.map((record) => ({
    topic: rawTopic(record.market),
    key: record.delivery_location,
    value: JSON.stringify(record),
  }));
}

/** Event time of a run has reached `advanceTo` (µs): told to every partition of its market. */
export function calendarOutput(of: {
  readonly market: string;
  readonly run: string;
  readonly advanceTo: number;
  readonly tenantId: string;
}): Outgoing {
  const { market, run, advanceTo, tenantId } = of;
  const id = hash64(`calendar|${market}|${run}|${advanceTo}`);
  const value = JSON.stringify({
    event_id: id,
    trace_id: id,
    occurred_at: advanceTo,
    tenant_id: tenantId,
    schema_version: SCHEMA_VERSION,
    producer: WRITER,
    data_type: 'calendar',
    market,
    run,
    advance_to: advanceTo,
  });
  const topic = rawTopic(market);
  return { topic, key: CALENDAR_KEY, value, partition: 'every' };
}
