// Each detector of data quality at its edges, by values worked out by hand: what it finds, what it lets pass,
// and that its switch turns it off.

import { describe, expect, test } from 'bun:test';
import { assessmentStage } from '../../../actors/assess.ts';
import type { AssessmentOptions, MarketRules } from '../../../actors/assessment-options.ts';
import type { Tick } from '../../../actors/domain/wire.ts';
import { runStage } from '../../support/run-stage.ts';
import { testOptions } from '../../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../../support/wire-ticks.ts';

const shipped = testOptions().assessment;
const QUARTER = 900_000;
const ID = 'CAISO:RTPD:TH_SP15_GEN-APND';

/** The shipped rules without the price range, so that only the detector in question speaks. */
function ruled(more: Partial<MarketRules>, of: AssessmentOptions = shipped): AssessmentOptions {
  const rules = of.markets.get('CAISO');
  if (rules === undefined) throw new Error('no CAISO');
  return { ...of, markets: new Map([['CAISO', { ...rules, ...more }]]) };
}

function detection(more: Partial<AssessmentOptions['detection']>): AssessmentOptions {
  return { ...shipped, detection: { ...shipped.detection, ...more } };
}

function off(name: keyof AssessmentOptions['features']): AssessmentOptions {
  return { ...shipped, features: { ...shipped.features, [name]: false } };
}

/** Anomalies that the last tick caused, as `type/severity/rule`. */
function last(ticks: readonly Tick[], options = shipped, nowMs?: (offset: number) => number): string[] {
  const how = nowMs === undefined ? { sizes: [1] } : { sizes: [1], nowMs };
  const { out } = runStage(assessmentStage(options), ticks[0]?.instrument_id ?? ID, ticks, how);
  const id = ticks.at(-1)?.event_id;
  const scores = out.filter(({ to, value }) => to === 'scores' && value.tick_id === id);
  const found = out.slice(out.lastIndexOf(scores.at(-2) ?? { to: '', value: {} }) + 1);
  return found
    .filter(({ to, value }) => to === 'anomalies' && Array.isArray(value.affected_records))
    .filter(({ value }) => Array.isArray(value.affected_records) && value.affected_records[0] === id)
    .map(({ value }) => `${value.anomaly_type}/${value.severity}/${ruleOf(value.detection_parameters)}`);
}

function ruleOf(parameters: unknown): unknown {
  return typeof parameters === 'object' && parameters !== null && 'rule' in parameters
    ? parameters.rule
    : null;
}

const series = (prices: readonly (number | null)[], more: Partial<Tick> = {}): Tick[] =>
  prices.map((price, n) => lmpTick(TEN_O_CLOCK + n * QUARTER, price, more));

/** Ten values whose mean is 0 and whose sample deviation is √10. */
const TEN = [3, -3, 3, -3, 3, -3, 3, -3, 3, -3];
const DEVIATION = Math.sqrt(90 / 9);

describe('price spike', () => {
  test.each([
    [2.99, []],
    [3.01, ['price_spike/medium/price_spike']],
    [-3.01, ['price_spike/medium/price_spike']],
    [4.01, ['price_spike/high/price_spike']],
    [5.01, ['price_spike/critical/price_spike']],
    [-12, ['price_spike/critical/price_spike']],
  ])('at %p deviations', (z, expected) => {
    const of = series([...TEN, z * DEVIATION]);
    const found = last(of).filter((each) => each.startsWith('price_spike'));
    expect(found).toEqual(expected);
  });

  test('only of enough samples, only when on, never over values that are all equal', () => {
    expect(last(series([...TEN.slice(1), 90]))).toEqual([]);
    expect(last(series([...TEN, 90]), off('priceSpike'))).toEqual(['outlier/medium/outlier_iqr']);
    const flat = last(series([...Array(20).fill(25), 26]));
    expect(flat).toEqual(['outlier/medium/outlier_iqr']);
  });

  test('negative prices are measured like any other', () => {
    const shifted = series([...TEN.map((each) => each - 100), -100 + 3.01 * DEVIATION]);
    expect(last(shifted)).toContain('price_spike/medium/price_spike');
    expect(last(series([...TEN.map((each) => each - 100), -98]))).toEqual([]);
  });

  test('a revision is not measured by what it replaces, nor an old recording by what came later', () => {
    const later = series([...TEN, 0]);
    const revised = lmpTick(TEN_O_CLOCK, 500);
    expect(last([...later, revised])).toEqual([]);
    const old = lmpTick(TEN_O_CLOCK - 3 * 365 * 86_400_000, 1_400);
    expect(last([...later, old])).toEqual([]);
  });
});

describe('volume spike', () => {
  const trades = (quantities: readonly number[]): Tick[] =>
    quantities.map((quantity, n) =>
      lmpTick(TEN_O_CLOCK + n * 60_000, 25, { run: 'TRADE', instrument_type: 'trade', quantity }),
    );
  const hundred = TEN.map((each) => 100 + each);

  test.each([
    [2.99, []],
    [3.01, ['volume_spike/medium/volume_spike']],
    [4.01, ['volume_spike/high/volume_spike']],
    [9, ['volume_spike/high/volume_spike']],
  ])('at %p deviations', (z, expected) => {
    const of = trades([...hundred, 100 + z * DEVIATION]);
    expect(last(of).filter((each) => !each.startsWith('validation_error'))).toEqual(expected);
  });

  test('is off when off', () => {
    expect(last(trades([...hundred, 1_000]), off('volume'))).toEqual([]);
  });
});

