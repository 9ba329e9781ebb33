// What data quality writes: the score of a tick and the anomalies found in it.
// The score is the plain mean of five, each 0–1:
//   completeness  share of the required fields and of the market's components that have a value
//   accuracy      1, less 0.5 for a statistical finding and 0.5 for a range violation
//   consistency   1, less 0.5 for each finding that the record disagrees with itself or its instrument
//   timeliness    1; for live feeds 0.5 beyond the freshness and 0 beyond twice of it
//   validity      1, halved by each validation error and range violation

import type { MarketRules } from './assessment-options.ts';
import { hash128 } from './domain/hash.ts';
import { toMs } from './domain/time.ts';
import { type Anomaly, type QualityScore, SCHEMA_VERSION, type Tick } from './domain/wire.ts';
import type { Finding } from './finding.ts';
import { isThere } from './validation.ts';

const SERVICE = 'data-quality-service';

/** Components that an operator gives with every price; the greenhouse and energy parts are not among them. */
const SOMETIMES_ABSENT: readonly string[] = ['ghg_price', 'energy_price'];

export function scoreOf(
  findings: readonly Finding[],
  tick: Tick,
  rules: MarketRules,
  tenantId: string,
  nowMs: number,
): QualityScore {
  let errors = 0;
  let inconsistencies = 0;
  let unusual = false;
  let outside = false;
  for (const { category, type } of findings) {
    if (category === 'statistical') unusual = true;
    if (category === 'consistency') inconsistencies += 1;
    if (type === 'range_violation') outside = true;
    if (type === 'range_violation' || type === 'validation_error') errors += 1;
  }
  const completeness = completenessOf(tick, rules);
  const accuracy = 1 - (unusual ? 0.5 : 0) - (outside ? 0.5 : 0);
  const consistency = Math.max(0, 1 - 0.5 * inconsistencies);
  const timeliness = timelinessOf(tick, rules, nowMs);
  const validity = 0.5 ** errors;
  return {
    event_id: `dq-${tick.event_id}`,
    trace_id: tick.trace_id,
    occurred_at: tick.occurred_at,
    tenant_id: tenantId,
    schema_version: SCHEMA_VERSION,
    producer: SERVICE,
    market: tick.market,
    instrument_id: tick.instrument_id,
    tick_id: tick.event_id,
    connector: originOf(tick).connector,
    quality_score: (completeness + accuracy + consistency + timeliness + validity) / 5,
    completeness_score: completeness,
    accuracy_score: accuracy,
    consistency_score: consistency,
    timeliness_score: timeliness,
    validity_score: validity,
    valid: errors === 0,
    anomaly_count: findings.length,
    assessed_at: nowMs * 1_000,
  };
}

function completenessOf(tick: Tick, { requiredFields, spec }: MarketRules): number {
  let wanted = requiredFields.length;
  let there = 0;
  for (const field of requiredFields) if (isThere(tick, field)) there += 1;
  for (const component in spec.components) {
    const field = spec.components[component];
    if (field === undefined || SOMETIMES_ABSENT.includes(field)) continue;
    if (tick.instrument_type !== 'lmp' && field !== 'price') continue;
    wanted += 1;
    if (isThere(tick, field)) there += 1;
  }
  return wanted === 0 ? 1 : there / wanted;
}

function timelinessOf(tick: Tick, { live, dataFreshnessMs }: MarketRules, nowMs: number): number {
  if (!live) return 1;
  const ageMs = nowMs - toMs(tick.publication);
  return ageMs <= dataFreshnessMs ? 1 : ageMs <= 2 * dataFreshnessMs ? 0.5 : 0;
}

/**
 * The connector (`caiso` of the feed `caiso.oasis`) and the file or endpoint it read; for other producers'
 * records the producer.
 */
function originOf({ normalization_metadata: { source, producer } }: Tick): {
  readonly connector: string;
  readonly source: string | null;
} {
  const feed = textOf(source, 'feed');
  if (feed === null) return { connector: typeof producer === 'string' ? producer : 'unknown', source: null };
  const dot = feed.indexOf('.');
  return { connector: dot < 0 ? feed : feed.slice(0, dot), source: textOf(source, 'name') };
}

function textOf(of: unknown, field: string): string | null {
  if (typeof of !== 'object' || of === null) return null;
  const found: unknown = Reflect.get(of, field);
  return typeof found === 'string' ? found : null;
}

export function anomalyOf(finding: Finding, tick: Tick, tenantId: string, nowMs: number): Anomaly {
  const id = hash128(`anomaly|${tick.event_id}|${finding.type}|${finding.field}|${finding.rule}`);
  const { connector, source } = originOf(tick);
  return {
    event_id: id,
    trace_id: tick.trace_id,
    occurred_at: tick.occurred_at,
    tenant_id: tenantId,
    schema_version: SCHEMA_VERSION,
    producer: SERVICE,
    anomaly_id: id,
    anomaly_type: finding.type,
    anomaly_category: finding.category,
    severity: finding.severity,
    status: 'open',
    market: tick.market,
    connector,
    service: SERVICE,
    data_source: source,
    instrument_id: tick.instrument_id,
    affected_records: [tick.event_id],
    affected_fields: [finding.field],
    expected_value: finding.expected,
    actual_value: finding.actual,
    threshold_value: finding.threshold,
    deviation_amount: finding.deviation,
    deviation_percentage: finding.deviationPercent,
    confidence_score: null,
    detection_method: finding.category,
    detection_algorithm: finding.algorithm,
    detection_parameters: { rule: finding.rule },
    time_window: null,
    frequency: null,
    first_occurrence: tick.occurred_at,
    last_occurrence: tick.occurred_at,
    description: finding.description,
    recommendations: [],
    related_anomalies: [],
    tags: [],
    metadata: {},
    detected_at: nowMs * 1_000,
  };
}
