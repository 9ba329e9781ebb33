// What data quality writes of a tick: five sub-scores and their mean, anomaly events of the wire's shape, and
// identities that are of the tick and never of the moment.

import { describe, expect, test } from 'bun:test';
import { assessmentStage } from '../../../actors/assess.ts';
import type { AssessmentOptions, MarketRules } from '../../../actors/assessment-options.ts';
import type { Tick } from '../../../actors/domain/wire.ts';
import { markets } from '../../../actors/feeds/markets.ts';
import { assessmentOptions } from '../../../runtime/options/assessment.ts';
import { runStage } from '../../support/run-stage.ts';
import { shippedConfig, testOptions } from '../../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../../support/wire-ticks.ts';

const shipped = testOptions().assessment;
const ID = 'CAISO:RTPD:TH_SP15_GEN-APND';

function ruled(more: Partial<MarketRules>): AssessmentOptions {
  const rules = shipped.markets.get('CAISO');
  if (rules === undefined) throw new Error('no CAISO');
  return { ...shipped, markets: new Map([['CAISO', { ...rules, ...more }]]) };
}

function scoreOf(tick: Tick, options = shipped, nowMs = 0): Record<string, unknown> {
  const { out } = runStage(assessmentStage(options), tick.instrument_id, [tick], { nowMs: () => nowMs });
  return out.at(-1)?.value ?? {};
}

describe('the five sub-scores', () => {
  test('a clean tick has 1 in all', () => {
    expect(scoreOf(lmpTick(TEN_O_CLOCK, 30), shipped, 5)).toEqual({
      event_id: `dq-${lmpTick(TEN_O_CLOCK, 30).event_id}`,
      trace_id: `trace-${lmpTick(TEN_O_CLOCK, 30).event_id}`,
      occurred_at: TEN_O_CLOCK * 1_000,
      tenant_id: 'default',
      schema_version: '1.0.0',
      producer: 'data-quality-service',
      market: 'CAISO',
      instrument_id: ID,
      tick_id: lmpTick(TEN_O_CLOCK, 30).event_id,
      connector: 'caiso',
      quality_score: 1,
      completeness_score: 1,
      accuracy_score: 1,
      consistency_score: 1,
      timeliness_score: 1,
      validity_score: 1,
      valid: true,
      anomaly_count: 0,
      assessed_at: 5_000,
    });
  });

  test('completeness: of four required fields and three components, two are absent', () => {
    const tick = lmpTick(TEN_O_CLOCK, 30, { congestion_price: null, loss_price: null });
    expect(scoreOf(tick)).toMatchObject({ completeness_score: 5 / 7, quality_score: (4 + 5 / 7) / 5 });
    const energyOnly = lmpTick(TEN_O_CLOCK, 30, { energy_price: null, ghg_price: null });
    expect(scoreOf(energyOnly)).toMatchObject({ completeness_score: 1 });
  });

  test('validity is halved by each error; a range violation costs accuracy too', () => {
    const errors = { validation_errors: ['price 1 is odd', 'quantity 2 is odd'] };
    expect(scoreOf(lmpTick(TEN_O_CLOCK, 30, errors))).toMatchObject({
      validity_score: 0.25,
      accuracy_score: 1,
      valid: false,
      anomaly_count: 2,
    });
    expect(scoreOf(lmpTick(TEN_O_CLOCK, 5_000))).toMatchObject({
      validity_score: 0.5,
      accuracy_score: 0.5,
      quality_score: 0.8,
      valid: false,
    });
    expect(scoreOf(lmpTick(TEN_O_CLOCK, 1_600))).toMatchObject({
      validity_score: 1,
      valid: true,
      anomaly_count: 1,
    });
  });

  test('consistency falls with labels that do not fit', () => {
    const tick = lmpTick(TEN_O_CLOCK, 30, { quality_flags: ['label_mismatch'] });
    expect(scoreOf(tick)).toMatchObject({ consistency_score: 0.5, quality_score: 0.9, valid: true });
  });

  test('accuracy falls with what is statistically odd, once', () => {
    const usual = Array.from({ length: 12 }, (_, n) => lmpTick(TEN_O_CLOCK + n * 900_000, 20 + (n % 3)));
    const odd = lmpTick(TEN_O_CLOCK + 12 * 900_000, 400);
    const { out } = runStage(assessmentStage(shipped), ID, [...usual, odd]);
    expect(out.at(-1)?.value).toMatchObject({ accuracy_score: 0.5, quality_score: 0.9, anomaly_count: 2 });
  });

  test.each([
    [15, 1],
    [15.001, 0.5],
    [30, 0.5],
    [30.001, 0],
  ])('timeliness of a live feed after %p minutes is %p', (minutes, score) => {
    const tick = lmpTick(TEN_O_CLOCK, 30);
    const nowMs = TEN_O_CLOCK + Math.round(minutes * 60_000);
    expect(scoreOf(tick, ruled({ live: true }), nowMs)).toMatchObject({ timeliness_score: score });
  });

  test('a replay of 2011 is as timely as any', () => {
    const old = lmpTick(Date.UTC(2011, 6, 16, 12), 30);
    expect(scoreOf(old, shipped, Date.UTC(2026, 0, 1))).toMatchObject({ quality_score: 1, anomaly_count: 0 });
  });
});

