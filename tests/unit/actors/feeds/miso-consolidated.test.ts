// MISO's consolidated table, built from its description (there is no recording): four blocks are four runs,
// each label is the latest interval that the table can know of, over midnight and without daylight saving.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Parsed } from '../../../../actors/feeds/feed.ts';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import { textResponse } from '../../../support/recordings.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const node = (name: string, lmp: string, more: object = {}) => ({
  name,
  region: 'Central',
  LMP: lmp,
  MLC: '-0.10',
  MCC: '0.40',
  REGMCP: '7.00',
  ...more,
});

interface Labels {
  readonly refId: string;
  readonly five: string;
  readonly hour: string;
  readonly ahead: string;
}

function table(
  { refId, five, hour, ahead }: Labels,
  nodes: readonly object[] = [node('INDIANA.HUB', '30.00')],
) {
  const block = (HourAndMin: string) => ({ HourAndMin, PricingNode: nodes });
  return {
    LMPData: {
      RefId: refId,
      FiveMinLMP: block(five),
      HourlyIntegratedLMP: block(hour),
      DayAheadExAnteLMP: block(ahead),
      DayAheadExPostLMP: block(ahead),
    },
  };
}

function parse(body: unknown): Parsed {
  const response = textResponse('GetLmpConsolidatedTable', JSON.stringify(body));
  const feed = findFeed(response);
  expect(feed?.name).toBe('miso.public-api');
  if (feed === null) throw new Error('no feed reads it');
  return feed.parse(response);
}

const AFTERNOON = { refId: '02-Oct-2026 - Interval 16:50 EST', five: '16:50', hour: 'HE 16', ahead: 'HE 17' };

function intervals({ records }: Parsed): Record<string, readonly [string, string]> {
  const iso = (us: number) => `${new Date(us / 1_000).toISOString().slice(0, 16)}Z`;
  return Object.fromEntries(
    records.map((each) => [each.run, [iso(each.interval_start), iso(each.interval_end)]]),
  );
}

test('four runs, each with the interval of its block, published at the moment the table speaks of', () => {
  const parsed = parse(table(AFTERNOON, [node('INDIANA.HUB', '30.00'), node('MINN.HUB', '30.00')]));
  expect(intervals(parsed)).toEqual({
    RT5_EXPOST: ['2026-10-02T21:45Z', '2026-10-02T21:50Z'],
    RT_PRELIM: ['2026-10-02T20:00Z', '2026-10-02T21:00Z'],
    DA_EXANTE: ['2026-10-02T21:00Z', '2026-10-02T22:00Z'],
    DA_EXPOST: ['2026-10-02T21:00Z', '2026-10-02T22:00Z'],
  });
  expect(parsed.ledger).toEqual({ rowsRead: 8, rowsUsed: 8, rowsRefused: 0 });
  expect(parsed.warnings).toEqual([]);
  for (const record of parsed.records) {
    expect(record.publication).toBe(Date.parse('2026-10-02T21:50:00Z') * 1_000);
    expect(record.values).toEqual({ LMP: '30.00', MLC: '-0.10', MCC: '0.40' });
  }
});

test('at midnight the hour that is over belongs to the day before', () => {
  const midnight = { refId: '03-Oct-2026 - Interval 00:00 EST', five: '00:00', hour: 'HE 24', ahead: 'HE 1' };
  expect(intervals(parse(table(midnight)))).toMatchObject({
    RT5_EXPOST: ['2026-10-03T04:55Z', '2026-10-03T05:00Z'],
    RT_PRELIM: ['2026-10-03T04:00Z', '2026-10-03T05:00Z'],
    DA_EXPOST: ['2026-10-03T05:00Z', '2026-10-03T06:00Z'],
  });
  const after = { refId: '03-Oct-2026 - Interval 00:40 EST', five: '00:40', hour: 'HE 24', ahead: 'HE 1' };
  expect(intervals(parse(table(after))).RT_PRELIM).toEqual(['2026-10-03T04:00Z', '2026-10-03T05:00Z']);
});

