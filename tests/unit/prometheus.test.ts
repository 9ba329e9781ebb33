// The strict reader of metrics refuses what the format forbids: a test that trusts it must know that it can
// fail.

import { expect, test } from 'bun:test';
import { parsePrometheus } from '../support/prometheus.ts';

const GOOD = `# HELP a_total What a is
# TYPE a_total counter
a_total{market="CAISO",kind="x\\"y"} 3
a_total{market="MISO",kind=""} 1e3

# HELP h What h is
# TYPE h histogram
h_bucket{le="0.1"} 1
h_bucket{le="+Inf"} 2
h_sum 0.7
h_count 2
`;

test('reads families and samples', () => {
  const families = parsePrometheus(GOOD);
  expect([...families.keys()]).toEqual(['a_total', 'h']);
  expect(families.get('a_total')?.samples.map(({ value }) => value)).toEqual([3, 1_000]);
});

test.each([
  ['a series twice', GOOD.replace('market="MISO",kind=""', 'kind="x\\"y",market="CAISO"'), 'comes twice'],
  ['an interrupted family', `${GOOD}# HELP a_total again\n`, 'begun before'],
  ['no type', 'a 1\n', 'without a type'],
  ['a stranger in a family', GOOD.replace('h_sum', 'g_sum'), 'not of the family'],
  ['a negative counter', GOOD.replace('} 3', '} -3'), 'below zero'],
  ['buckets that shrink', GOOD.replace('le="0.1"} 1', 'le="0.1"} 5'), 'not cumulative'],
  ['a count that is not +Inf', GOOD.replace('h_count 2', 'h_count 3'), '+Inf'],
  ['an unfinished label', GOOD.replace('kind=""', 'kind="'), 'no sample'],
  ['a number that is none', GOOD.replace('} 3', '} three'), 'no sample'],
  ['no last line end', GOOD.trimEnd(), 'no end'],
  ['no help', GOOD.replace('# HELP h What h is\n', ''), 'no help'],
])('refuses %s', (_, text, why) => {
  expect(() => parsePrometheus(text)).toThrow(why);
});
