// Enrichment of single ticks: classes, periods over the changes of the clock, switches, defaults, refusals.

import { describe, expect, test } from 'bun:test';
import type { Tick } from '../../../actors/domain/wire.ts';
import { classOf, enrichmentStage, periodAt } from '../../../actors/enrich.ts';
import type { EnrichmentOptions } from '../../../actors/enrichment-options.ts';
import { runStage } from '../../support/run-stage.ts';
import { testOptions } from '../../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../../support/wire-ticks.ts';

const shipped = testOptions().enrichment;

function enriched(tick: Tick, options: EnrichmentOptions = shipped): Record<string, unknown> {
  const { out } = runStage(enrichmentStage(options), tick.instrument_id, [tick]);
  return out[0]?.value ?? {};
}

test('a tick keeps all its fields but the metadata, and says who enriched it', () => {
  const tick = lmpTick(TEN_O_CLOCK, 33.3);
  const { normalization_metadata: _, ...kept } = tick;
  const value = enriched(tick);
  expect(value).toMatchObject({ ...kept, producer: 'enrichment-service' });
  expect(value).not.toHaveProperty('normalization_metadata');
  expect(value).toMatchObject({
    taxonomy_class: 'lmp',
    taxonomy_subclass: 'hub',
    market_segment: 'real_time',
    geographic_region: 'California',
    time_of_day_category: 'morning',
    seasonal_category: 'spring',
    volatility_category: null,
    liquidity_category: 'high_liquidity',
    enrichment_metadata: { enrichment_score: 7 / 8, price_class: 'low', quantity_class: null },
  });
  expect(value.semantic_tags).toEqual([
    'caiso',
    ...['spot_pricing', 'real_time_market', 'current_market'],
    ...['trading_hub', 'high_liquidity', 'price_discovery'],
    ...['low_price', 'affordable_energy'],
    ...['morning', 'rising_demand', 'day_time'],
  ]);
});

describe('price classes are half-open, and the outer ones open', () => {
  test.each([
    [-5_000, 'negative'],
    [-0.01, 'negative'],
    [0, 'very_low'],
    [19.99999, 'very_low'],
    [20, 'low'],
    [39.999, 'low'],
    [40, 'medium'],
    [149.9, 'high'],
    [150, 'very_high'],
    [1_000, 'very_high'],
    [99_999, 'very_high'],
  ])('%p is %p', (price, name) => {
    expect(enriched(lmpTick(TEN_O_CLOCK, price)).enrichment_metadata).toMatchObject({ price_class: name });
  });

  test('a gap between two classes holds nothing', () => {
    const classes = [
      { name: 'a', min: 0, max: 10, tags: [] },
      { name: 'b', min: 20, max: 30, tags: [] },
    ];
    const names = [-1, 0, 9.99, 10, 19.9, 20, 30, 31].map((value) => classOf(classes, value)?.name ?? null);
    expect(names).toEqual(['a', 'a', 'a', null, null, 'b', 'b', 'b']);
    expect(classOf([], 1)).toBeNull();
  });
});

describe('the hour is the one on the wall', () => {
  const hours = (market: string, from: number, count: number): unknown[] =>
    Array.from({ length: count }, (_, n) => {
      const of = lmpTick(from + n * 3_600_000, 10, { market, run: market === 'MISO' ? 'DA_EXPOST' : 'DAM' });
      return enriched(of).time_of_day_category;
    });

  test('peak lies inside of morning and wins', () => {
    const day = hours('CAISO', Date.UTC(2024, 3, 18, 7), 24);
    expect(day.slice(0, 6)).toEqual(Array(6).fill('off_peak'));
    expect(day.slice(6, 12)).toEqual(['morning', 'peak', 'peak', 'morning', 'morning', 'morning']);
    expect(day.slice(12, 18)).toEqual(Array(6).fill('afternoon'));
    expect(day.slice(18)).toEqual(Array(6).fill('evening'));
  });

  test('23 hours: off-peak is one shorter', () => {
    const day = hours('CAISO', Date.UTC(2024, 2, 10, 8), 23);
    expect(day.slice(0, 7)).toEqual([...Array(5).fill('off_peak'), 'morning', 'peak']);
    expect(day.at(-1)).toBe('evening');
  });

  test('25 hours: the repeated hour (HE 25) is off-peak too', () => {
    const day = hours('CAISO', Date.UTC(2024, 10, 3, 7), 25);
    expect(day.slice(0, 9)).toEqual([...Array(7).fill('off_peak'), 'morning', 'peak']);
    expect(day.at(-1)).toBe('evening');
  });

  test('MISO has UTC−5 all year, on the days when clocks change elsewhere', () => {
    for (const [month, date] of [
      [2, 10],
      [10, 3],
      [6, 1],
    ] as const) {
      const day = hours('MISO', Date.UTC(2024, month, date, 5), 24);
      expect(day.indexOf('peak')).toBe(7);
      expect(day.indexOf('afternoon')).toBe(12);
    }
  });

  test('of equal periods the first wins, and an hour may have none', () => {
    const period = (name: string, start: number, end: number) => ({ name, start, end, tags: [] });
    const periods = [period('wide', 0, 10), period('a', 2, 4), period('b', 3, 5)];
    expect([0, 2, 3, 4, 9, 10].map((hour) => periodAt(periods, hour)?.name)).toEqual([
      'wide',
      'a',
      'a',
      'b',
      'wide',
      undefined,
    ]);
  });
});

