// Reads what the parking topic holds of one instrument. The topic is shared by the quarantined instruments of
// a partition and bounded, so a filtered scan from where the instrument was last drained is all it takes.

import { NEWLINE } from '../actors/batch.ts';
import { unpackParked } from '../actors/parked.ts';
import type { Batch, Log, TopicPartition } from './log/log.ts';

/**
 * Up to `recordsMax` parked records of `instrument` from `fromOffset`, in order. Empty when there are no
 * more; `nextOffset` is where to go on.
 */
export async function readParked(
  log: Log,
  of: TopicPartition,
  instrument: string,
  fromOffset: number,
  recordsMax: number,
): Promise<Batch> {
  let from = fromOffset;
  for (;;) {
    const batch = await log.read(of, from, recordsMax);
    if (batch === null) return view({ ...of, batch: null, indices: [], nextOffset: from });
    const indices: number[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      if (batch.key(index) === instrument) indices.push(index);
    }
    if (indices.length > 0) return view({ ...of, batch, indices, nextOffset: batch.nextOffset });
    from = batch.nextOffset;
  }
}

const LINE_END = new Uint8Array([NEWLINE]);

interface Filtered extends TopicPartition {
  readonly batch: Batch | null;
  readonly indices: readonly number[];
  readonly nextOffset: number;
}

function view(of: Filtered): Batch {
  const at = (index: number): readonly [Batch, number] => {
    const original = of.indices[index];
    if (of.batch === null || original === undefined) throw new RangeError(`no parked record ${index}`);
    return [of.batch, original];
  };
  const parkedAt = (index: number) => unpackParked(at(index)[0].value(at(index)[1]));
  return {
    topic: of.topic,
    partition: of.partition,
    count: of.indices.length,
    nextOffset: of.nextOffset,
    offset: (index) => at(index)[0].offset(at(index)[1]),
    key: (index) => at(index)[0].key(at(index)[1]),
    value: (index) => parkedAt(index).value,
    origin: (index) => parkedAt(index).origin,
    timestampMs: (index) => at(index)[0].timestampMs(at(index)[1]),
    lines: (from, to) =>
      of.indices
        .slice(from, to)
        .flatMap((_, n) => [parkedAt(from + n).value, LINE_END].map((bytes) => ({ bytes, zstd: false }))),
  };
}
