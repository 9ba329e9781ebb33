// Gold rows of several markets, runs, locations, days and sizes, with older versions of some, and a naive
// reading of them: filter, sort, cut. Written without the queries that it is compared with.

import * as wire from './wire-records.ts';

export interface Filter {
  readonly market?: string;
  readonly run?: string;
  readonly delivery_location?: string;
  readonly start_date?: string;
  readonly end_date?: string;
  readonly bar_type?: string;
  readonly bar_size?: string;
}

type Bar = ReturnType<typeof wire.bar>['payload'];

const TYPES = { '15M': 'custom', '1H': 'hourly', '1D': 'daily' } as const;
const DAY_US = 24 * wire.HOUR_US;

/** One bar a key, the one that stands. */
export function standingBars(): Bar[] {
  const bars: Bar[] = [];
  for (const [market, runs] of [
    ['CAISO', ['DAM', 'RTPD']],
    ['MISO', ['DA_EXPOST']],
  ] as const) {
    for (const run of runs) {
      for (const location of ['A', 'A B', 'Z.Ü']) {
        for (const day of [0, 1, 2]) {
          for (const bar_size of ['15M', '1H', '1D'] as const) {
            const bar_start = wire.START_US + day * DAY_US;
            bars.push(
              wire.bar({
                ...{ market, run, bar_size, bar_start, delivery_location: location },
                delivery_date: `2022-09-0${day + 1}`,
                bar_type: TYPES[bar_size],
                open_price: bars.length - 20.5,
                vwap: bars.length % 2 === 0 ? null : bars.length / 3,
                complete: bars.length % 3 === 0,
                row_version: 10,
                revision: 5,
              }).payload,
            );
          }
        }
      }
    }
  }
  return bars;
}

/** Bars as they are written: each standing one, older versions of every third before or after it. */
export function writtenBars(): object[] {
  return standingBars().flatMap((bar, n) => {
    const old = wire.bar({ ...bar, open_price: 9_999, revision: 1, row_version: 2 });
    const standing = wire.bar(bar);
    if (n % 3 === 0) return [old, standing];
    return n % 3 === 1 ? [standing, old] : [standing];
  });
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number(a) - Number(b);
}

const KEY = ['market', 'run', 'delivery_location', 'bar_size', 'bar_start'] as const;

/** What a query of bars must give, all of it, in the order of the key. */
export function expectedBars(filter: Filter): Bar[] {
  const found = standingBars().filter(
    (bar) =>
      (filter.market ?? bar.market) === bar.market &&
      (filter.run ?? bar.run) === bar.run &&
      (filter.delivery_location ?? bar.delivery_location) === bar.delivery_location &&
      (filter.bar_type ?? bar.bar_type) === bar.bar_type &&
      (filter.bar_size ?? bar.bar_size) === bar.bar_size &&
      bar.delivery_date >= (filter.start_date ?? '') &&
      bar.delivery_date <= (filter.end_date ?? '9'),
  );
  return found.sort((a, b) => KEY.map((name) => compare(a[name], b[name])).find((sign) => sign !== 0) ?? 0);
}

/** A bar as an answer shows it. */
export function shown(bar: Bar): Record<string, unknown> {
  const { instrument_id: _, row_version: __, ...rest } = bar;
  const utc = (us: number) => new Date(us / 1_000).toISOString().replace('.000Z', 'Z');
  const { bar_start, bar_end, aggregation_timestamp } = bar;
  return {
    ...rest,
    bar_start: utc(bar_start),
    bar_end: utc(bar_end),
    aggregation_timestamp: utc(aggregation_timestamp),
  };
}
