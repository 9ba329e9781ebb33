// CAISO's feed over every report, form and version; zips of several files; and everything that a response
// can be broken by: each row at fault refused by its number, nothing else lost, nothing thrown.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import { fileStamp } from '../../../../actors/feeds/caiso.ts';
import type { Parsed } from '../../../../actors/feeds/feed.ts';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import {
  DAY_AHEAD,
  FIFTEEN_MINUTE,
  type OasisRow,
  oasisCsv,
  oasisHeader,
  oasisXml,
  REPORTS,
} from '../../../support/oasis.ts';
import { textResponse } from '../../../support/recordings.ts';
import { zipOf } from '../../../support/zips.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const START = Date.UTC(2022, 8, 1, 7);
const MINUTES: Readonly<Record<string, number>> = { DAM: 60, RTPD: 15, RTM: 5, HASP: 15 };
const VALUES = { LMP: '81.90019', MCE: '-.16', MCC: '0', MCL: '-7e-05', MGHG: '.92' };

function rowsOf(run: string, components: readonly string[] = Object.keys(VALUES)): OasisRow[] {
  const minutes = MINUTES[run] ?? 0;
  return ['NODE_A', 'NODE_B'].flatMap((node) =>
    [0, 1, 2].flatMap((n) =>
      components.map((component) => ({
        node,
        minutes,
        startMs: START + n * minutes * 60_000,
        component,
        text: Reflect.get(VALUES, component),
      })),
    ),
  );
}

function parse(body: string | Uint8Array, name = 'response'): Parsed {
  const response = textResponse(name, body);
  const feed = findFeed(response);
  if (feed === null) throw new Error('no feed reads it');
  return feed.parse(response);
}

const bare = (of: Parsed) =>
  of.records.map(({ run, delivery_location, interval_start, interval_end, values }) => ({
    run,
    delivery_location,
    interval_start,
    interval_end,
    values,
  }));

describe.each(REPORTS.map((each) => [each.query, each.priceColumn, each] as const))(
  '%s with %s',
  (_, __, report) => {
    const rows = rowsOf(report.run);
    const wanted = [0, 1, 2].flatMap((n) =>
      ['NODE_A', 'NODE_B'].map((node) => ({
        run: report.run,
        delivery_location: node,
        interval_start: (START + n * (MINUTES[report.run] ?? 0) * 60_000) * 1_000,
        interval_end: (START + (n + 1) * (MINUTES[report.run] ?? 0) * 60_000) * 1_000,
        values: VALUES,
      })),
    );

    test.each(['v1', 'v2', 'v3', 'v12'])('as CSV of version %s', (version) => {
      const name = `20220901_20220902_${report.query}_${report.run}_20220902_03_04_05_${version}.csv`;
      const found = parse(oasisCsv(report, rows), name);
      expect(bare(found)).toEqual(wanted);
      expect(found.ledger).toEqual({ rowsRead: 30, rowsUsed: 30, rowsRefused: 0 });
      expect(found.records[0]?.publication).toBe(Date.UTC(2022, 8, 2, 10, 4, 5) * 1_000);
    });

    test.each([1, 2, 3] as const)('as XML of schema %d', (version) => {
      const found = parse(oasisXml(report, rows, version));
      expect(bare(found)).toEqual(wanted);
      expect(found.ledger).toEqual({ rowsRead: 30, rowsUsed: 30, rowsRefused: 0 });
      expect(found.records[0]?.publication).toBe(Date.UTC(2022, 8, 2, 10) * 1_000);
    });

    test('as a zip of either', () => {
      expect(bare(parse(zipOf({ 'a.csv': oasisCsv(report, rows) })))).toEqual(wanted);
      expect(bare(parse(zipOf({ 'a.xml': oasisXml(report, rows, 1) })))).toEqual(wanted);
    });

    test('as a zip with a file for each component, in any order', () => {
      const files = Object.keys(VALUES).map((component) => {
        const name = `2022_${report.query}_${report.run}_20220902_03_04_05_${component}_v3.csv`;
        return [name, oasisCsv(report, rowsOf(report.run, [component]))] as const;
      });
      for (const order of [files, files.toReversed()]) {
        const found = parse(zipOf(Object.fromEntries(order)));
        expect(bare(found)).toEqual(wanted);
        expect(found.ledger).toEqual({ rowsRead: 30, rowsUsed: 30, rowsRefused: 0 });
      }
    });

    test('rows in any order and cells in any column give the same records', () => {
      const lines = oasisCsv(report, rows).trimEnd().split('\n');
      const header = (lines[0] ?? '').split(',');
      const columns = fc.shuffledSubarray([...header.keys()], { minLength: header.length });
      const order = fc.shuffledSubarray([...rows.keys()], { minLength: rows.length });
      fc.assert(
        fc.property(columns, order, (at, of) => {
          const turn = (line = '') => at.map((column) => line.split(',')[column]).join(',');
          const text = [lines[0], ...of.map((n) => lines[n + 1])].map(turn).join('\r\n');
          expect(bare(parse(text))).toEqual(wanted);
        }),
        { numRuns: 30 },
      );
    });
  },
);

