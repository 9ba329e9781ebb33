// MISO's feeds on responses that were tampered with or broken: the check of the energy component, the runs
// that reports belong to, dates and rows that are none.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { Parsed } from '../../../../actors/feeds/feed.ts';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import { estInstant } from '../../../../actors/feeds/miso.ts';
import { recording, textResponse } from '../../../support/recordings.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const report = readFileSync(recording('20110716_da_lmp'), 'utf8');
const fiveMinute = readFileSync(recording('GetRealTimeFiveMinExPost'), 'utf8');
const exAnte = readFileSync(recording('GetExAnteLmp'), 'utf8');

function parse(text: string, name = 'response'): Parsed {
  const response = textResponse(name, text);
  const feed = findFeed(response);
  if (feed === null) throw new Error('no feed reads it');
  return feed.parse(response);
}

function tampered(text: string, from: string, to: string): string {
  expect(text.split(from).length).toBe(2);
  return text.replace(from, to);
}

describe('the energy component', () => {
  test('a price that is off by a cent is named with its hour and node', () => {
    const { warnings, records, ledger } = parse(
      tampered(report, 'AECI,Interface,LMP,24.07,', 'AECI,Interface,LMP,24.08,'),
    );
    expect(warnings).toEqual([
      '2011-07-16T05:00:00Z: 1 of 1797 nodes are off the energy component 25.37 $/MWh: AECI 25.38',
    ]);
    expect(records.length).toBe(43_128);
    expect(ledger.rowsRefused).toBe(0);
  });

  test('two rows exchanged between nodes are found in every hour in which they differ', () => {
    const lines = report.split('\n');
    const at = lines.findIndex((line) => line.startsWith('AEC,Interface,LMP,'));
    const [a = '', b = ''] = [lines[at], lines[at + 1]];
    const swapped = [...lines];
    swapped[at] = b.replace('AECI,', 'AEC,');
    swapped[at + 1] = a.replace('AEC,', 'AECI,');
    const differing = a
      .split(',')
      .slice(3)
      .filter((cell, n) => cell !== b.split(',')[n + 3]).length;
    expect(parse(swapped.join('\n')).warnings.length).toBe(differing);
  });

  test('a five-minute price is checked in its interval', () => {
    const { data }: { data: string[][] } = JSON.parse(fiveMinute);
    const [interval = '', node = '', lmp = ''] = data[30] ?? [];
    const row = `["${interval}","${node}","${lmp}"`;
    const { warnings } = parse(tampered(fiveMinute, row, `["${interval}","${node}","999.99"`));
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain(`1 of 22 nodes`);
    expect(warnings[0]).toContain(node);
  });

  test('nodes in any order within an interval give the same records', () => {
    const body: { headers: string[]; data: string[][] } = JSON.parse(fiveMinute);
    const bare = (of: Parsed) => of.records.map(({ source: _, ...record }) => record);
    const turned = JSON.stringify({ ...body, data: body.data.toReversed() });
    expect(bare(parse(turned))).toEqual(bare(parse(fiveMinute)));
    expect(parse(turned).warnings).toEqual([]);
  });
});

describe('the run of a report', () => {
  const lines = report.split('\n');
  const nodes = lines.slice(5, 9).map((line) => line.slice(0, line.indexOf(',') + 1));
  const rows = lines.slice(5).filter((line) => nodes.some((node) => line.startsWith(node)));
  const small = [...lines.slice(0, 5), ...rows].join('\n');

  test.each([
    ['Day Ahead Market LMPs', '20110716_da_lmp.csv', 'DA_EXPOST'],
    ['Day Ahead Market ExPost LMPs', '20260714_da_expost_lmp.csv', 'DA_EXPOST'],
    ['Day Ahead Market ExAnte LMPs', '20260714_da_exante_lmp.csv', 'DA_EXANTE'],
    ['Realtime Market LMPs', '20260714_rt_lmp_final.csv', 'RT_FINAL'],
    ['Real-Time Market LMPs', '20260714_rt_lmp_prelim.csv', 'RT_PRELIM'],
  ])('%s in %s is %s', (title, name, run) => {
    const { records } = parse(small.replace('Day Ahead Market LMPs', title), name);
    expect(new Set(records.map((each) => each.run))).toEqual(new Set([run]));
    expect(records.length).toBe(4 * 24);
  });

  test('a date may have one digit for its month', () => {
    expect(parse(small.replace('07/16/2011', '9/6/2026')).records[0]?.interval_start).toBe(
      Date.UTC(2026, 8, 6, 5) * 1_000,
    );
  });
});

