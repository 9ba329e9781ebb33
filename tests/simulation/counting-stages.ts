// Stages small enough to predict, for runs of the real routers, actors and supervision: each remembers the
// ids that it folded, in order, so that a record lost, doubled or out of turn shows in state and output. A
// record that is marked for a stage is a defect of it: its `process` throws.

import type { Batch } from '../../actors/batch.ts';
import { reject } from '../../actors/domain/rejection.ts';
import { sealJson, unseal, unsealJson } from '../../actors/domain/sealed.ts';
import type { DirectResult } from '../../actors/router-protocol.ts';
import { type Destination, NO_TALLY, type Stage } from '../../actors/stage.ts';

export type StageName = Stage<unknown>['name'];

export interface CountedRecord {
  readonly instrument: string;
  readonly id: number;
  /** The stage that has a defect on it; `normalize` refuses it as bad input. */
  readonly poison: StageName | 'normalize' | null;
}

export type Ids = readonly number[];

const decoder = new TextDecoder();

export function parseRecord(value: Uint8Array | string): CountedRecord {
  const found: CountedRecord = JSON.parse(typeof value === 'string' ? value : decoder.decode(value));
  return found;
}

export function normalizeCounted(batch: Batch): DirectResult {
  const emissions: DirectResult['emissions'][number][] = [];
  const refused: DirectResult['refused'][number][] = [];
  for (let index = 0; index < batch.count; index += 1) {
    const record = parseRecord(batch.value(index));
    const from = batch.offset(index);
    if (record.poison === 'normalize') {
      refused.push({ offset: from, rejection: reject('wrong_type', 'marked') });
      continue;
    }
    emissions.push({ to: 'ticks', key: record.instrument, value: JSON.stringify(record), from });
  }
  return { emissions, refused };
}

export function countingStage(name: StageName, to: Destination): Stage<Ids> {
  return {
    name,
    initial: () => [],
    process(state, records) {
      const ids = [...state];
      const emissions = records.map(({ value }) => {
        const record = parseRecord(value);
        if (record.poison === name) throw new Error(`defect of ${name} on ${record.id}`);
        ids.push(record.id);
        return { to, value: JSON.stringify({ ...record, nth: ids.length }) };
      });
      const counted = name === 'aggregation' ? 'first' : 'forwarded';
      return {
        state: ids,
        emissions,
        refused: [],
        tally: { ...NO_TALLY, [counted]: records.length },
        notes: [],
      };
    },
    advance: (state) => ({ state, emissions: [], refused: [], tally: NO_TALLY, notes: [] }),
    store: (_, after) => [{ part: 'ids', bytes: sealJson(1, after) }],
    restore: (_, parts) => readIds(parts.get('ids')),
    // As the product's stages have it: by the checksum alone.
    glance(_, parts) {
      const ids = parts.get('ids');
      if (ids !== undefined) unseal(ids, [1]);
      return { watermarkMs: null, dueMs: Number.NEGATIVE_INFINITY };
    },
    inspect: (state) => ({ ids: state }),
  };
}

export function readIds(bytes: Uint8Array | undefined): Ids {
  const found = bytes === undefined ? [] : unsealJson(bytes, [1]);
  if (!Array.isArray(found)) throw new Error('the ids are no list');
  return found.map(Number);
}