test('an anomaly has every field of the wire, and says where its record came from', () => {
  const tick = lmpTick(TEN_O_CLOCK, 2_500);
  const { out } = runStage(assessmentStage(shipped), ID, [tick], { nowMs: () => 7 });
  const { event_id, anomaly_id, ...rest } = out[0]?.value ?? {};
  expect(event_id).toMatch(/^[0-9a-f]{32}$/);
  expect(anomaly_id).toBe(event_id);
  expect(rest).toEqual({
    trace_id: tick.trace_id,
    occurred_at: tick.occurred_at,
    tenant_id: 'default',
    schema_version: '1.0.0',
    producer: 'data-quality-service',
    anomaly_type: 'range_violation',
    anomaly_category: 'validity',
    severity: 'high',
    status: 'open',
    market: 'CAISO',
    connector: 'caiso',
    service: 'data-quality-service',
    data_source: 'recorded.csv',
    instrument_id: ID,
    affected_records: [tick.event_id],
    affected_fields: ['price'],
    expected_value: '-150 to 2000',
    actual_value: '2500',
    threshold_value: 2_000,
    deviation_amount: 500,
    deviation_percentage: null,
    confidence_score: null,
    detection_method: 'validity',
    detection_algorithm: 'rules',
    detection_parameters: { rule: 'range.price' },
    time_window: null,
    frequency: null,
    first_occurrence: tick.occurred_at,
    last_occurrence: tick.occurred_at,
    description: "price 2500 is outside of the market's -150 to 2000",
    recommendations: [],
    related_anomalies: [],
    tags: [],
    metadata: {},
    detected_at: 7_000,
  });
});

test.each([
  [{ source: { feed: 'miso.report', name: 'da.csv' } }, 'miso'],
  [{ source: { feed: 'own', name: 'x' } }, 'own'],
  [{ raw_event_id: '1', producer: 'desk-7' }, 'desk-7'],
  [{ source: 'text' }, 'unknown'],
  [{}, 'unknown'],
])('of %p the connector is %p', (normalization_metadata, connector) => {
  expect(scoreOf(lmpTick(TEN_O_CLOCK, 1, { normalization_metadata }))).toMatchObject({ connector });
});

test('a market without rules is scored without ranges; one that the product lacks is refused', () => {
  const config = shippedConfig();
  const { CAISO: _, ...others } = config.quality.markets;
  const options = assessmentOptions({ ...config, quality: { ...config.quality, markets: others } }, markets);
  expect(scoreOf(lmpTick(TEN_O_CLOCK, 9_000), options)).toMatchObject({ quality_score: 1, valid: true });
  const elsewhere = { ...lmpTick(TEN_O_CLOCK, 1), market: 'ERCOT' };
  const { out, refused } = runStage(assessmentStage(options), ID, [elsewhere]);
  expect([out, refused]).toEqual([[], [{ offset: 0, reason: 'unknown_market' }]]);
});

test('assessed again at another time and on another state, a tick has the same ids', () => {
  const ticks = [...Array(15)].map((_, n) =>
    lmpTick(TEN_O_CLOCK + n * 900_000, n === 14 ? 2_400 : 20 + (n % 4)),
  );
  const ids = (gapMs: number, of: readonly Tick[]): unknown[] => {
    const how = { sizes: [1], nowMs: (offset: number) => offset * gapMs };
    return runStage(assessmentStage(shipped), ID, of, how).out.map(({ value }) => value.event_id);
  };
  const first = ids(0, ticks);
  expect(new Set(first).size).toBe(first.length);
  expect(first.length).toBeGreaterThan(ticks.length + 2);
  expect(ids(86_400_000, ticks)).toEqual(first);
  const twice = new Set(ids(7, [...ticks, ...ticks]));
  expect(first.every((id) => twice.has(id))).toBe(true);
  expect(twice.size).toBe(first.length + ticks.length);
  expect(new Set(ids(11, [...ticks, ...ticks, ...ticks]))).toEqual(twice);
});
