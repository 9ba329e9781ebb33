// Ticks as the topic carries them, made up for tests of the stages after normalization: one LMP of CAISO,
// with any field replaced.

import { marketCalendar } from '../../actors/domain/operating-day.ts';
import { SCHEMA_VERSION, type Tick } from '../../actors/domain/wire.ts';
import type { StageRecord } from '../../actors/stage.ts';

const calendars = {
  CAISO: marketCalendar({ kind: 'civil', zone: 'America/Los_Angeles' }),
  MISO: marketCalendar({ kind: 'fixed', utcOffsetMinutes: -300 }),
} as const;

/** 2024-04-18 10:00 in California. */
export const TEN_O_CLOCK = Date.UTC(2024, 3, 18, 17);

export function lmpTick(startMs: number, price: number | null, more: Partial<Tick> = {}): Tick {
  const { market = 'CAISO', run = 'RTPD', delivery_location: location = 'TH_SP15_GEN-APND' } = more;
  const calendar = market === 'MISO' ? calendars.MISO : calendars.CAISO;
  const hash = Bun.hash.xxHash64(`${price}|${more.quantity}`).toString(16).padStart(16, '0');
  const id = Bun.hash.xxHash64(`${market}|${run}|${location}|${startMs}|${hash}`).toString(16);
  return {
    event_id: id,
    trace_id: `trace-${id}`,
    occurred_at: startMs * 1_000,
    tenant_id: 'test',
    schema_version: SCHEMA_VERSION,
    producer: 'normalization-service',
    market,
    run,
    instrument_id: `${market}:${run}:${location}`,
    instrument_type: 'lmp',
    delivery_location: location,
    delivery_date: calendar.dayOf(startMs).date,
    delivery_hour: calendar.hourEnding(startMs),
    delivery_period: 'PT15M',
    interval_start: startMs * 1_000,
    interval_end: startMs * 1_000 + 900_000_000,
    publication: startMs * 1_000,
    version_hash: hash,
    trade_id: null,
    price,
    quantity: null,
    bid_price: null,
    offer_price: null,
    clearing_price: null,
    energy_price: price,
    congestion_price: price === null ? null : 0,
    loss_price: price === null ? null : 0,
    ghg_price: null,
    trade_type: null,
    product_type: null,
    market_type: run,
    settlement_type: 'final',
    currency: 'USD',
    unit: 'MWh',
    price_unit: '$/MWh',
    quality_flags: [],
    validation_errors: [],
    normalization_metadata: {
      raw_event_id: id,
      source: { feed: 'caiso.oasis', name: 'recorded.csv', sha256: '00', rows: [1, 2] },
    },
    ...more,
  };
}

const encoder = new TextEncoder();

export function recordsOf(ticks: readonly object[], from = 0): StageRecord[] {
  return ticks.map((tick, n) => ({ offset: from + n, value: encoder.encode(JSON.stringify(tick)) }));
}
