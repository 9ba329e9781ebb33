// A market made up for laws: one zone with daylight saving, an hourly and a five-minute run, trades. Ticks
// are written as the wire writes them; rows are gathered as ClickHouse would keep them, the greatest
// row_version of each key.

import fc from 'fast-check';
import { aggregationStage } from '../../actors/aggregate.ts';
import type { AggregationOptions, MarketPolicy } from '../../actors/aggregation-options.ts';
import { recordsOf } from '../../actors/batch.ts';
import type { MetricSpec } from '../../actors/domain/rolling.ts';
import type { Emission } from '../../actors/stage.ts';

const HOUR = 3_600_000;

const metric = (kind: MetricSpec['kind'], minSamples: number, percentiles: number[] = []): MetricSpec => ({
  kind,
  windows: [3, 5],
  minSamples,
  maxSamples: 1_000,
  percentiles,
});

const policy: MarketPolicy = {
  spec: {
    market: 'TEST',
    zone: { kind: 'civil', zone: 'America/Los_Angeles' },
    runs: {
      DAM: { intervalMinutes: 60, kind: 'day_ahead', settlement: 'final' },
      RTM: { intervalMinutes: 5, kind: 'real_time', settlement: 'final' },
      TRADE: { intervalMinutes: 0, kind: 'trade', settlement: 'none' },
    },
    components: { LMP: 'price' },
    expects: () => true,
  },
  bars: (['5M', '15M', '1H', '1D'] as const).map((size) => ({ size, minTrades: 1, maxTrades: 10_000 })),
  metrics: [
    metric('average_price', 2),
    metric('price_std', 2),
    metric('price_volatility', 3),
    metric('price_percentiles', 2, [25, 50]),
    metric('total_volume', 1),
    metric('vwap', 1),
    metric('trade_count', 1),
    metric('average_volume', 1),
    metric('volume_volatility', 2),
    metric('average_trade_size', 1),
  ],
  curves: {
    trade: { enabled: true, minPoints: 2, maxPoints: 10_000 },
    price: { enabled: true, minPoints: 2, maxPoints: 10_000 },
    spot: { enabled: true, minPoints: 2, maxPoints: 10_000 },
    forward: { enabled: true, minPoints: 2, maxPoints: 10_000 },
  },
  windows: () => ({ retainedMs: 48 * HOUR, lookbackMs: 12 * HOUR, allowedLatenessMs: 2 * HOUR }),
};

export const options: AggregationOptions = {
  markets: new Map([['TEST', policy]]),
  epoch: 0,
  tenantId: 't',
  producer: 'aggregation-service',
};

export const stage = aggregationStage(options);

export interface TestTick {
  readonly run: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly tradeId: string | null;
  readonly publication: number;
  readonly price: number;
  readonly quantity: number | null;
}

export function wire(tick: TestTick): object {
  const values = `${tick.price}|${tick.quantity}`;
  const hash = Bun.hash.xxHash64(values).toString(16).padStart(16, '0');
  return {
    trace_id: `t${tick.publication}`,
    instrument_id: `TEST:${tick.run}:L`,
    interval_start: Math.round(tick.startMs * 1_000),
    interval_end: Math.round(tick.endMs * 1_000),
    publication: tick.publication,
    version_hash: hash,
    trade_id: tick.tradeId,
    price: tick.price,
    quantity: tick.quantity,
  };
}

/** 10:00 Pacific on the day before clocks go forward: days of 24, 23 and 24 hours follow. */
const ORIGIN = Date.UTC(2024, 2, 9, 18);

const price = fc.integer({ min: -2_000_000, max: 9_000_000 }).map((micros) => micros / 1e5);

export const hourlyTick: fc.Arbitrary<TestTick> = fc
  .record({
    run: fc.constant('DAM'),
    hour: fc.nat(40),
    publication: fc.nat(3),
    price: fc.oneof(price, fc.constantFrom(1, 2)),
  })
  .map(({ run, hour, publication, price: value }) => ({
    run,
    startMs: ORIGIN + hour * HOUR,
    endMs: ORIGIN + (hour + 1) * HOUR,
    tradeId: null,
    publication,
    price: value,
    quantity: null,
  }));

export const tradeTick: fc.Arbitrary<TestTick> = fc
  .record({
    minute: fc.nat(600),
    id: fc.nat(8),
    publication: fc.nat(2),
    price,
    quantity: fc.integer({ min: 1, max: 50 }),
  })
  .map(({ minute, id, publication, price: value, quantity }) => ({
    run: 'TRADE',
    startMs: ORIGIN + (minute % 30) * 20 * 60_000,
    endMs: ORIGIN + (minute % 30) * 20 * 60_000,
    tradeId: `id${id}`,
    publication,
    price: value,
    quantity,
  }));

const encoder = new TextEncoder();

export interface Run {
  readonly rows: Map<string, Record<string, unknown>>;
  readonly rebuild: object[];
  readonly tally: { first: number; revision: number; duplicate: number; forwarded: number; rejected: number };
}

/**
 * Feeds ticks in batches of these sizes (repeated), then closes the calendar; with a store/restore between
 * batches.
 */
export function run(ticks: readonly TestTick[], batchSizes: readonly number[], restoreBetween = false): Run {
  const id = `TEST:${ticks[0]?.run ?? 'DAM'}:L`;
  let state = stage.initial(id);
  const stored = new Map<string, Uint8Array>();
  const out: Run = {
    rows: new Map(),
    rebuild: [],
    tally: { first: 0, revision: 0, duplicate: 0, forwarded: 0, rejected: 0 },
  };
  let from = 0;
  for (let n = 0; from < ticks.length; n += 1) {
    const size = Math.max(1, batchSizes[n % batchSizes.length] ?? 1);
    const records = ticks.slice(from, from + size).map((tick, at) => ({
      offset: from + at,
      value: encoder.encode(JSON.stringify(wire(tick))),
    }));
    const result = stage.process(state, records, { nowMs: n });
    for (const { part, bytes } of stage.store(state, result.state)) {
      if (bytes === null) stored.delete(part);
      else stored.set(part, bytes);
    }
    state = restoreBetween ? stage.restore(id, stored) : result.state;
    keep(out, result.emissions);
    for (const key of ['first', 'revision', 'duplicate', 'forwarded', 'rejected'] as const) {
      out.tally[key] += result.tally[key];
    }
    from += size;
  }
  const closed = stage.advance(state, ORIGIN + 400 * HOUR, { nowMs: 0 });
  keep(out, closed.emissions);
  return out;
}

/** Keeps the greatest row_version of each key, without the processing time. */
export function keep(into: Run, emissions: readonly Emission[]): void {
  const records = emissions.flatMap(({ to, value }) => [...recordsOf(value)].map((text) => ({ to, text })));
  for (const { to, text } of records) {
    const parsed = JSON.parse(String(text instanceof Uint8Array ? Buffer.from(text) : text));
    if (to === 'rebuild') {
      into.rebuild.push(parsed);
      continue;
    }
    const { aggregation_timestamp: _a, calculation_timestamp: _c, ...row } = parsed.payload;
    const key = [
      to,
      row.bar_size,
      row.bar_start,
      row.metric_type,
      row.window_size,
      row.hour_end,
      row.hour_start,
    ].join('|');
    const before = into.rows.get(key);
    if (before === undefined || Number(before.row_version) <= row.row_version) into.rows.set(key, row);
  }
}