describe('a report that is damaged', () => {
  test.each(['02/30/2011', '13/01/2011', '00/10/2011', '2011-07-16', ''])('date %p is refused', (date) => {
    const { refusal, records } = parse(report.replace('07/16/2011', date));
    expect(refusal?.reason).toBe('unknown_format');
    expect(refusal?.detail).toContain('a date');
    expect(records).toEqual([]);
  });

  test('a row that was cut is refused with its number, and the others are used', () => {
    const lines = report.trimEnd().split('\n');
    const last = lines.pop() ?? '';
    const { refused, ledger, records } = parse([...lines, last.slice(0, 40)].join('\n'));
    expect(refused.map(({ row, reason }) => [row, reason])).toEqual([[5_391, 'missing_field']]);
    expect(refused[0]?.detail).toContain('the header 27');
    expect(ledger).toEqual({ rowsRead: 5_391, rowsUsed: 5_390, rowsRefused: 1 });
    // The node keeps its LMP and congestion; its loss is unknown.
    expect(records.length).toBe(43_128);
    expect(records.filter((each) => !('MLC' in each.values)).length).toBe(24);
  });

  test.each(['NaN', '1e309', 'Infinity', '', '12,5', '--1', '0x10', '1 000'])(
    'price %p is refused',
    (text) => {
      const cells = text.includes(',') ? `"${text}"` : text;
      const broken = tampered(report, 'AECI,Interface,LMP,24.07,', `AECI,Interface,LMP,${cells},`);
      const { refused, ledger, records } = parse(broken);
      expect(refused.map(({ row, reason, field }) => [row, reason, field])).toEqual([
        [2, 'wrong_type', 'LMP'],
      ]);
      expect(ledger).toEqual({ rowsRead: 5_391, rowsUsed: 5_390, rowsRefused: 1 });
      expect(records.length).toBe(43_128);
    },
  );

  test('a component that is none, or given twice and unlike, is refused by its row', () => {
    const strange = tampered(report, 'AECI,Interface,LMP,', 'AECI,Interface,MEC,');
    expect(parse(strange).refused.map(({ row, reason }) => [row, reason])).toEqual([
      [2, 'unknown_data_type'],
    ]);
    const twice = report.replace('AECI,Interface,LMP,24.07', 'AEC,Interface,LMP,24.07');
    const { refused, ledger } = parse(twice);
    expect(new Set(refused.map(({ row, reason }) => `${row} ${reason}`))).toEqual(
      new Set(['2 validation_rule']),
    );
    expect(ledger.rowsRefused).toBe(1);
  });

  test('without a column of hours there is nothing to read', () => {
    const { refusal } = parse(report.replaceAll('HE ', 'Hour '));
    expect(refusal?.reason).toBe('unknown_format');
    expect(refusal?.detail).toContain('HE 1');
  });
});

