// Every file of the recordings, held to what is written about it, to a reader that shares no code with the
// feeds, and to its own lines: rows, nodes, intervals, ticks, values verbatim, the rows each came from.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { Parsed } from '../../../../actors/feeds/feed.ts';
import { findFeed } from '../../../../actors/feeds/markets.ts';
import { readRecording } from '../../../oracle/read.ts';
import { goodRecordings, recording, responseOf, textResponse } from '../../../support/recordings.ts';

/** Whole recordings, on a machine that has other work too. */
setDefaultTimeout(60_000);

const parsed = new Map<string, Parsed>();

function parse(path: string): Parsed {
  const found = parsed.get(path) ?? parseNow(path);
  parsed.set(path, found);
  return found;
}

function parseNow(path: string): Parsed {
  const response = responseOf(path);
  const feed = findFeed(response);
  if (feed === null) throw new Error(`no feed reads ${response.name}`);
  return feed.parse(response);
}

/** [part of the name, rows, nodes, intervals, ticks, runs], as the recordings' own notes say. */
const COUNTS = [
  ['RTPD_20230213_13_30_51', 19_195, 10, 384, 3_839, 'RTPD'],
  ['RTPD_20230213_13_35_13', 5_760, 3, 384, 1_152, 'RTPD'],
  ['lmp1Day', 1_152, 1, 288, 288, 'RTM'],
  ['lmp1Hour', 48, 1, 12, 12, 'RTM'],
  ['lmp5Min', 5, 1, 1, 1, 'RTM'],
  ['20190201_20190301', 8_076, 3, 672, 2_016, 'DAM'],
  ['20190301_20190401', 8_916, 3, 743, 2_229, 'DAM'],
  ['20200101_20200101_PRC', 162_848, 1_700, 24, 40_712, 'DAM'],
  ['20240418_20240420', 480, 3, 32, 96, 'DAM'],
  ['20221025_20221026', 840, 7, 24, 168, 'DAM'],
  ['pull0_PRC_HASP', 11_520, 1, 2_880, 2_880, 'HASP'],
  ['20110716_da_lmp', 5_391, 1_797, 24, 43_128, 'DA_EXPOST'],
  ['GetRealTimeFiveMinExPost', 264, 22, 12, 264, 'RT5_EXPOST'],
  ['GetExAnteLmp', 9, 9, 1, 9, 'RT5_EXANTE'],
] as const;

describe('every good recording', () => {
  test('is among those counted', () => {
    expect(goodRecordings()).toEqual(COUNTS.map(([part]) => recording(part)).sort());
  });

  test.each(COUNTS)(
    '%s: %d rows, %d nodes, %d intervals, %d ticks',
    (part, rows, nodes, times, ticks, run) => {
      const { records, refused, ledger, warnings, refusal } = parse(recording(part));
      expect(refusal).toBeUndefined();
      expect(ledger).toEqual({ rowsRead: rows, rowsUsed: rows, rowsRefused: 0 });
      expect(records.length).toBe(ticks);
      expect(new Set(records.map((each) => each.delivery_location)).size).toBe(nodes);
      expect(new Set(records.map((each) => each.interval_start)).size).toBe(times);
      expect(new Set(records.map((each) => each.run))).toEqual(new Set([run]));
      expect(refused).toEqual([]);
      expect(warnings).toEqual([]);
    },
  );

  test.each(COUNTS)(
    '%s: values verbatim, times and publication as an independent reader has them',
    (part) => {
      const path = recording(part);
      const key = (of: { run: string; location: string; startMs: number }) =>
        `${of.run}|${of.location}|${of.startMs}`;
      const wanted = new Map(readRecording(path).map((each) => [key(each), each]));
      const { records } = parse(path);
      const off: string[] = [];
      for (const record of records) {
        const startMs = record.interval_start / 1_000;
        const found = wanted.get(key({ run: record.run, location: record.delivery_location, startMs }));
        const names = { loss: 'MLC', congestion: 'MCC' };
        const values = new Map(
          (found?.values ?? '').split(',').map((each): [string, string] => {
            const [name = '', text = ''] = each.split('=');
            return [Object.entries(names).find(([from]) => from === name)?.[1] ?? name, text];
          }),
        );
        const same =
          found !== undefined &&
          found.endMs * 1_000 === record.interval_end &&
          values.size === Object.keys(record.values).length &&
          [...values].every(([name, text]) => record.values[name] === text) &&
          (found.publishedMs === null || found.publishedMs * 1_000 === record.publication);
        if (!same) off.push(`${record.delivery_location} ${startMs}`);
      }
      expect(off).toEqual([]);
      expect(records.length).toBe(wanted.size);
    },
  );

  test.each(COUNTS)('%s: records are in interval order and each id is its own', (part) => {
    const { records } = parse(recording(part));
    const order = records.map((each) => `${each.interval_start}|${each.run}|${each.delivery_location}`);
    expect(order).toEqual([...order].sort());
    expect(new Set(records.map((each) => each.event_id)).size).toBe(records.length);
  });

  test.each(COUNTS)('%s: every row of the response is a part of a record, and of one only', (part, rows) => {
    const { records } = parse(recording(part));
    const seen = new Set<number>();
    // A row of a day-ahead report holds 24 hours and is a part of as many records.
    const cells = part === '20110716_da_lmp' ? 24 : part.startsWith('Get') ? 3 : 1;
    let used = 0;
    for (const record of records) {
      for (const row of record.source.rows) {
        seen.add(row);
        used += 1;
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, n) => n + 1));
    expect(used).toBe(rows * cells);
  });
});

