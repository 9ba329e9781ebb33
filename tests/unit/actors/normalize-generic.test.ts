// Other producers' JSON under the shipped mappings: trades, curves and prices become the ticks that the facts
// describe, in the market's own time; what says no time, no price or no identity is refused.

import { describe, expect, test } from 'bun:test';
import { normalize } from '../../../actors/normalize.ts';
import type { NormalizeOptions } from '../../../actors/normalize-options.ts';
import { testOptions } from '../../support/sample-ticks.ts';

const shipped = testOptions().normalize;
const APPENDED = Date.UTC(2024, 5, 2);
const us = (...at: [number, number, number, number?, number?]) => Date.UTC(...at) * 1_000;

function run(record: object, options: NormalizeOptions = shipped) {
  return normalize(new TextEncoder().encode(JSON.stringify(record)), APPENDED, options);
}

function tickOf(record: object, options: NormalizeOptions = shipped) {
  const found = run(record, options);
  if (found.kind !== 'tick') throw new Error(JSON.stringify(found));
  return found.tick;
}

function refusalOf(record: object, options: NormalizeOptions = shipped) {
  const found = run(record, options);
  return found.kind === 'rejected' ? [String(found.rejection.reason), found.rejection.field] : found.kind;
}

const trade = {
  data_type: 'trade',
  event_id: 'e-1',
  trade_id: 't-1',
  market: 'CAISO',
  node: 'TH_SP15_GEN-APND',
  occurred_at: us(2024, 5, 1, 17, 30) + 123_456,
  price: 41.25,
  quantity: 12.5,
  trade_type: 'buy',
};
const curve = {
  data_type: 'curve',
  event_id: 'e-2',
  market: 'MISO',
  settlement_point: 'INDIANA.HUB',
  trade_date: '2024-06-01',
  trade_hour: 7,
  price: '33.10',
};
const price = {
  data_type: 'market_price',
  event_id: 'e-3',
  market: 'caiso',
  delivery_location: 'NODE',
  interval_start: '2024-06-01T10:00:00-07:00',
  interval_end: '2024-06-01T10:15:00-07:00',
  publication: us(2024, 5, 1, 18),
  price: -5,
};

describe('by the shipped mappings', () => {
  test('a trade is an observation at its instant, with its own identity and quantity', () => {
    expect(tickOf(trade)).toMatchObject({
      instrument_id: 'CAISO:TRADE:TH_SP15_GEN-APND',
      instrument_type: 'trade',
      run: 'TRADE',
      interval_start: trade.occurred_at,
      interval_end: trade.occurred_at,
      trade_id: 't-1',
      price: 41.25,
      quantity: 12.5,
      trade_type: 'buy',
      delivery_date: '2024-06-01',
      delivery_hour: 11,
      currency: 'USD',
      unit: 'MWh',
      price_unit: '$/MWh',
      quality_flags: [],
    });
  });

  test('a trade without its own id is known by its event', () => {
    const { trade_id: _, ...bare } = trade;
    expect(tickOf(bare).trade_id).toBe('e-1');
  });

  test('a point of a curve stands in the market’s own hour', () => {
    expect(tickOf(curve)).toMatchObject({
      instrument_id: 'MISO:CURVE:INDIANA.HUB',
      instrument_type: 'curve',
      interval_start: us(2024, 5, 1, 11),
      interval_end: us(2024, 5, 1, 12),
      delivery_date: '2024-06-01',
      delivery_hour: 7,
      price: 33.1,
      quantity: null,
      trade_id: null,
      publication: APPENDED * 1_000,
    });
  });

  test('a price has the interval and publication that it names', () => {
    expect(tickOf(price)).toMatchObject({
      instrument_id: 'CAISO:SPOT:NODE',
      instrument_type: 'market_price',
      interval_start: us(2024, 5, 1, 17),
      interval_end: us(2024, 5, 1, 17, 15),
      delivery_period: 'PT15M',
      publication: price.publication,
      price: -5,
    });
  });

  test('a run of the market that is named is the run', () => {
    expect(tickOf({ ...price, run: 'RTPD' }).instrument_id).toBe('CAISO:RTPD:NODE');
    expect(tickOf({ ...price, market_type: 'RTM' }).instrument_id).toBe('CAISO:RTM:NODE');
    expect(tickOf({ ...price, market_type: 'spot' }).instrument_id).toBe('CAISO:SPOT:NODE');
    expect(refusalOf({ ...price, run: 'DA_EXPOST' })).toEqual(['unknown_run', 'run']);
  });

  test('days of 23 and 25 hours: 25 is an hour in fall, 3 is none in spring', () => {
    const at = (date: string, hour: number) => ({
      ...curve,
      market: 'CAISO',
      node: 'N',
      trade_date: date,
      trade_hour: hour,
    });
    expect(tickOf(at('2022-11-06', 25))).toMatchObject({
      interval_start: us(2022, 10, 6, 9),
      delivery_hour: 25,
    });
    expect(tickOf(at('2022-11-06', 3)).interval_start).toBe(us(2022, 10, 6, 10));
    expect(tickOf(at('2019-03-10', 4)).interval_start).toBe(us(2019, 2, 10, 10));
    expect(refusalOf(at('2019-03-10', 3))).toEqual(['bad_time', 'delivery_hour']);
    expect(refusalOf(at('2024-06-01', 25))).toEqual(['bad_time', 'delivery_hour']);
    expect(refusalOf(at('2024-02-30', 1))).toEqual(['bad_time', 'delivery_hour']);
    expect(refusalOf({ ...curve, trade_date: '2022-11-06', trade_hour: 25 })).toEqual([
      'bad_time',
      'delivery_hour',
    ]);
  });

  test('a field that already has our name wins over one that is mapped to it', () => {
    expect(tickOf({ ...trade, delivery_location: 'OURS' }).delivery_location).toBe('OURS');
  });

  test('what this market does not map stays unread', () => {
    expect(refusalOf({ ...trade, market: 'MISO' })).toEqual(['missing_field', 'delivery_location']);
  });
});