describe('the public API, broken', () => {
  const body: { headers: string[]; data: unknown[] } = JSON.parse(fiveMinute);
  const withRow = (row: unknown): Parsed =>
    parse(JSON.stringify({ ...body, data: [row, ...body.data.slice(1)] }));

  test('text that is cut is refused with the reason', () => {
    const { refusal } = parse(fiveMinute.slice(0, -500));
    expect(refusal?.reason).toBe('malformed');
    expect(refusal?.detail).toStartWith('not JSON: ');
  });

  test.each([
    [['2026-10-01T00:05:00', 'A', '1.00', '0.00'], 'missing_field'],
    ['text', 'missing_field'],
    [null, 'missing_field'],
    [{ INTERVAL: 'x' }, 'missing_field'],
    [['2026-02-30T00:05:00', 'A', '1', '0', '0'], 'bad_time'],
    [['2026-10-01 00:05', 'A', '1', '0', '0'], 'bad_time'],
    [['2026-10-01T00:05:00Z', 'A', '1', '0', '0'], 'bad_time'],
    [['2026-10-01T00:05:00', '', '1', '0', '0'], 'bad_time'],
    [['2026-10-01T00:05:00', { a: 1 }, '1', '0', '0'], 'bad_time'],
    [['2026-10-01T00:05:00', 'A', ['1'], '0', '0'], 'wrong_type'],
    [['2026-10-01T00:05:00', 'Ä', '1', '0', '0'], 'wrong_type'],
    [['2026-10-01T00:05:00', 'A', 'NaN', '0', '0'], 'wrong_type'],
  ] as const)('row %j is refused: %s', (row, reason) => {
    const { refused, ledger } = withRow(row);
    expect(new Set(refused.map((each) => `${each.row} ${each.reason}`))).toEqual(new Set([`1 ${reason}`]));
    expect(ledger).toEqual({ rowsRead: 264, rowsUsed: 263, rowsRefused: 1 });
  });

  test('a row of any depth is refused, and nothing is thrown', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const { refused, ledger } = parse(`{"headers":["INTERVAL","CPNODE","LMP","MLC","MCC"],"data":[${deep}]}`);
    expect(refused.map(({ reason }) => reason)).toEqual(['missing_field']);
    expect(ledger.rowsRefused).toBe(1);
  });

  test('other columns are another format', () => {
    const { refusal } = parse(fiveMinute.replace('"INTERVAL"', '"MKTHOUR"'));
    expect(refusal).toMatchObject({ reason: 'unknown_format' });
    expect(refusal?.detail).toContain('INTERVAL, CPNODE');
  });

  test.each(['31-Feb-2026 - Interval 16:50 EST', '02-Okt-2026 - Interval 16:50 EST', '02-Oct-2026', ''])(
    'RefId %p is no time',
    (refId) => {
      const { refusal } = parse(tampered(exAnte, '02-Oct-2026 - Interval 16:50 EST', refId));
      expect(refusal?.reason).toBe('unknown_format');
      expect(refusal?.detail).toContain('RefId');
    },
  );

  test('a hub without name, or with a price that is none, is refused alone', () => {
    const found = JSON.parse(exAnte);
    found.LMPData.ExAnteLMP.Hub[0].name = null;
    found.LMPData.ExAnteLMP.Hub[1].LMP = '1e309';
    const { refused, records, ledger } = parse(JSON.stringify(found));
    expect(refused.map(({ row, reason }) => [row, reason])).toEqual([
      [1, 'missing_field'],
      [2, 'wrong_type'],
    ]);
    expect(ledger).toEqual({ rowsRead: 9, rowsUsed: 7, rowsRefused: 2 });
    expect(records.length).toBe(8);
  });
});

test('an Eastern Standard time has no daylight saving and no day that is none', () => {
  expect(estInstant('2026-07-01T00:00:00')).toBe(Date.UTC(2026, 6, 1, 5));
  expect(estInstant('2026-01-01T00:00:00')).toBe(Date.UTC(2026, 0, 1, 5));
  expect(estInstant('2026-04-31T00:00:00')).toBeNull();
  expect(estInstant('2026-04-30T24:30:00')).toBeNull();
});

describe('a report that is cut', () => {
  const head = 'Realtime Market LMPs\n10/2/2026\n\n,,,EST\nNode,Type,Value,HE 1,HE 2\n';
  const rows = ['LMP', 'MCC', 'MLC'].flatMap((of) =>
    ['A', 'B', 'C'].map((node) => `${node},Hub,${of},10.5,12.5\n`),
  );
  const whole = head + rows.join('');

  test('at any place before its last row is refused as truncated, or holds no row', () => {
    for (let end = head.length + 1; end < whole.length - (rows.at(-1)?.length ?? 0); end += 1) {
      const { refusal, records } = parse(whole.slice(0, end), '20261002_rt_lmp_final.csv');
      const isBegun = whole.slice(head.length, end).includes('LMP');
      expect([end, refusal?.reason, records.length]).toEqual([end, isBegun ? 'truncated' : undefined, 0]);
    }
    expect(parse(whole, '20261002_rt_lmp_final.csv').records).toHaveLength(6);
  });

  test('but a node that lacks one of its rows costs nothing else', () => {
    for (const [n, row] of rows.slice(0, -1).entries()) {
      const text = head + rows.filter((_, at) => at !== n).join('');
      const { refusal, records } = parse(text, '20261002_rt_lmp_final.csv');
      expect([row, refusal]).toEqual([row, undefined]);
      expect(records.length).toBeGreaterThanOrEqual(4);
    }
  });

  test('the recording, cut at half, is refused', () => {
    expect(parse(report.slice(0, report.length / 2)).refusal?.reason).toBe('truncated');
  });
});