describe('outlier', () => {
  // Quartiles of 0…8 are 2 and 6: fences at 2 − 2.5·4 and 6 + 2.5·4.
  const nine = [5, 0, 8, 1, 7, 2, 6, 3, 4];
  const nineIsEnough = detection({ minSamples: 9, priceSpikeThreshold: 1_000 });

  test.each([
    [16, []],
    [16.001, ['outlier/medium/outlier_iqr']],
    [-8, []],
    [-8.001, ['outlier/medium/outlier_iqr']],
  ])('by quartiles: %p', (price, expected) => {
    expect(last(series([...nine, price]), nineIsEnough)).toEqual(expected);
  });

  test('by deviations when outlier_method says so', () => {
    const method = { ...nineIsEnough.detection, outlierMethod: 'zscore' as const };
    const options = { ...nineIsEnough, detection: method };
    const edge = 4 + 2.5 * Math.sqrt(60 / 8);
    expect(last(series([...nine, edge - 0.001]), options)).toEqual([]);
    expect(last(series([...nine, edge + 0.001]), options)).toEqual(['outlier/medium/outlier_zscore']);
  });

  test('is off when off, and needs its samples', () => {
    expect(last(series([...nine, 500]), detection({ minSamples: 10 }))).toEqual([]);
    expect(last(series([...TEN, 500]), off('outlier'))).toEqual(['price_spike/critical/price_spike']);
  });
});

describe('missing intervals', () => {
  const gap = (quarters: number): Tick[] => [
    lmpTick(TEN_O_CLOCK, 1),
    lmpTick(TEN_O_CLOCK + (quarters + 1) * QUARTER, 1),
  ];

  test('are told once they last as long as missing_data_window_minutes', () => {
    expect(last(gap(0))).toEqual([]);
    expect(last(gap(1))).toEqual([]);
    expect(last(gap(2))).toEqual(['missing_data/medium/missing_data']);
    expect(last(gap(1), detection({ missingWindowMs: 0, missingSeverity: 'high' }))).toEqual([
      'missing_data/high/missing_data',
    ]);
    expect(last(gap(2), off('missing'))).toEqual([]);
  });

  test('across midnight as within a day, but not between two recordings', () => {
    const midnight = Date.UTC(2024, 3, 19, 7);
    const before = lmpTick(midnight - QUARTER, 1);
    expect(last([before, lmpTick(midnight + 4 * QUARTER, 1)])).toEqual(['missing_data/medium/missing_data']);
    expect(last([before, lmpTick(midnight + 72 * 3_600_000, 1)])).toEqual([]);
  });

  test('are none where the calendar expects nothing: off-peak hours of an on-peak hub', () => {
    const more = { run: 'DAM', delivery_location: 'TH_SP15_GEN_ONPEAK-APND' };
    // Thursday 22:00 to Friday 6:00 in California.
    const evening = lmpTick(Date.UTC(2024, 3, 19, 4), 1, more);
    const morning = lmpTick(Date.UTC(2024, 3, 19, 13), 1, more);
    expect(last([evening, morning])).toEqual([]);
    const allDay = { ...more, delivery_location: 'TH_SP15_GEN-APND' };
    expect(
      last([lmpTick(Date.UTC(2024, 3, 19, 4), 1, allDay), lmpTick(Date.UTC(2024, 3, 19, 13), 1, allDay)]),
    ).toEqual(['missing_data/medium/missing_data']);
  });

  test('are none over the hour that spring leaves out', () => {
    const hour = (utc: number) => lmpTick(Date.UTC(2024, 2, 10, utc), 1, { run: 'DAM' });
    expect(last([hour(9), hour(10)])).toEqual([]);
    expect(last([hour(9), hour(11)])).toEqual(['missing_data/medium/missing_data']);
  });

  test('a tick that comes late fills nothing and tells nothing', () => {
    expect(last([...gap(4), lmpTick(TEN_O_CLOCK + QUARTER, 1)])).toEqual([]);
  });
});

describe('duplicates', () => {
  const tick = lmpTick(TEN_O_CLOCK, 1);
  const twice = (ms: number, options = shipped) => last([tick, tick], options, (offset) => offset * ms);

  test('are the same version again within the window', () => {
    expect(twice(60_000)).toEqual(['duplicate/low/duplicate']);
    expect(twice(60_001)).toEqual([]);
    expect(twice(5, off('duplicate'))).toEqual([]);
    expect(twice(5, detection({ duplicateSeverity: 'critical' }))).toEqual(['duplicate/critical/duplicate']);
    expect(last([tick, lmpTick(TEN_O_CLOCK, 2)])).toEqual([]);
  });

  test('what is remembered for them is bounded', () => {
    const many = Array.from({ length: 200 }, (_, n) => lmpTick(TEN_O_CLOCK + n * QUARTER, n % 7));
    const { state } = runStage(assessmentStage(shipped), ID, many);
    expect(state.ids.length).toBe(32);
    expect(state.prices.prices.length).toBe(100);
    const slow = runStage(assessmentStage(shipped), ID, many, { sizes: [1], nowMs: (n) => n * 300_000 });
    expect(slow.state.ids.length).toBe(1);
  });
});

