// The books of a pipeline: balanced ledgers give zero on every check, and any single record lost or invented
// anywhere shows in a check that names the place.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Cursor } from '../../../actors/connector.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../actors/ledger.ts';
import { conservation, type GroupLedgers } from '../../../runtime/conservation.ts';
import { type GroupName, TOPIC } from '../../../runtime/services.ts';

const RAW = 'ingestion.caiso.raw.v1';

function cursor(records: number, rowsRefused: number): Cursor {
  const rowsUsed = 3 * records;
  const ledger = { rowsRead: rowsUsed + rowsRefused, rowsUsed, rowsRefused };
  return { name: 'a.csv', done: records, total: records, ...ledger, refusal: null, ends: {} };
}

const ledger = (of: Partial<Ledger>): Ledger => ({ ...EMPTY_LEDGER, ...of });
const forwarded = (n: number): Ledger => ledger({ read: n, forwarded: n });

interface Numbers {
  readonly raw: number;
  readonly bars: number;
  readonly late: number;
}

/** Everything that was read was passed on, some of it late, by two of the stages twice as rows. */
function balanced({ raw, bars, late }: Numbers): Map<GroupName, Map<string, Ledger>> {
  const folded = { first: raw - late, forwarded: late };
  return new Map<GroupName, Map<string, Ledger>>([
    ['normalization-service', new Map([[RAW, { ...forwarded(raw), emitted: { ticks: raw } }]])],
    ['enrichment-service', new Map([[TOPIC.ticks, { ...forwarded(raw), emitted: { enriched: raw } }]])],
    [
      'aggregation-service',
      new Map([[TOPIC.enriched, ledger({ read: raw, ...folded, emitted: { bars, rebuild: late } })]]),
    ],
    [
      'aggregation-rebuilder',
      new Map([[TOPIC.rebuild, { ...forwarded(late), emitted: { bars: 2 * late } }]]),
    ],
    ['data-quality-service', new Map([[TOPIC.ticks, { ...forwarded(raw), emitted: { scores: raw } }]])],
    [
      'projection-service',
      new Map([
        [RAW, forwarded(raw)],
        [TOPIC.ticks, forwarded(raw)],
        [TOPIC.enriched, forwarded(raw)],
        [TOPIC.scores, forwarded(raw)],
        [TOPIC.bars, forwarded(bars + 2 * late)],
      ]),
    ],
  ]);
}

function audit(groups: ReadonlyMap<GroupName, ReadonlyMap<string, Ledger>>, cursors: readonly Cursor[]) {
  const byMarket = [...groups].map(([group, topics]): [GroupName, GroupLedgers] => [
    group,
    new Map([...topics].map(([topic, of]) => [topic, new Map([['CAISO', of]])])),
  ]);
  return conservation(new Map(byMarket), cursors, ['CAISO']);
}

const numbers = fc
  .record({ raw: fc.nat(1_000), bars: fc.nat(1_000), late: fc.nat(1_000) })
  .map((of) => ({ ...of, late: Math.min(of.late, of.raw) }));

test('balanced books are balanced', () => {
  fc.assert(
    fc.property(numbers, fc.nat(9), (of, refused) => {
      const { checks, balanced: holds } = audit(balanced(of), [cursor(of.raw, refused)]);
      expect(checks.filter((each) => each.off !== 0)).toEqual([]);
      expect(holds).toBe(true);
    }),
  );
});

test('one record lost or invented by any reader shows', () => {
  const places = [...balanced({ raw: 1, bars: 1, late: 1 })].flatMap(([group, topics]) =>
    [...topics.keys()].map((topic) => [group, topic] as const),
  );
  fc.assert(
    fc.property(numbers, fc.constantFrom(...places), fc.constantFrom(-1, 1), (of, [group, topic], by) => {
      const groups = balanced(of);
      const before = groups.get(group)?.get(topic) ?? EMPTY_LEDGER;
      const changed = { ...before, read: before.read + by, forwarded: before.forwarded + by };
      groups.get(group)?.set(topic, changed);
      const found = audit(groups, [cursor(of.raw, 0)]);
      expect(found.balanced).toBe(false);
      const named = found.checks.filter((each) => each.off !== 0);
      expect(named.some((each) => each.what.includes(group))).toBe(true);
    }),
  );
});

test('a record read and not disposed of shows at its stage', () => {
  const groups = balanced({ raw: 5, bars: 2, late: 0 });
  groups
    .get('enrichment-service')
    ?.set(TOPIC.ticks, { ...forwarded(5), forwarded: 4, emitted: { enriched: 5 } });
  const off = audit(groups, [cursor(5, 0)]).checks.filter((each) => each.off !== 0);
  expect(off.map((each) => [each.what, each.off])).toEqual([
    [`enrichment-service ${TOPIC.ticks}: read = disposed`, 1],
  ]);
});

test('a row of a response that is neither used nor refused shows', () => {
  const lost = { ...cursor(5, 0), rowsRead: 16 };
  const off = audit(balanced({ raw: 5, bars: 2, late: 0 }), [lost]).checks.filter((each) => each.off !== 0);
  expect(off.map((each) => [each.what, each.off])).toEqual([['response rows = used + refused', 1]]);
});
