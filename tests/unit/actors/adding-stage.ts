// A stage small enough to predict: its state is the list of numbers it was given. A record `boom` is a
// defect, a record `no` is refused. Used to watch what the actors around a stage do.

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
    for (const { offset, value } of records) {
      const text = decoder.decode(value);
      if (text.includes('boom')) throw new Error(`boom at ${offset}`);
      if (text.includes('no')) refused.push({ offset, rejection: reject('wrong_type', 'no') });
      else added.push(Number(text));
    }
    const next = [...state, ...added];
    return {
      state: next,
      emissions: added.length === 0 ? [] : [{ to: 'bars', value: JSON.stringify(next) }],
      refused,
      tally: { ...NO_TALLY, first: added.length, rejected: refused.length },
      notes: [],
    };
  },
  advance: (state, toMs) => nothing([...state, -toMs]),
  store: (before, after) => (before === after ? [] : [{ part: 'all', bytes: bytes(JSON.stringify(after)) }]),
  restore: (_id, parts) => JSON.parse(decoder.decode(parts.get('all'))),
  inspect: (state) => ({ state }),
};