test('schema drift: the set of value fields changed, both ways, once each', () => {
  const four = series([1, 1, 1]);
  const five = lmpTick(TEN_O_CLOCK + 3 * QUARTER, 1, { ghg_price: 0 });
  const back = lmpTick(TEN_O_CLOCK + 4 * QUARTER, 1);
  expect(last(four)).toEqual([]);
  expect(last([...four, five])).toEqual(['schema_drift/low/schema_drift']);
  expect(last([...four, five, back])).toEqual(['schema_drift/low/schema_drift']);
  expect(last([...four, five, back, lmpTick(TEN_O_CLOCK + 5 * QUARTER, 1)])).toEqual([]);
  expect(last([...four, five], off('schemaDrift'))).toEqual([]);
});

describe('validation', () => {
  const one = (price: number, more: Partial<Tick> = {}, options = shipped): string[] =>
    last([lmpTick(TEN_O_CLOCK, price, more)], options);

  test('ranges include their bounds; warnings lie above theirs', () => {
    const ranged = ruled({ price: { min: -150, max: 2_000, warningThreshold: 1_500 } });
    expect(one(-150, {}, ranged)).toEqual([]);
    expect(one(-150.01, {}, ranged)).toEqual(['range_violation/high/range.price']);
    expect(one(1_500, {}, ranged)).toEqual([]);
    expect(one(1_500.01, {}, ranged)).toEqual(['range_warning/low/range_warning.price']);
    expect(one(2_000, {}, ranged)).toEqual(['range_warning/low/range_warning.price']);
    expect(one(2_000.01, {}, ranged)).toEqual(['range_violation/high/range.price']);
    expect(one(10, { quantity: 5_000.5 }, ranged)).toEqual(['range_warning/low/range_warning.quantity']);
    expect(one(10, { quantity: -1 }, ranged)).toEqual(['range_violation/high/range.quantity']);
  });

  test('what normalization found, labels that do not fit, and required fields', () => {
    expect(one(10, { validation_errors: ['price 20000 is above 10000', '? odd'] })).toEqual([
      'validation_error/medium/field_validation.price',
      'validation_error/medium/field_validation.record',
    ]);
    expect(one(10, { quality_flags: ['label_mismatch'] })).toEqual(['label_mismatch/medium/label_mismatch']);
    const wants = ruled({ requiredFields: ['market', 'quantity', 'product_type'] });
    expect(one(10, { product_type: '' }, wants)).toEqual([
      'validation_error/high/required.quantity',
      'validation_error/high/required.product_type',
    ]);
  });

  test('the sum of the components, when each is known', () => {
    const parts = { energy_price: 30, congestion_price: -2, loss_price: 1.5, ghg_price: 0.5 };
    const off = ['validation_error/medium/lmp_components'];
    expect(one(30, parts)).toEqual([]);
    expect(one(30.0009, parts)).toEqual([]);
    expect(one(30.0011, parts)).toEqual(off);
    expect(one(29.9, parts)).toEqual(off);
    expect(one(99, { ...parts, ghg_price: null })).toEqual([]);
    expect(one(99, { ...parts, energy_price: null })).toEqual([]);
  });

  test('a price within bid and offer', () => {
    const rule = {
      name: 'spread',
      condition: 'price_within_bid_offer',
      severity: 'high',
      tolerance: 0.5,
    } as const;
    const options = { ...shipped, crossField: [rule] };
    const quoted = { bid_price: 10, offer_price: 12 };
    expect(one(11, quoted, options)).toEqual([]);
    expect(one(12.5, quoted, options)).toEqual([]);
    expect(one(12.6, quoted, options)).toEqual(['validation_error/high/spread']);
    expect(one(9.4, quoted, options)).toEqual(['validation_error/high/spread']);
    expect(one(99, { bid_price: 10 }, options)).toEqual([]);
    expect(one(99, quoted, { ...shipped, crossField: [{ ...rule, condition: 'unheard_of' }] })).toEqual([]);
  });

  test('is off when off', () => {
    expect(one(99_999, { validation_errors: ['price 1 is odd'] }, off('validation'))).toEqual([]);
  });
});

describe('freshness', () => {
  const published = lmpTick(TEN_O_CLOCK, 1, { publication: TEN_O_CLOCK * 1_000 });
  const at = (minutes: number, live: boolean): string[] =>
    last([published], ruled({ live }), () => TEN_O_CLOCK + minutes * 60_000);

  test('is asked of live feeds only', () => {
    expect(at(15, true)).toEqual([]);
    expect(at(16, true)).toEqual(['stale_data/medium/data_freshness']);
    expect(at(16 * 365 * 1_440, false)).toEqual([]);
  });
});
