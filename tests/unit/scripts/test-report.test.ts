// The report of a test run, read as `bun test` writes it: names and reasons come out as they were.

import { expect, test } from 'bun:test';
import { countsOf } from '../../../scripts/test-report.ts';

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4">
  <testsuite name="a.test.ts" file="a.test.ts">
    <testcase name="passes" classname="a &gt; b" time="0.01" file="a.test.ts" line="2" assertions="1" />
    <testcase name="takes &quot;one&quot; &amp; fails" time="0.01" file="a.test.ts" line="3">
      <failure type="AssertionError" message="no">expected &lt;1&gt;&#10;      at a.test.ts:3:5&#10;</failure>
    </testcase>
    <testcase name="is late" time="0.1" file="b.test.ts" line="4">
      <failure type="TimeoutError" message="test timed out" />
    </testcase>
    <testcase name="needs a server" time="0" file="b.test.ts" line="5">
      <skipped />
    </testcase>
  </testsuite>
</testsuites>`;

test('counts, skips, and failures with their reason', () => {
  expect(countsOf(REPORT)).toEqual({
    passed: 1,
    failures: [
      'failed: a.test.ts: takes "one" & fails\n    expected <1>\n          at a.test.ts:3:5',
      'failed: b.test.ts: is late\n    test timed out',
    ],
    skipped: ['needs a server'],
  });
});

test('a long reason is cut', () => {
  const [failure = ''] = countsOf(REPORT.replace('expected', 'x'.repeat(5_000))).failures;
  expect(failure.length).toBeLessThan(2_000);
});
