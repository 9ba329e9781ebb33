// MISO's weekly archive and its Data Exchange: what they say becomes records, what they cannot is refused.

import { expect, test } from 'bun:test';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import { textResponse } from '../../../support/recordings.ts';
import { zipOf } from '../../../support/zips.ts';

const HEAD = 'MISO\nReal-Time Final\nWeek of 09/14/2026\n\n';
const COLUMNS = 'MKTHOUR_EST,PNODENAME,LMP,CON_LMP,LOSS_LMP';

function archive(lines: readonly string[], footer = 'Copyright: no warranty\n') {
  const text = `${HEAD}${COLUMNS}\n${lines.join('\n')}\n${footer}`;
  return textResponse('20260928_5MIN_LMP.zip', zipOf({ '20260928_5MIN_LMP.csv': text }));
}

test('the archive: head and foot left out, each row an interval of final five-minute prices', () => {
  const response = archive([
    '09/14/2026 00:00,INDIANA.HUB,25.10,1.20,-.30',
    '9/14/2026 0:05,INDIANA.HUB,26,1,0',
  ]);
  const feed = findFeed(response);
  expect(feed?.name).toBe('miso.archive');
  const parsed = feed?.parse(response);
  expect(parsed?.ledger).toEqual({ rowsRead: 2, rowsUsed: 2, rowsRefused: 0 });
  const midnight = Date.parse('2026-09-14T05:00:00Z') * 1_000;
  expect(parsed?.records).toMatchObject([
    { run: 'RT5_FINAL', interval_start: midnight, values: { LMP: '25.10', MCC: '1.20', MLC: '-.30' } },
    { run: 'RT5_FINAL', interval_start: midnight + 300_000_000, interval_end: midnight + 600_000_000 },
  ]);
});

test('the archive: a bad row is refused, the others are used; without a footer nothing is lost', () => {
  const response = archive(
    ['02/30/2026 00:00,A,1,1,1', '09/14/2026 00:00,A,1,x,1', '09/14/2026 00:05,A,1,1,1'],
    '',
  );
  const parsed = findFeed(response)?.parse(response);
  expect(parsed?.ledger.rowsRead).toBe(3);
  expect(parsed?.refused.map((each) => each.row)).toEqual([1, 2]);
  expect(parsed?.records).toHaveLength(2);
});

const row = (more: object) => ({
  timeInterval: {
    resolution: 'hourly',
    start: '2026-10-01T00:00:00',
    end: '2026-10-01T01:00:00',
    value: '1',
  },
  preliminaryFinal: 'Final',
  node: 'INDIANA.HUB',
  lmp: 25.1,
  mcc: '1.2',
  mec: 24.2,
  mlc: -0.3,
  ...more,
});

function page(run: string, data: unknown) {
  return textResponse(
    `exchange/${run}/real-time/2026-10-01/lmp-expost/1`,
    JSON.stringify({ data, page: {} }),
  );
}

test('Data Exchange: a row is an observation with its energy component', () => {
  const response = page('RT_FINAL', [row({})]);
  const feed = findFeed(response);
  expect(feed?.name).toBe('miso.data-exchange');
  expect(feed?.parse(response).records).toMatchObject([
    {
      run: 'RT_FINAL',
      interval_start: Date.parse('2026-10-01T05:00:00Z') * 1_000,
      interval_end: Date.parse('2026-10-01T06:00:00Z') * 1_000,
      values: { LMP: '25.1', MCC: '1.2', MEC: '24.2', MLC: '-0.3' },
    },
  ]);
});

test('Data Exchange: preliminary and final are never mixed', () => {
  const response = page('RT_FINAL', [row({ preliminaryFinal: 'Preliminary' }), row({})]);
  const parsed = findFeed(response)?.parse(response);
  expect(parsed?.records).toHaveLength(1);
  expect(parsed?.refused).toMatchObject([{ row: 1, reason: 'unknown_run' }]);
});

test('Data Exchange: rows without node or time are refused, a body without rows is unknown', () => {
  const response = page('RT_FINAL', [row({ node: '' }), row({ timeInterval: null }), 7]);
  expect(findFeed(response)?.parse(response).refused).toHaveLength(3);
  const other = page('RT_FINAL', 'none');
  expect(findFeed(other)?.parse(other).refusal?.reason).toBe('unknown_format');
});

const fiveMinutes = (more: object) =>
  row({
    timeInterval: {
      resolution: '5min',
      start: '2026-10-01T13:05:00.000',
      end: '2026-10-01T13:10:00.000',
      value: '13:05',
    },
    ...more,
  });

test('Data Exchange, five minutes: a row says itself when it starts and ends, whatever its label', () => {
  const startUs = Date.parse('2026-10-01T18:05:00Z') * 1_000;
  for (const value of ['13:05', '13:10']) {
    const said = fiveMinutes({ preliminaryFinal: 'Preliminary' });
    const response = page('RT5_EXPOST', [{ ...said, timeInterval: { ...said.timeInterval, value } }]);
    expect(findFeed(response)?.parse(response).records).toMatchObject([
      { run: 'RT5_EXPOST', interval_start: startUs, interval_end: startUs + 300_000_000 },
    ]);
  }
});

test('Data Exchange, five minutes: no final among the preliminary, no hour among them', () => {
  for (const [run, right, wrong] of [
    ['RT5_EXPOST', 'Preliminary', 'Final'],
    ['RT5_FINAL', 'Final', 'Preliminary'],
  ] as const) {
    const rows = [fiveMinutes({ preliminaryFinal: right }), fiveMinutes({ preliminaryFinal: wrong })];
    const response = page(run, [...rows, row({ preliminaryFinal: right })]);
    const parsed = findFeed(response)?.parse(response);
    expect(parsed?.records).toHaveLength(1);
    expect(parsed?.refused.map((each) => each.reason)).toEqual(['unknown_run', 'bad_interval']);
  }
});