describe('publication', () => {
  test('is Pacific wall clock in the name, also when clocks change', () => {
    expect(fileStamp('x_20230115_13_30_51_v3.csv')).toBe(Date.UTC(2023, 0, 15, 21, 30, 51));
    expect(fileStamp('x_20230715_13_30_51_v3.csv')).toBe(Date.UTC(2023, 6, 15, 20, 30, 51));
    expect(fileStamp('x_20230230_13_30_51_v3.csv')).toBeNull();
    expect(fileStamp('pull0.csv')).toBeNull();
  });

  test('of several files is the latest that they name, whichever comes last', () => {
    const file = (component: string) => oasisCsv(DAY_AHEAD, rowsOf('DAM', [component]));
    const early = ['a_20220902_03_00_00_v1.csv', file('LMP')] as const;
    const late = ['b_20220902_04_00_00_v1.csv', file('MCC')] as const;
    for (const order of [
      [early, late],
      [late, early],
    ]) {
      const { records } = parse(zipOf(Object.fromEntries(order)));
      expect(records[0]?.publication).toBe(Date.UTC(2022, 8, 2, 11) * 1_000);
    }
  });

  test('is when the response was taken, where nothing says it', () => {
    const body = oasisCsv(DAY_AHEAD, rowsOf('DAM'));
    expect(parse(body).records[0]?.publication).toBe(textResponse('x', body).takenMs * 1_000);
  });
});

