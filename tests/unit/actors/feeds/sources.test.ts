// What is asked for: windows on the market's own operating days, URLs as the operators describe them, pages,
// and what can no longer be asked.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { marketCalendar, type OperatingDay } from '../../../../actors/domain/operating-day.ts';
import { sources } from '../../../../actors/feeds/markets.ts';
import type { Nodes, Source, Window } from '../../../../actors/feeds/source.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const NOW = Date.UTC(2026, 9, 3, 12);

function sourceOf(name: string): Source {
  const found = sources.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

function day(source: Source, date: string): OperatingDay {
  const found = marketCalendar(source.market.zone).day(date);
  if (found === null) throw new Error(date);
  return found;
}

function windows(name: string, date: string, nodes: Nodes): readonly Window[] {
  const source = sourceOf(name);
  return source.windows(day(source, date), nodes);
}

function first(name: string, date: string, nodes: Nodes, nowMs = NOW): string | null {
  const source = sourceOf(name);
  const [window] = source.windows(day(source, date), nodes);
  return window === undefined ? null : (source.request(window, window, nowMs)?.path ?? null);
}

describe('CAISO', () => {
  for (const [date, from, to, hours] of [
    ['2026-03-08', '20260308T08:00-0000', '20260309T07:00-0000', 23],
    ['2026-07-01', '20260701T07:00-0000', '20260702T07:00-0000', 24],
    ['2026-11-01', '20261101T07:00-0000', '20261102T08:00-0000', 25],
  ] as const) {
    test(`${date} is asked whole, from Pacific midnight to Pacific midnight: ${hours} hours`, () => {
      expect(first('caiso.dam', date, ['TH_SP15_GEN-APND', 'TH_NP15_GEN-APND'])).toBe(
        `SingleZip?resultformat=6&queryname=PRC_LMP&version=12&market_run_id=DAM&startdatetime=${from}` +
          `&enddatetime=${to}&node=TH_SP15_GEN-APND,TH_NP15_GEN-APND`,
      );
      expect(windows('caiso.rtm', date, 'all')).toHaveLength(hours);
    });
  }

  test('reports, versions and runs', () => {
    const said = ['caiso.rtpd', 'caiso.rtm', 'caiso.hasp'].map(
      (name) => first(name, '2026-07-01', ['A']) ?? '',
    );
    expect(said[0]).toContain('queryname=PRC_RTPD_LMP&version=3&market_run_id=RTPD');
    expect(said[1]).toContain('queryname=PRC_INTVL_LMP&version=3&market_run_id=RTM');
    expect(said[2]).toContain('queryname=PRC_HASP_LMP&version=3&market_run_id=HASP');
  });

  test('all nodes: a day of day-ahead, an hour of real time, by name of the hour', () => {
    expect(first('caiso.dam', '2026-07-01', 'all')).toContain('&grp_type=ALL_APNODES');
    const ids = windows('caiso.rtpd', '2026-11-01', 'all').map((each) => each.id);
    expect(ids.slice(0, 4)).toEqual([1, 2, 25, 3].map((he) => `2026-11-01/he${String(he).padStart(2, '0')}`));
  });

  test('a group is one operating hour of real time', () => {
    expect(first('caiso.rtm-group', '2026-07-01', 'all')).toBe(
      'GroupZip?groupid=RTM_LMP_GRP&resultformat=6&version=3&startdatetime=20260701T07:00-0000' +
        '&enddatetime=20260701T08:00-0000',
    );
  });

  test('at most ten nodes a request, each node in one', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,6}$/), { minLength: 1, maxLength: 45 }),
        (nodes) => {
          const found = windows('caiso.dam', '2026-07-01', nodes);
          expect(found.flatMap((each) => each.nodes)).toEqual(nodes);
          for (const each of found) expect(each.nodes.length).toBeLessThanOrEqual(10);
        },
      ),
    );
  });
});

describe('every source', () => {
  const dates = fc.date({ min: new Date('2015-01-01'), max: new Date('2035-12-31'), noInvalidDate: true });
  test('windows tile the operating days without overlap, and touch fewer than 31', () => {
    for (const source of sources) {
      fc.assert(
        fc.property(dates, (date) => {
          const calendar = marketCalendar(source.market.zone);
          const start = calendar.dayOf(date.getTime());
          let from = start;
          const found: Window[] = [];
          for (let n = 0; n < 14; n += 1) {
            found.push(...source.windows(from, 'all'));
            from = calendar.dayOf(from.endMs);
          }
          for (const [n, each] of found.entries()) {
            const next = found[n + 1];
            if (next !== undefined) expect(next.startMs).toBe(each.endMs);
            expect(each.endMs - each.startMs).toBeLessThan(30 * 24 * HOUR);
          }
          expect(new Set(found.map((each) => each.id)).size).toBe(found.length);
        }),
        { numRuns: 20 },
      );
    }
  });
});