describe('by other mappings and rules', () => {
  const caiso = shipped.markets.get('CAISO');
  if (caiso === undefined) throw new Error('no CAISO');
  const having = (change: Partial<typeof caiso>): NormalizeOptions => ({
    ...shipped,
    markets: new Map([...shipped.markets, ['CAISO', { ...caiso, ...change }]]),
  });

  test('any field may be mapped, also to a value or a time', () => {
    const fieldMappings = { hub: 'delivery_location', px: 'price', mw: 'quantity', when: 'occurred_at' };
    const record = { data_type: 'trade', event_id: 'e', market: 'CAISO', hub: 'H', px: '7.5', mw: 3 };
    const tick = tickOf({ ...record, when: '2024-06-01T17:30:00Z' }, having({ fieldMappings }));
    expect(tick).toMatchObject({ delivery_location: 'H', price: 7.5, quantity: 3 });
    expect(tick.occurred_at).toBe(us(2024, 5, 1, 17, 30));
  });

  test('a mapping from a name of every object finds nothing', () => {
    const options = having({ fieldMappings: { toString: 'delivery_location' } });
    expect(refusalOf(trade, options)).toEqual(['missing_field', 'delivery_location']);
  });

  test('currency and units are the market’s, unless the record says them', () => {
    const options = having({ currency: 'CAD', unit: 'GWh', priceUnit: 'C$/GWh' });
    expect(tickOf(trade, options)).toMatchObject({ currency: 'CAD', unit: 'GWh', price_unit: 'C$/GWh' });
    expect(tickOf({ ...trade, currency: 'EUR' }, options).currency).toBe('EUR');
  });

  test('a field that a transform requires must be there', () => {
    const options = having({
      transforms: [{ name: 'validate_required_fields', requiredFields: ['quantity', 'product_type'] }],
    });
    expect(refusalOf(trade, options)).toEqual(['missing_field', 'product_type']);
    expect(tickOf({ ...trade, product_type: 'peak' }, options).product_type).toBe('peak');
  });

  test('an explicit null counts as absent, or is refused where the rules say so', () => {
    expect(tickOf({ ...trade, bid_price: null }).bid_price).toBeNull();
    const strict = { ...shipped, validation: { ...shipped.validation, allowNullValues: false } };
    expect(refusalOf({ ...trade, bid_price: null }, strict)).toEqual(['wrong_type', 'bid_price']);
  });
});

describe('at fault', () => {
  test.each([
    ['no price', { ...trade, price: undefined }, 'missing_field', 'price'],
    ['a price of text', { ...trade, price: 'cheap' }, 'wrong_type', 'price'],
    ['a price that is a list', { ...trade, price: [1] }, 'wrong_type', 'price'],
    ['a price that is NaN', { ...trade, price: 'NaN' }, 'not_finite', 'price'],
    ['a price that is too large', { ...trade, price: 1e12 }, 'out_of_range', 'price'],
    ['a quantity that is none', { ...trade, quantity: true }, 'wrong_type', 'quantity'],
    ['no location', { ...trade, node: undefined }, 'missing_field', 'delivery_location'],
    ['a trade without time', { ...trade, occurred_at: undefined }, 'missing_field', 'interval_start'],
    ['a time without offset', { ...trade, occurred_at: '2024-06-01T17:30:00' }, 'bad_time', 'occurred_at'],
    ['seconds for microseconds', { ...trade, occurred_at: 1_717_000_000 }, 'bad_time', 'occurred_at'],
    ['a date that is none', { ...curve, trade_date: 20_240_601 }, 'wrong_type', 'delivery_date'],
    ['an hour of text', { ...curve, trade_hour: '7' }, 'wrong_type', 'delivery_hour'],
    ['half an hour', { ...curve, trade_hour: 7.5 }, 'wrong_type', 'delivery_hour'],
    [
      'a price that ends before it starts',
      { ...price, interval_end: us(2024, 5, 1) },
      'bad_interval',
      'interval_end',
    ],
  ])('%s is refused', (_, record, reason, field) => {
    expect(refusalOf(record)).toEqual([reason, field]);
  });

  test('a trade needs an identity', () => {
    expect(refusalOf({ ...trade, trade_id: undefined, event_id: undefined })).toEqual([
      'missing_field',
      undefined,
    ]);
  });
});