describe('a row at fault', () => {
  const report = FIFTEEN_MINUTE;
  const good = oasisCsv(report, rowsOf('RTPD'));
  const header = oasisHeader(report).split(',');

  /** The report with a cell of its n-th row replaced. */
  function withCell(row: number, column: string, text: string): Parsed {
    const lines = good.trimEnd().split('\n');
    const cells = (lines[row] ?? '').split(',');
    cells[header.indexOf(column)] = text;
    lines[row] = cells.join(',');
    return parse(lines.join('\n'));
  }

  test.each([
    ['PRC', 'NaN', 'wrong_type'],
    ['PRC', '1e309', 'wrong_type'],
    ['PRC', '-Infinity', 'wrong_type'],
    ['PRC', '', 'wrong_type'],
    ['PRC', '0x1f', 'wrong_type'],
    ['PRC', '١٢', 'wrong_type'],
    ['PRC', '9'.repeat(400), 'wrong_type'],
    ['INTERVALSTARTTIME_GMT', '', 'bad_time'],
    ['INTERVALSTARTTIME_GMT', '2022-09-01T07:00:00', 'bad_time'],
    ['INTERVALSTARTTIME_GMT', '2022-02-30T07:00:00-00:00', 'bad_time'],
    ['INTERVALSTARTTIME_GMT', '2022-09-01T07:61:00-00:00', 'bad_time'],
    ['INTERVALENDTIME_GMT', 'tomorrow', 'bad_time'],
    ['INTERVALENDTIME_GMT', '2022-09-01T06:00:00-00:00', 'bad_interval'],
    ['MARKET_RUN_ID', 'XXX', 'unknown_run'],
    ['MARKET_RUN_ID', '__proto__', 'unknown_run'],
    ['MARKET_RUN_ID', 'constructor', 'unknown_run'],
    ['NODE', '', 'missing_field'],
    ['NODE', 'KNÖTCHEN', 'wrong_type'],
    ['NODE', 'N'.repeat(129), 'wrong_type'],
    ['LMP_TYPE', 'XYZ', 'unknown_data_type'],
    ['LMP_TYPE', '__proto__', 'unknown_data_type'],
    ['OPR_DT', 'd'.repeat(100), 'wrong_type'],
  ])('%s %p is refused: %s', (column, text, reason) => {
    const { refused, ledger, records } = withCell(1, column, text);
    expect(refused.map((each) => `${each.row} ${each.reason}`)).toEqual([`1 ${reason}`]);
    expect(refused[0]?.detail.length).toBeGreaterThan(10);
    expect(refused[0]?.text.length).toBeLessThanOrEqual(400);
    expect(ledger).toEqual({ rowsRead: 30, rowsUsed: 29, rowsRefused: 1 });
    expect(records.length).toBe(6);
  });

  test('a cell of ten megabytes is refused, its text cut', () => {
    for (const column of ['PRC', 'NODE', 'LMP_TYPE', 'OPR_HR', 'INTERVALSTARTTIME_GMT']) {
      const { refused, ledger } = withCell(1, column, 'x'.repeat(10_000_000));
      expect(ledger).toEqual({ rowsRead: 30, rowsUsed: 29, rowsRefused: 1 });
      expect(JSON.stringify(refused).length).toBeLessThan(1_500);
    }
  });

  test('a row that is cut, or has a cell too many, is refused: its price may be another', () => {
    const lines = good.trimEnd().split('\n');
    const at = (lines[30] ?? '').indexOf('81.9') >= 0 ? 30 : 26;
    const cut = [
      ...lines.slice(0, at),
      (lines[at] ?? '').replace(/(,\d*\.\d).*$/, '$1'),
      ...lines.slice(at + 1),
    ];
    expect(parse(cut.join('\n')).refused.map(({ row, reason }) => [row, reason])).toEqual([
      [at, 'missing_field'],
    ]);
    const more = [lines[0], `${lines[1]},1`, ...lines.slice(2)];
    expect(parse(more.join('\n')).refused.map(({ row, reason }) => [row, reason])).toEqual([
      [1, 'missing_field'],
    ]);
  });

  test('a stray quote costs its row only', () => {
    const { ledger, records } = withCell(3, 'GROUP', '"');
    expect(ledger.rowsRead).toBe(30);
    expect(records.length).toBe(6);
    expect(withCell(3, 'PRC', '"1').ledger).toEqual({ rowsRead: 30, rowsUsed: 29, rowsRefused: 1 });
  });

  test('the same component twice is used when it is alike and refused when it is not', () => {
    const lines = good.trimEnd().split('\n');
    const twice = [...lines, lines[1]].join('\n');
    expect(parse(twice).ledger).toEqual({ rowsRead: 31, rowsUsed: 31, rowsRefused: 0 });
    expect(bare(parse(twice))).toEqual(bare(parse(good)));
    const unlike = [...lines, (lines[1] ?? '').replace('81.90019', '81.9002')].join('\n');
    const { refused, ledger } = parse(unlike);
    expect(refused.map(({ row, reason }) => [row, reason])).toEqual([[31, 'validation_rule']]);
    expect(refused[0]?.detail).toContain("'81.90019' and '81.9002'");
    expect(ledger).toEqual({ rowsRead: 31, rowsUsed: 30, rowsRefused: 1 });
  });

  test('any text in any cell: every row used or refused, the others as they were', () => {
    const cell = fc.oneof(fc.string(), fc.constantFrom('__proto__', '1e309', '"', ',', '\n', '\uFEFF', '\0'));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.constantFrom(...header), cell, (row, column, text) => {
        const { ledger, refused, records } = withCell(row, column, text);
        expect(ledger.rowsUsed + ledger.rowsRefused).toBe(ledger.rowsRead);
        expect(new Set(refused.map((each) => each.row)).size).toBe(ledger.rowsRefused);
        expect(records.length).toBeGreaterThanOrEqual(6 - 1);
        expect(records.length).toBeLessThanOrEqual(7);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a response at fault', () => {
  const csv = oasisCsv(DAY_AHEAD, rowsOf('DAM'));
  const xml = oasisXml(DAY_AHEAD, rowsOf('DAM'), 1);

  test('a table without the columns of a price says which are missing', () => {
    expect(parse(csv.replace(',MW,', ',X,')).refusal).toMatchObject({
      reason: 'unknown_format',
      detail: 'an OASIS price table lacks the column MW or PRC or VALUE',
    });
    expect(parse(csv.replace(',NODE,', ',N,').replace('LMP_TYPE', 'T')).refusal?.detail).toEndWith(
      'NODE, LMP_TYPE',
    );
  });

  test('a header alone gives nothing and is no failure', () => {
    const found = parse(`${oasisHeader(DAY_AHEAD)}\n`);
    expect(found.refusal).toBeUndefined();
    expect(found.ledger).toEqual({ rowsRead: 0, rowsUsed: 0, rowsRefused: 0 });
  });

  test('an empty response, one of spaces and one in another encoding are read by no feed', () => {
    const utf16 = new Uint8Array(Buffer.from(`\uFEFF${csv}`, 'utf16le'));
    for (const body of ['', ' \n', 'hello', '{}', '[]', '<html></html>', utf16]) {
      expect(findFeed(textResponse('PRC_LMP.csv', body))).toBeNull();
    }
    expect(parse('', 'empty.zip').refusal?.reason).toBe('truncated');
  });

  test('a byte order mark is passed over; bytes that are no UTF-8 cost their row', () => {
    expect(bare(parse(`\uFEFF${csv}`))).toEqual(bare(parse(csv)));
    const latin = new Uint8Array(Buffer.from(csv.replaceAll('NODE_B', 'NODÉ_B'), 'latin1'));
    expect(parse(latin).ledger).toEqual({ rowsRead: 30, rowsUsed: 15, rowsRefused: 15 });
  });

  test.each([
    ['an entity of its own', xml.replace('?>', '?><!DOCTYPE x [<!ENTITY a "1">]>'), 'document type'],
    [
      'an entity of outside',
      xml.replace('?>', '?><!DOCTYPE x SYSTEM "file:///etc/passwd">'),
      'document type',
    ],
    ['an entity that is none', xml.replace('NODE_A', '&lol;'), 'not well formed'],
    ['text that is cut', xml.slice(0, 900), 'not well formed'],
    ['elements nested too deeply', xml.replace('<RTO>', `<RTO>${'<a>'.repeat(5_000)}`), 'nested deeper'],
    ['a tag that is not closed', xml.replace('</VALUE>', ''), 'not well formed'],
  ])('XML with %s is refused with its line', (_, body, said) => {
    const { refusal, records } = parse(body);
    expect(refusal?.reason).toBe('malformed');
    expect(refusal?.detail).toContain(said);
    expect(refusal?.detail).toMatch(/\(line \d+\)$/);
    expect(records).toEqual([]);
  });

  test('XML: a value at fault costs its row, a prefix or CDATA none', () => {
    const { refused, ledger } = parse(xml.replace('81.90019', 'NaN'));
    expect(refused.map(({ row, reason }) => [row, reason])).toEqual([[1, 'wrong_type']]);
    expect(ledger).toEqual({ rowsRead: 30, rowsUsed: 29, rowsRefused: 1 });
    const prefixed = xml.replace('xmlns=', 'xmlns:m=').replace(/<(\/?)([A-Za-z_]+)/g, '<$1m:$2');
    expect(bare(parse(prefixed))).toEqual(bare(parse(xml)));
    expect(bare(parse(xml.replace('81.90019', '<![CDATA[81.90019]]>')))).toEqual(bare(parse(xml)));
    expect(bare(parse(xml.replace('NODE_A', 'NODE&#95;A')))).toEqual(bare(parse(xml)));
  });

  test('an error beside prices in one zip refuses the whole, by the operator’s words', () => {
    const error = '<m:ERROR><m:ERR_CODE>1015</m:ERR_CODE><m:ERR_DESC>in Processing</m:ERR_DESC></m:ERROR>';
    const found = parse(zipOf({ 'a.csv': csv, 'INVALID_REQUEST.xml': error }));
    expect(found.refusal).toEqual({
      reason: 'in_process',
      detail: 'CAISO error 1015: in Processing',
      code: '1015',
    });
    expect(found.records).toEqual([]);
  });

  test.each([
    ['1000', 'no_data'],
    ['1001', 'invalid_request'],
    ['1003', 'operator_error'],
    ['1004', 'invalid_request'],
    ['1010', 'operator_error'],
    ['1015', 'in_process'],
    ['1020', 'invalid_request'],
  ])('error %s is %s', (code, reason) => {
    const error = `<m:ERROR><m:ERR_CODE>${code}</m:ERR_CODE></m:ERROR>`;
    const body = `<?xml version="1.0"?><m:OASISReport>${error}</m:OASISReport>`;
    const { refusal } = parse(body);
    expect([String(refusal?.reason), refusal?.code]).toEqual([reason, code]);
  });
});
