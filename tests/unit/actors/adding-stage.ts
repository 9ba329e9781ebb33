// A stage small enough to predict: its state is the list of numbers it was given. A record `boom` is a
// defect, `no` is refused, `wide` makes an output that is too large, `lost` is not accounted for, and a
// calendar that ends in 666 is a defect too. Used to watch what the actors around a stage do.

import { reject } from '../../../actors/domain/rejection.ts';
import { NO_TALLY, type Stage, type StageResult } from '../../../actors/stage.ts';

export type Added = readonly number[];

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const bytes = (text: string): Uint8Array => encoder.encode(text);

function nothing(state: Added): StageResult<Added> {
  return { state, emissions: [], refused: [], tally: NO_TALLY, notes: [] };
}

export const addingStage: Stage<Added> = {
  name: 'aggregation',
  initial: () => [],
  process(state, records) {
    const added: number[] = [];
    const refused: StageResult<Added>['refused'][number][] = [];
    let wide = false;
    for (const { offset, value } of records) {
      const text = decoder.decode(value);
      if (text.includes('boom')) throw new Error(`boom at ${offset}`);
      if (text.includes('no')) refused.push({ offset, rejection: reject('wrong_type', 'no') });
      else if (!text.includes('lost')) {
        wide ||= text.includes('wide');
        added.push(wide ? 0 : Number(text));
      }
    }
    const next = [...state, ...added];
    return {
      state: next,
      emissions:
        added.length === 0 ? [] : [{ to: 'bars', value: wide ? 'w'.repeat(5_000) : JSON.stringify(next) }],
      refused,
      tally: { ...NO_TALLY, first: added.length, rejected: refused.length },
      notes: [],
    };
  },
  advance(state, toMs) {
    if (toMs % 1_000 === 666) throw new Error(`calendar ${toMs}`);
    return nothing([...state, -toMs]);
  },
  store: (before, after) => (before === after ? [] : [{ part: 'all', bytes: bytes(JSON.stringify(after)) }]),
  restore: (_id, parts) => JSON.parse(decoder.decode(parts.get('all'))),
  inspect: (state) => ({ state }),
};
