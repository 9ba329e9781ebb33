// What a changed key changes: each stage, built from edited files as the start builds it, given a record.

import { describe, expect, test } from 'bun:test';
import { aggregationStage } from '../../../actors/aggregate.ts';
import { assessmentStage } from '../../../actors/assess.ts';
import type { Tick } from '../../../actors/domain/wire.ts';
import { enrichmentStage } from '../../../actors/enrich.ts';
import { type Normalized, normalize } from '../../../actors/normalize.ts';
import type { Stage } from '../../../actors/stage.ts';
import { type Prepared, prepare } from '../../../runtime/startup.ts';
import {
  type Changes,
  type ConfigFile,
  configDir,
  edited,
  SHIPPED,
  textOf,
} from '../../support/config-dir.ts';

const NOW_MS = Date.UTC(2025, 0, 2);
const CONTEXT = { nowMs: NOW_MS };

function configured(changes: Changes): Prepared {
  using dir = configDir(SHIPPED, changes);
  return prepare({ CONFIG_DIR: dir.path });
}

/** The shipped file with parts replaced. */
function shipped(file: ConfigFile, ...parts: readonly (readonly [part: string, by: string])[]): Changes {
  return { [file]: parts.reduce((text, [part, by]) => edited(text, part, by), textOf(SHIPPED, file)) };
}

const TRADE = {
  data_type: 'trade',
  market: 'CAISO',
  trade_id: 't1',
  delivery_location: 'TH_SP15_GEN-APND',
  occurred_at: '2025-01-01T20:10:00Z',
  price: 45.5,
  quantity: 10,
};

function normalized(of: Prepared, record: object): Normalized {
  return normalize(new TextEncoder().encode(JSON.stringify(record)), NOW_MS, of.stages.normalize);
}

function tickOf(of: Prepared, record: object): Tick {
  const found = normalized(of, record);
  if (found.kind !== 'tick') throw new Error(JSON.stringify(found));
  return found.tick;
}

/** What a stage makes of ticks of one instrument: the emissions, parsed, by destination. */
function through<S>(stage: Stage<S>, ticks: readonly Tick[]) {
  const id = ticks[0]?.instrument_id ?? '';
  const records = ticks.map((tick, offset) => ({
    offset,
    value: new TextEncoder().encode(JSON.stringify(tick)),
  }));
  const { emissions, refused, notes } = stage.process(stage.initial(id), records, CONTEXT);
  const made = (to: string) =>
    emissions.filter((each) => each.to === to).map(({ value }) => JSON.parse(String(value)));
  return { made, refused, notes };
}

function tagsOf(of: Prepared, record: object): readonly string[] {
  const { made } = through(enrichmentStage(of.stages.enrichment), [tickOf(of, record)]);
  return made('enriched')[0].semantic_tags;
}

describe('normalization', () => {
  test('a rule on the location is a rule on the location', () => {
    const of = configured(
      shipped('data_quality_rules', [
        '    delivery_date: {',
        '    delivery_location: { type: string, required: true }\n    delivery_date: {',
      ]),
    );
    expect(of.warnings).toEqual([]);
    expect(tickOf(of, TRADE).delivery_location).toBe('TH_SP15_GEN-APND');
  });

  test('a rule on a field that no tick has is said, and refuses nothing', () => {
    const of = configured(
      shipped('data_quality_rules', [
        '    delivery_date: {',
        '    colour: { type: string, required: true }\n    delivery_date: {',
      ]),
    );
    expect(of.warnings).toEqual([
      'field_validation.colour: has no effect: no such field of a tick is checked',
    ]);
    expect(normalized(of, TRADE).kind).toBe('tick');
  });

  test('a required quantity refuses what has none', () => {
    const of = configured(
      shipped('data_quality_rules', ['numeric, required: false', 'numeric, required: true']),
    );
    const { quantity: _, ...without } = TRADE;
    expect(normalized(of, without)).toMatchObject({ kind: 'rejected', rejection: { field: 'quantity' } });
  });

  test('hour ending 25 is good on a 25-hour day, whatever an older file allows', () => {
    const of = configured({
      ...shipped('data_quality_rules', ['min: 1, max: 25', 'min: 1, max: 24']),
      ...shipped('normalization_rules', ['strict_mode: false', 'strict_mode: true']),
    });
    expect(of.warnings).toEqual([expect.stringContaining('delivery_hour.max 24: read as 25')]);
    const fall = { ...TRADE, occurred_at: undefined, delivery_date: '2024-11-03', delivery_hour: 25 };
    expect(tickOf(of, fall)).toMatchObject({ delivery_hour: 25, quality_flags: [] });
  });

  test('a market without a currency has the default one', () => {
    const of = configured(
      shipped(
        'normalization_rules',
        ['    market_id: CAISO\n    currency: USD\n', '    market_id: CAISO\n'],
        ['global:\n', 'global:\n  default_currency: CAD\n'],
      ),
    );
    expect(tickOf(of, TRADE).currency).toBe('CAD');
    expect(tickOf(of, { ...TRADE, market: 'MISO' }).currency).toBe('USD');
  });

  test('more decimal places than can be kept are said', () => {
    const of = configured(shipped('normalization_rules', ['numeric_precision: 6', 'numeric_precision: 9']));
    expect(of.warnings).toEqual(['transformations.numeric_precision 9: at most 6 places are kept']);
  });
});