test('any five minutes of 2015 to 2035: the labels of a wall clock that is always five hours behind', () => {
  const FIRST = Date.UTC(2015, 0, 1, 5);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 * 365 * 288 }), (n) => {
      const endMs = FIRST + n * 5 * MINUTE;
      const [wall, begun] = [new Date(endMs - 5 * HOUR), new Date(endMs - 5 * HOUR - 1)];
      const two = (value: number) => String(value).padStart(2, '0');
      const time = `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}`;
      const day = `${two(wall.getUTCDate())}-${MONTHS[wall.getUTCMonth()]}-${wall.getUTCFullYear()}`;
      const isOver = wall.getUTCMinutes() === 0;
      const over = isOver ? begun.getUTCHours() + 1 : wall.getUTCHours() === 0 ? 24 : wall.getUTCHours();
      const labels = {
        refId: `${day} - Interval ${time} EST`,
        five: time,
        hour: `HE ${over}`,
        ahead: `HE ${begun.getUTCHours() + 1}`,
      };
      const starts = new Map(
        parse(table(labels)).records.map((each) => [each.run, each.interval_start / 1_000]),
      );
      const hourMs = Math.floor((endMs - 1) / HOUR) * HOUR;
      expect(Object.fromEntries(starts)).toEqual({
        RT5_EXPOST: endMs - 5 * MINUTE,
        RT_PRELIM: isOver ? hourMs : hourMs - HOUR,
        DA_EXANTE: hourMs,
        DA_EXPOST: hourMs,
      });
    }),
    { numRuns: 300 },
  );
});

test('a block with a label that is no time is refused by row, the others are used', () => {
  for (const hour of ['HE 25', 'HE 0', '16', '']) {
    const parsed = parse(table({ ...AFTERNOON, hour }));
    expect(parsed.refused.map(({ reason, row }) => [reason, row])).toEqual([['bad_time', 2]]);
    expect(parsed.records.map(({ run }) => run).sort()).toEqual(['DA_EXANTE', 'DA_EXPOST', 'RT5_EXPOST']);
  }
  const parsed = parse(table({ ...AFTERNOON, five: '16:61' }, [node('', '1'), node('A', 'x')]));
  // A price that is none is left out; the rest of its row is as it came.
  expect(parsed.records.map(({ values }) => Object.keys(values).sort())).toEqual(
    Array(3).fill(['MCC', 'MLC']),
  );
  expect(parsed.ledger).toEqual({ rowsRead: 8, rowsUsed: 0, rowsRefused: 8 });
});

test('the energy component is checked in each run apart', () => {
  const one = table(AFTERNOON, [node('A', '30.00'), node('B', '30.00')]);
  one.LMPData.DayAheadExPostLMP.PricingNode = [node('A', '31.00'), node('B', '31.00')];
  expect(parse(one).warnings).toEqual([]);
  one.LMPData.DayAheadExPostLMP.PricingNode = [node('A', '31.00'), node('B', '31.00'), node('C', '31.01')];
  expect(parse(one).warnings).toEqual([
    '2026-10-02T21:00:00Z: 1 of 3 nodes are off the energy component 30.7 $/MWh: C 30.71',
  ]);
});

test('without a moment, or without a block, it is of no known format', () => {
  const { LMPData } = table(AFTERNOON);
  for (const body of [
    { ...LMPData, RefId: '32-Oct-2026 - Interval 16:50 EST' },
    { ...LMPData, RefId: null },
  ]) {
    expect(parse({ LMPData: body }).refusal?.reason).toBe('unknown_format');
  }
  expect(parse({ LMPData: { RefId: LMPData.RefId, FiveMinLMP: null } }).refusal?.reason).toBe(
    'unknown_format',
  );
});