test.each([
  [Date.UTC(2024, 1, 29, 20), 'winter'],
  [Date.UTC(2024, 2, 1, 7, 59), 'winter'],
  [Date.UTC(2024, 2, 1, 8), 'spring'],
  [Date.UTC(2024, 5, 1, 7), 'summer'],
  [Date.UTC(2024, 8, 1, 7), 'autumn'],
  [Date.UTC(2024, 11, 1, 8), 'winter'],
])('season of %p by the operating day: %s', (startMs, season) => {
  expect(enriched(lmpTick(startMs, 1)).seasonal_category).toBe(season);
});

describe('liquidity and segment', () => {
  test.each([
    ['TH_SP15_GEN-APND', 'hub', 'high_liquidity'],
    ['JAMACHA_6_CN7', 'node', 'medium_liquidity'],
    ['AFPR_1_TOT_GEN-APND', 'node', 'medium_liquidity'],
    ['SOMEWHERE', 'default', 'low_liquidity'],
  ])('%s is %s, %s', (location, kind, liquidity) => {
    const value = enriched(lmpTick(TEN_O_CLOCK, 1, { delivery_location: location }));
    expect([value.taxonomy_subclass, value.liquidity_category]).toEqual([kind, liquidity]);
  });

  test('a traded instrument is judged by the mean of its own last quantities', () => {
    const ticks = [50, 250, 5_000].map((quantity, n) =>
      lmpTick(TEN_O_CLOCK + n * 60_000, 30, { run: 'TRADE', instrument_type: 'trade', quantity }),
    );
    const { out } = runStage(enrichmentStage(shipped), 'CAISO:TRADE:TH_SP15_GEN-APND', ticks);
    const got = out.map(({ value }) => value.liquidity_category);
    expect(got).toEqual(['low_liquidity', 'medium_liquidity', 'high_liquidity']);
    expect(out.map(({ value }) => value.market_segment)).toEqual(['trade', 'trade', 'trade']);
    expect(out[0]?.value.semantic_tags).toContain('executed_transaction');
    expect(out[0]?.value.semantic_tags).toContain('minimal_volume');
  });
});

describe('every switch is obeyed', () => {
  const tick = lmpTick(TEN_O_CLOCK, 30, { quantity: 700 });
  const all = enriched(tick);
  const applied = (name: keyof EnrichmentOptions['apply']) =>
    enriched(tick, { ...shipped, apply: { ...shipped.apply, [name]: false } });

  test('apply.*', () => {
    const nothing = { taxonomy_class: null, taxonomy_subclass: null, market_segment: null };
    expect(applied('taxonomy')).toEqual({
      ...all,
      ...nothing,
      enrichment_metadata: { enrichment_score: 4 / 8, price_class: 'low', quantity_class: 'medium' },
    });
    expect(applied('semanticTags')).toEqual({ ...all, semantic_tags: [] });
    expect(applied('geospatial')).toMatchObject({ geographic_region: null });
    expect(applied('metadata')).toEqual({ ...all, enrichment_metadata: { enrichment_score: 7 / 8 } });
  });

  test.each([
    ['marketSpecific', ['caiso']],
    ['dataTypeSpecific', ['spot_pricing', 'real_time_market', 'current_market']],
    ['priceBased', ['low_price', 'affordable_energy']],
    ['quantityBased', ['medium_quantity', 'moderate_volume']],
    ['timeBased', ['morning', 'rising_demand', 'day_time']],
    ['locationBased', ['trading_hub', 'high_liquidity', 'price_discovery']],
  ])('tagging.%s', (name, tags) => {
    const value = enriched(tick, { ...shipped, tagging: { ...shipped.tagging, [name]: false } });
    const before = Array.isArray(all.semantic_tags) ? all.semantic_tags : [];
    expect(value).toEqual({ ...all, semantic_tags: before.filter((tag) => !tags.includes(tag)) });
  });
});

test('a market that the taxonomy does not name gets the default tags and no region', () => {
  const spec = shipped.markets.get('CAISO')?.spec;
  if (spec === undefined) throw new Error('no CAISO');
  const empty = {
    spec,
    region: null,
    instruments: { trade: [], curve: [], market_price: [] },
    locations: { hub: [], node: [], default: [] },
    priceClasses: [],
    quantityClasses: [],
    periods: [],
  };
  const options = { ...shipped, markets: new Map([['CAISO', empty]]) };
  const { semantic_tags, geographic_region, time_of_day_category } = enriched(
    lmpTick(TEN_O_CLOCK, 1),
    options,
  );
  expect([geographic_region, time_of_day_category]).toEqual([null, null]);
  expect(semantic_tags).toEqual([
    'caiso',
    ...['energy_market', 'commodity_trading'],
    ...['north_america', 'united_states'],
    'market_price',
    'market_hours',
  ]);
});

test('what is no tick is refused, and the rest of the batch goes on', () => {
  const good = lmpTick(TEN_O_CLOCK, 30);
  const bad = [
    { ...good, market: 'ERCOT' },
    { ...good, price: '30' },
    { ...good, instrument_id: 'CAISO:DAM:ELSEWHERE' },
    { ...good, quality_flags: null },
    { ...good, normalization_metadata: 7 },
    [],
    { ...good, interval_start: 0.5 },
  ];
  const { out, refused } = runStage(enrichmentStage(shipped), good.instrument_id, [good, ...bad, good]);
  expect(out.length).toBe(2);
  expect(refused.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['unknown_market', 'wrong_type']));
});