describe('enrichment', () => {
  /** Tags by price alone. */
  function taxonomy(...parts: readonly (readonly [part: string, by: string])[]): Changes {
    const others = [
      'market_specific',
      'data_type_specific',
      'quantity_based',
      'time_based',
      'location_based',
    ];
    const off = others.map((key) => [`${key}: true`, `${key}: false`] as const);
    return shipped('enrichment_taxonomy', ...off, ...parts);
  }

  test('a price in a gap has no class: it gets the default tags, and the gap is said', () => {
    const gap = ['medium: { min: 40, max: 80', 'medium: { min: 40, max: 45'] as const;
    const of = configured(taxonomy(gap));
    expect(of.warnings).toContain('CAISO.price_ranges: nothing holds 45 to 80: such a value has no class');
    expect(tagsOf(of, TRADE)).toEqual(['market_price']);
    expect(tagsOf(of, { ...TRADE, price: 44 })).toContain('medium_price');
  });

  test('the outer classes are open, and negative prices have their own', () => {
    const of = configured(taxonomy());
    expect(tagsOf(of, { ...TRADE, price: -2_000 })).toContain('negative_price');
    expect(tagsOf(of, { ...TRADE, price: -0.01 })).toContain('negative_price');
    expect(tagsOf(of, { ...TRADE, price: 0 })).toContain('very_low_price');
    expect(tagsOf(of, { ...TRADE, price: 5_000 })).toContain('very_high_price');
  });

  test('a market without tags of its own gets the default ones', () => {
    const of = configured({
      enrichment_taxonomy: edited(
        edited(textOf(SHIPPED, 'enrichment_taxonomy'), '    <<: *market\n', ''),
        'instruments: [energy_market, commodity_trading]',
        'instruments: [fallback]',
      ),
    });
    const tags = tagsOf(of, TRADE);
    for (const tag of ['fallback', 'north_america', 'market_price', 'market_quantity', 'market_hours'])
      expect(tags).toContain(tag);
  });
});

describe('data quality', () => {
  test('a market without rules is scored, and no tick of it refused', () => {
    const text = textOf(SHIPPED, 'data_quality_rules').replace(/ {2}CAISO:\n( {4}.*\n)+/, '');
    const of = configured({ data_quality_rules: text });
    expect(of.warnings).toEqual(['data_quality_rules has no market CAISO: no ranges are checked']);
    const { made, refused } = through(assessmentStage(of.stages.assessment), [tickOf(of, TRADE)]);
    expect([refused.length, made('scores').length, made('anomalies').length]).toEqual([0, 1, 0]);
  });

  test('a condition that is none of ours is said, and judges nothing', () => {
    const of = configured(shipped('data_quality_rules', ['condition: lmp_equals', 'condition: sum_equals']));
    expect(of.warnings).toEqual([expect.stringContaining("condition 'sum_equals_components' is not one of")]);
    const record = { ...TRADE, bid_price: 60, offer_price: 20 };
    expect(through(assessmentStage(of.stages.assessment), [tickOf(of, record)]).made('anomalies')).toEqual(
      [],
    );
    const known = configured(
      shipped('data_quality_rules', [
        'condition: lmp_equals_components',
        'condition: price_within_bid_offer',
      ]),
    );
    const { made } = through(assessmentStage(known.stages.assessment), [tickOf(known, record)]);
    expect(made('anomalies')).toHaveLength(1);
  });
});

describe('aggregation', () => {
  const hours = Array.from({ length: 6 }, (_, index) => ({
    ...TRADE,
    trade_id: `t${index}`,
    occurred_at: `2025-01-01T${10 + index}:10:00Z`,
  }));

  function curves(changes: Changes) {
    const of = configured(changes);
    const ticks = hours.map((record) => tickOf(of, record));
    return through(aggregationStage(of.stages.aggregation), ticks);
  }

  test('trades make a curve from min_points on, and none when it is off', () => {
    const file = 'aggregation_policies';
    const rule = 'trade_curves: { enabled: true, min_points: 5, max_points: 10000 }';
    const of = (by: string) => curves(shipped(file, [rule, `trade_curves: { ${by} }`])).made('curves').length;
    expect(of('enabled: true, min_points: 6')).toBe(6);
    expect(of('enabled: true, min_points: 7')).toBe(0);
    expect(of('enabled: false, min_points: 1')).toBe(0);
  });

  test('more points than max_points are written all the same, and noted', () => {
    const rule = [
      'trade_curves: { enabled: true, min_points: 5, max_points: 10000 }',
      'trade_curves: { max_points: 5 }',
    ] as const;
    const { made, notes } = curves(shipped('aggregation_policies', rule));
    expect(made('curves')).toHaveLength(6);
    expect(notes).toEqual(['a trade curve has 6 points, configured for 5; all are written']);
  });

  test('more trades than max_trades are folded all the same, and noted', () => {
    const rule = ['aggregation_window: 1D, min_trades: 1, max_trades: 10000', 'max_trades: 5'] as const;
    const { made, notes } = curves(shipped('aggregation_policies', rule));
    const [daily] = made('bars').filter(({ payload }) => payload.bar_size === '1D');
    expect(daily.payload.trade_count).toBe(6);
    expect(notes).toContain('a 1D bar folds 6 observations, configured for 5; it is complete all the same');
  });

  test('a market’s own policy is its own', () => {
    const own = [
      'market_policies:\n  MISO:\n',
      'market_policies:\n  MISO:\n    ohlc_policies: { daily: { enabled: false } }\n',
    ] as const;
    const { stages } = configured(shipped('aggregation_policies', own));
    const sizes = (market: string) => stages.aggregation.markets.get(market)?.bars.map(({ size }) => size);
    expect(sizes('MISO')).toEqual(['5M', '15M', '1H']);
    expect(sizes('CAISO')).toEqual(['5M', '15M', '1H', '1D']);
  });
});