describe('MISO', () => {
  test('reports by file name', () => {
    expect(first('miso.da-exante', '2026-10-01', 'all')).toBe('20261001_da_exante_lmp.csv');
    expect(first('miso.da-expost', '2026-10-01', 'all')).toBe('20261001_da_expost_lmp.csv');
    expect(first('miso.rt-prelim', '2026-10-01', 'all')).toBe('20261001_rt_lmp_prelim.csv');
    expect(first('miso.rt-final', '2026-10-01', 'all')).toBe('20261001_rt_lmp_final.csv');
  });

  test('days are Eastern Standard all year, 24 hours on the days of daylight saving', () => {
    for (const date of ['2026-03-08', '2026-07-01', '2026-11-01']) {
      const [window] = windows('miso.da-expost', date, 'all');
      expect(window?.startMs).toBe(Date.parse(`${date}T05:00:00Z`));
      expect((window?.endMs ?? 0) - (window?.startMs ?? 0)).toBe(24 * HOUR);
    }
  });

  test('the weekly archive is named by the Monday two weeks later', () => {
    expect(first('miso.rt5-final', '2026-09-14', 'all')).toBe('20260928_5MIN_LMP.zip');
    expect(windows('miso.rt5-final', '2026-09-15', 'all')).toEqual([]);
  });

  test('five minutes: today rolling, the newest alone current, yesterday previous, older not at all', () => {
    const source = sourceOf('miso.rt5-expost');
    const [today] = windows('miso.rt5-expost', '2026-10-03', 'all');
    if (today === undefined) throw new Error('no window');
    const pathOf = (window: Window, startMs: number) =>
      source.request(window, { startMs, endMs: NOW }, NOW)?.path;
    expect(pathOf(today, today.startMs)).toBe('MarketPricing/GetRealTimeFiveMinExPost/Rolling');
    expect(pathOf(today, NOW - 7 * 60_000)).toBe('MarketPricing/GetRealTimeFiveMinExPost/Current');
    expect(first('miso.rt5-expost', '2026-10-02', 'all')).toBe(
      'MarketPricing/GetRealTimeFiveMinExPost/Previous',
    );
    expect(first('miso.rt5-expost', '2026-10-01', 'all')).toBeNull();
    expect(first('miso.rt5-expost', '2026-10-04', 'all')).toBeNull();
  });

  test('Data Exchange: a key by name, pages until the last, an hour without a zero in front', () => {
    const source = sourceOf('miso.exchange-rt-final');
    const [window] = windows(source.name, '2026-10-01', 'all');
    if (window === undefined) throw new Error('no window');
    const ask = source.request(window, window, NOW);
    expect(ask?.path).toBe(
      'real-time/2026-10-01/lmp-expost?timeResolution=hourly&preliminaryFinal=Final&pageNumber=1',
    );
    expect(ask?.secret).toEqual({ name: 'MISO_API_KEY', header: 'Ocp-Apim-Subscription-Key' });
    const hour = source.request(window, { startMs: window.startMs, endMs: window.startMs + HOUR }, NOW);
    expect(hour?.path).toContain('&interval=1&');
    const page = (pageNumber: number, lastPage: boolean) => ({
      status: 200,
      contentType: '',
      retryAfter: null,
      bytes: new TextEncoder().encode(JSON.stringify({ data: [], page: { pageNumber, lastPage } })),
    });
    if (ask === null) throw new Error('no request');
    const second = source.nextPage?.(ask, page(1, false)) ?? null;
    if (second === null || 'reason' in second) throw new Error('no second page');
    expect(second.path).toContain('pageNumber=2');
    expect(source.nextPage?.(second, page(2, true))).toBeNull();
    const wrong = { reason: 'malformed' as const, detail: 'page 1 came for page 2' };
    expect(source.nextPage?.(second, page(1, false))).toEqual(wrong);
    expect(source.nextPage?.(second, page(1, true))).toEqual(wrong);
  });

  test('Data Exchange, five minutes: the time at which they start, preliminary and final apart', () => {
    for (const [name, settlement] of [
      ['miso.exchange-rt5-prelim', 'Preliminary'],
      ['miso.exchange-rt5-final', 'Final'],
    ] as const) {
      const source = sourceOf(name);
      const [window] = windows(name, '2026-10-01', ['INDIANA.HUB']);
      if (window === undefined) throw new Error('no window');
      const startMs = window.startMs + 13 * HOUR + 5 * MINUTE;
      const one = new URLSearchParams(
        source.request(window, { startMs, endMs: startMs + 5 * MINUTE }, NOW)?.path.split('?')[1],
      );
      expect(Object.fromEntries(one)).toEqual({
        timeResolution: '5min',
        preliminaryFinal: settlement,
        node: 'INDIANA.HUB',
        interval: '13:05',
        pageNumber: '1',
      });
      expect(source.request(window, window, NOW)?.path).not.toContain('interval=');
    }
  });

  for (const [name, minutes] of [
    ['miso.rt5-exante', 5],
    ['miso.table-rt5', 5],
    ['miso.table-hour', 60],
  ] as const) {
    test(`${name}: asked for the interval that ended last, over midnight too, and for none before`, () => {
      const source = sourceOf(name);
      const [window] = windows(name, '2026-10-02', 'all');
      if (window === undefined) throw new Error('no window');
      const step = minutes * MINUTE;
      const asked = (endMs: number, nowMs: number) =>
        source.request(window, { startMs: window.startMs, endMs }, nowMs) !== null;
      const served = (nowMs: number) => (source.oldestMs(nowMs) ?? 0) < window.endMs;
      for (const endMs of [window.startMs + step, window.startMs + 12 * HOUR, window.endMs]) {
        const out = endMs + 2 * MINUTE;
        expect([asked(endMs, out), served(out)]).toEqual([true, true]);
        expect([asked(endMs, out + step - 1), served(out + step - 1)]).toEqual([true, true]);
        expect(asked(endMs, out + step)).toBe(false);
      }
      expect(served(window.endMs + 2 * MINUTE + step)).toBe(false);
    });
  }
});
