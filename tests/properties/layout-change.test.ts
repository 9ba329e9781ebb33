// Every interleaving of a small model: whoever changes a layout, whoever dies on the way and however writers
// commit meanwhile, no record stands on the wrong side of a barrier, and none is lost or doubled.

import { expect, test } from 'bun:test';
import { asItShouldEnd, explore, Model } from './layout-model.ts';

const MINUTE = 60_000;

/** A topic of one partition with its first layout, which has `partitions` now. */
function model(writers: readonly string[], partitions: number): Model {
  return new Model(writers, partitions);
}

test(
  'one change, two writers',
  async () => {
    const start = (): Model => {
      const of = model(['a', 'b'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        void of.change('one', 1);
        void of.write('A', 'a', 2);
        void of.write('B', 'b', 1);
      });
      return of;
    };
    const { states, ends, faults } = await explore(start, (of) => asItShouldEnd(of, 2, 3));
    expect(faults).toEqual([]);
    expect(ends).toBeGreaterThan(0);
    expect(states).toBeGreaterThan(1_000);
    console.log(`${states} states`);
  },
  5 * MINUTE,
);

test(
  'two that change it at the same time',
  async () => {
    const start = (): Model => {
      const of = model(['a'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        void of.change('one', 1);
        void of.change('other', 1);
        void of.write('A', 'a', 1);
      });
      return of;
    };
    // Both may have lost the race of a step to the other: the next look goes on.
    const { states, ends, faults } = await explore(start, () => []);
    expect(faults).toEqual([]);
    expect(ends).toBeGreaterThan(0);
    console.log(`${states} states`);
  },
  5 * MINUTE,
);

test(
  'one that dies anywhere, and another that finds it undone',
  async () => {
    const start = (): Model => {
      const of = model(['a'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        of.died = () => void of.change('other', 1);
        void of.change('one', 1);
        void of.write('A', 'a', 2);
      });
      return of;
    };
    const { states, ends, faults } = await explore(start, (of) => asItShouldEnd(of, 2, 2), ['one']);
    expect(faults).toEqual([]);
    expect(ends).toBeGreaterThan(0);
    console.log(`${states} states`);
  },
  5 * MINUTE,
);

test(
  'two increases in a row, and a writer that goes on',
  async () => {
    const start = (): Model => {
      const of = model(['a'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        void of.change('one', 1).then(() => {
          of.partitions = 4;
          return of.change('one', 1);
        });
        void of.write('A', 'a', 3);
      });
      return of;
    };
    const { states, ends, faults } = await explore(start, (of) => asItShouldEnd(of, 4, 3));
    expect(faults).toEqual([]);
    expect(ends).toBeGreaterThan(0);
    console.log(`${states} states`);
  },
  5 * MINUTE,
);

test(
  'a successor takes over the writer that hangs, which comes back',
  async () => {
    const start = (): Model => {
      const of = model(['a'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        void of.change('one', 1);
        void of.write('old', 'a', 2, true);
        void of.write('new', 'a', 1);
      });
      return of;
    };
    const { states, faults } = await explore(start, () => [], ['old']);
    expect(faults).toEqual([]);
    console.log(`${states} states`);
  },
  5 * MINUTE,
);

test(
  'without the fence a record gets behind its barrier: the model can tell',
  async () => {
    const start = (): Model => {
      const of = model(['a'], 1);
      void of.change('first', 1).then(() => {
        of.partitions = 2;
        void of.change('one', 1, false);
        void of.write('A', 'a', 1);
      });
      return of;
    };
    const { faults } = await explore(start, () => []);
    expect(faults).toContain('a 0 of 1 behind 2');
  },
  5 * MINUTE,
);
