// Versions of an observation, against a list that is sorted anew: whatever order they arrive in, the value is
// the greatest version's and the changes are those along the order. Bounded, and over the bound it says so.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  changesOf,
  currentOf,
  type Observation,
  place,
  VERSIONS_MAX,
  type Version,
} from '../../../../actors/domain/observation.ts';
import { isRejection } from '../../../../actors/domain/rejection.ts';

const version = (publication: number, price: number): Version => ({
  publication,
  price,
  hash: `hash${String(price).padStart(8, '0')}`,
  quantity: null,
});

function observed(versions: readonly Version[]): { of: Observation; dispositions: string[] } {
  const [first, ...more] = versions;
  if (first === undefined) throw new Error('no version');
  let of: Observation = { startMs: 0, endMs: 3_600_000, tradeId: null, versions: [first] };
  const dispositions = ['first'];
  for (const each of more) {
    const placed = place(of, each);
    if (isRejection(placed)) {
      dispositions.push(placed.reason);
      continue;
    }
    of = placed.observation;
    dispositions.push(placed.disposition);
  }
  return { of, dispositions };
}

/** Distinct versions in (publication, hash) order. */
function sorted(versions: readonly Version[]): Version[] {
  const distinct = new Map(versions.map((each) => [`${each.publication}|${each.hash}`, each]));
  return [...distinct.values()].sort((a, b) => {
    if (a.publication !== b.publication) return a.publication < b.publication ? -1 : 1;
    return a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0;
  });
}

const some = fc.array(
  fc.tuple(fc.nat(6), fc.nat(4)).map(([publication, price]) => version(publication, price)),
  { minLength: 1, maxLength: 30 },
);

describe('in any order of arrival', () => {
  test('the versions kept, the value and the changes are those of the sorted list', () => {
    fc.assert(
      fc.property(some, (versions) => {
        const { of } = observed(versions);
        const wanted = sorted(versions);
        expect(of.versions).toEqual(wanted);
        expect(currentOf(of)).toEqual(wanted[wanted.length - 1] ?? version(0, 0));
        const steps = wanted.filter((each, n) => n === 0 || each.price !== wanted[n - 1]?.price);
        expect(changesOf(of)).toBe(steps.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a further version never lowers the changes, and changes nothing that was not there', () => {
    fc.assert(
      fc.property(some, (versions) => {
        for (let n = 1; n < versions.length; n += 1) {
          const before = observed(versions.slice(0, n)).of;
          const after = observed(versions.slice(0, n + 1)).of;
          expect(changesOf(after)).toBeGreaterThanOrEqual(changesOf(before));
          expect(after.versions).toEqual(expect.arrayContaining([...before.versions]));
        }
      }),
    );
  });

  test('content that changed has more changes: the row version of a bar can grow by them', () => {
    fc.assert(
      fc.property(some, (versions) => {
        for (let n = 1; n < versions.length; n += 1) {
          const before = observed(versions.slice(0, n)).of;
          const after = observed(versions.slice(0, n + 1)).of;
          if (currentOf(after).price === currentOf(before).price) continue;
          expect(changesOf(after)).toBeGreaterThan(changesOf(before));
        }
      }),
    );
  });
});

describe('in words', () => {
  test('A, B, A again: two revisions, three changes', () => {
    const { of, dispositions } = observed([version(1, 10), version(2, 20), version(3, 10)]);
    expect(dispositions).toEqual(['first', 'revision', 'revision']);
    expect(changesOf(of)).toBe(3);
    expect(currentOf(of).price).toBe(10);
  });

  test('a late older version between two equal ones is a revision although the value stays', () => {
    const { of, dispositions } = observed([version(1, 10), version(3, 10), version(2, 20)]);
    expect(dispositions).toEqual(['first', 'duplicate', 'revision']);
    expect(changesOf(of)).toBe(3);
    expect(currentOf(of).price).toBe(10);
  });

  test('the same version again is a duplicate and leaves the observation as it is', () => {
    const { of } = observed([version(1, 10), version(2, 20)]);
    const again = place(of, version(1, 10));
    expect(again).toEqual({ observation: of, disposition: 'duplicate' });
  });

  test('of equal publications the greater hash is the value, whichever came first', () => {
    for (const order of [
      [version(1, 10), version(1, 20)],
      [version(1, 20), version(1, 10)],
    ]) {
      const { of } = observed(order);
      expect(currentOf(of).price).toBe(20);
      expect(changesOf(of)).toBe(2);
    }
  });

  test('one version more than are kept is refused, and what was known stays', () => {
    const full = Array.from({ length: VERSIONS_MAX }, (_, n) => version(n, n));
    const { of } = observed(full);
    const more = place(of, version(VERSIONS_MAX, 7));
    expect(more).toMatchObject({ reason: 'version_overflow' });
    expect(place(of, version(3, 3))).toMatchObject({ disposition: 'duplicate' });
    expect(observed([...full, version(VERSIONS_MAX, 7)]).of).toEqual(of);
  });
});
