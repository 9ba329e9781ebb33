// Who owns which partition: balanced, the same for every group, and little moves.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { assignPartitions } from '../../../../runtime/log/assigner.ts';

const workers = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 9 });
const partitions = fc.integer({ min: 0, max: 40 });

describe('partitions of a group', () => {
  test('go to members, none with two more than another, whatever the order of the members', () => {
    const property = fc.property(workers, partitions, (names, count) => {
      const owners = assignPartitions(names, count);
      expect(owners).toHaveLength(count);
      const loads = names.map((name) => owners.filter((owner) => owner === name).length);
      expect(loads.reduce((sum, load) => sum + load, 0)).toBe(count);
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      expect(assignPartitions(names.toReversed(), count)).toEqual(owners);
    });
    fc.assert(property);
  });

  test('mostly stay where they are when a worker comes', () => {
    let moved = 0;
    let least = 0;
    for (let round = 0; round < 50; round += 1) {
      const names = Array.from({ length: 4 }, (_, n) => `worker ${round}/${n}`);
      const before = assignPartitions(names, 24);
      const after = assignPartitions([...names, `fresh ${round}`], 24);
      moved += before.filter((owner, n) => owner !== after[n]).length;
      least += 4;
    }
    expect(moved).toBeLessThan(least * 2.5);
  });

  test('of nobody are an error', () => {
    expect(() => assignPartitions([], 3)).toThrow(RangeError);
  });
});

test('partition p is one worker’s, whatever the group reads and however many partitions', () => {
  fc.assert(
    fc.property(workers, fc.integer({ min: 1, max: 40 }), (names, count) => {
      const first = assignPartitions(names, count);
      // Again after others came and went: nothing of the past enters.
      assignPartitions([...names, 'guest'], count);
      expect(assignPartitions([...names].sort(), count)).toEqual(first);
    }),
  );
});