function csvLines(path: string): string[] {
  const bytes = readFileSync(path);
  const zipped = path.endsWith('.zip') ? Object.values(unzipSync(bytes))[0] : bytes;
  return new TextDecoder()
    .decode(zipped)
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

test('the rows that a record names are the lines it was joined from', () => {
  const path = recording('20200101_20200101_PRC');
  const lines = csvLines(path);
  for (const record of parse(path).records.filter((_, n) => n % 97 === 0)) {
    const start = new Date(record.interval_start / 1_000).toISOString().slice(0, 19);
    for (const row of record.source.rows) {
      const cells = (lines[row] ?? '').split(',');
      expect(cells).toContain(record.delivery_location);
      expect(cells[0]).toStartWith(start);
      expect(Object.values(record.values)).toContain(cells[14] ?? '');
    }
    expect(record.source.rows.length).toBe(Object.keys(record.values).length);
  }
});

test('rows in reverse, and columns in another order, give the same records', () => {
  const path = recording('RTPD_20230213_13_35_13');
  const [header = '', ...lines] = csvLines(path);
  const turned = [header, ...lines.reverse()].map((line) => line.split(',').reverse().join(',')).join('\n');
  const name = path.slice(path.lastIndexOf('/') + 1);
  const response = textResponse(name, turned);
  const found = findFeed(response)?.parse(response);
  const bare = (of: Parsed | undefined) => of?.records.map(({ source: _, ...record }) => record);
  expect(bare(found)).toEqual(bare(parse(path)));
});

describe('what the recordings are known for', () => {
  const of = (part: string, location: string) =>
    parse(recording(part)).records.filter((each) => each.delivery_location === location);

  test('JAMACHA lacks its first interval, and nothing fills it', () => {
    const starts = of('RTPD_20230213_13_30_51', 'JAMACHA_6_CN7').map((each) => each.interval_start / 1_000);
    expect(starts.length).toBe(383);
    expect(starts).not.toContain(Date.UTC(2022, 8, 1, 7));
    expect(starts[0]).toBe(Date.UTC(2022, 8, 1, 7, 15));
  });

  test('hubs on and off peak stand in their own hours, which are each other’s complement', () => {
    const part = '20200101_20200101_PRC';
    const { records } = parse(recording(part));
    const hours = (suffix: string) =>
      new Set(
        records
          .filter((each) => each.delivery_location === `TH_SP15_GEN_${suffix}-APND`)
          .map((each) => each.interval_start),
      );
    const [on, off] = [hours('ONPEAK'), hours('OFFPEAK')];
    // From 16:00 on New Year's Day, all of which is off peak, to 16:00 on the day after.
    expect(on.size).toBe(10);
    expect(off.size).toBe(14);
    expect(new Set([...on, ...off]).size).toBe(24);
  });

  test('MGHG that is not published is absent from the values, never 0', () => {
    const february = parse(recording('20190201_20190301')).records;
    expect(february.filter((each) => 'MGHG' in each.values).length).toBe(12);
    const hasp = parse(recording('pull0_PRC_HASP')).records;
    expect(hasp.every((each) => Object.keys(each.values).sort().join() === 'LMP,MCC,MCE,MCL')).toBe(true);
  });

  test('MISO’s label 00:05 is the interval that ends then, in Eastern Standard', () => {
    const { records } = parse(recording('GetRealTimeFiveMinExPost'));
    const labelled = records.find((each) => each.labels.INTERVAL === '2026-10-01T00:05:00');
    expect(labelled?.interval_start).toBe(Date.UTC(2026, 9, 1, 5, 0) * 1_000);
    expect(labelled?.interval_end).toBe(Date.UTC(2026, 9, 1, 5, 5) * 1_000);
  });

  test('MISO’s HE 1 begins at midnight Eastern Standard, in summer too', () => {
    const [first] = parse(recording('20110716_da_lmp')).records;
    expect(first?.interval_start).toBe(Date.UTC(2011, 6, 16, 5) * 1_000);
    expect(first?.labels.hour_ending).toBe('1');
  });

  test('prices over 1,000 and below 0 are ordinary', () => {
    const prices = (part: string) => parse(recording(part)).records.map((each) => Number(each.values.LMP));
    expect(prices('RTPD_20230213_13_30_51').filter((each) => each > 1_000).length).toBeGreaterThan(0);
    expect(prices('20200101_20200101_PRC').filter((each) => each < 0).length).toBe(721);
  });
});

describe('an answer that is no price list', () => {
  const ERRORS = [
    ['NO_DATA_1000', 'no_data', '1000'],
    ['INVALID_REQUEST_1001', 'invalid_request', '1001'],
    ['AUP_429', 'throttled', undefined],
    ['TRUNCATED', 'truncated', undefined],
  ] as const;

  test.each(ERRORS)('%s is refused as %s', (part, reason, code) => {
    const { records, ledger, refusal } = parse(recording(part));
    expect(records).toEqual([]);
    expect(ledger).toEqual({ rowsRead: 0, rowsUsed: 0, rowsRefused: 0 });
    expect(refusal?.reason).toBe(reason);
    expect(refusal?.code).toBe(code);
    expect(refusal?.detail.length).toBeGreaterThan(10);
  });

  test('the throttle page is told by its content, under any name', () => {
    const body = readFileSync(recording('AUP_429'));
    for (const name of ['PRC_LMP.csv', 'answer.html', 'x']) {
      const response = textResponse(name, body);
      expect(findFeed(response)?.parse(response).refusal?.reason).toBe('throttled');
    }
  });
});
