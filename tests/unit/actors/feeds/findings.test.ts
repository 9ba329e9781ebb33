// Findings on a response: each says where and what, and there are few of them however many rows are at fault.

import { expect, test } from 'bun:test';
import { findingsOf } from '../../../../actors/feeds/findings.ts';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import { DAY_AHEAD, oasisCsv } from '../../../support/oasis.ts';
import { textResponse } from '../../../support/recordings.ts';

function findings(texts: readonly string[]) {
  const rows = texts.map((text, n) => ({
    node: `N${n}`,
    startMs: Date.UTC(2024, 3, 18),
    minutes: 60,
    component: 'LMP',
    text,
  }));
  const response = textResponse('prices.csv', oasisCsv(DAY_AHEAD, rows));
  const parsed = findFeed(response)?.parse(response);
  if (parsed === undefined) throw new Error('no feed reads it');
  return { parsed, found: findingsOf(response.name, parsed) };
}

test('a refused row is named with its file, number and reason', () => {
  expect(findings(['1', 'NaN', '3']).found).toEqual([
    {
      cause: "prices.csv row 2: wrong_type: LMP is 'NaN', expected a plain decimal number",
      decision: 'refused; 1 of 3 rows of the response are',
    },
  ]);
  expect(findings(['1']).found).toEqual([]);
});

test('of many, the first ten of each kind', () => {
  const { parsed } = findings(Array.from({ length: 500 }, () => 'x'));
  const warnings = Array.from({ length: 30 }, (_, n) => `check ${n}`);
  const both = findingsOf('a', { ...parsed, warnings });
  expect(parsed.refused.length).toBe(500);
  expect(both.length).toBe(20);
  expect(both[10]).toEqual({
    cause: 'a check 0',
    decision: 'flagged, the values are kept; 30 such findings on the response',
  });
});
