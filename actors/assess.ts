// Data quality: every tick gets five sub-scores and a score, and what the detectors found becomes anomalies.
// The score is the plain mean of the five, each 0–1:
//   completeness  share of the required fields and of the market's components that have a value
//   accuracy      1, less 0.5 for a statistical finding and 0.5 for a range violation
//   consistency   1, less 0.5 for each finding that the record disagrees with itself or its instrument
//   timeliness    1; for live feeds 0.5 beyond the freshness and 0 beyond twice of it
//   validity      1, halved by each validation error

import type { AssessmentOptions, MarketRules } from './assessment-options.ts';
import { detect, type Finding, type Memory, schemaOf } from './detectors.ts';
import { Defect } from './domain/invariant.ts';
import { type MarketCalendar, marketCalendar } from './domain/operating-day.ts';
import { isRejection, reject } from './domain/rejection.ts';
import { sealJson, unsealJson } from './domain/sealed.ts';
import { toMs } from './domain/time.ts';
import { type Anomaly, type QualityScore, SCHEMA_VERSION, type Tick } from './domain/wire.ts';
import { NO_PRICES, packPrices, unpackPrices, withPrice } from './recent-prices.ts';
import {
  type Emission,
  NO_TALLY,
  type Refused,
  type Stage,
  type StageRecord,
  type StageResult,
} from './stage.ts';
import { readWireTick } from './wire-tick.ts';

export interface AssessmentState extends Memory {
  readonly instrumentId: string;
}

const SERVICE = 'data-quality-service';
const IDS_KEPT = 32;

interface Rules {
  readonly options: AssessmentOptions;
  readonly calendars: ReadonlyMap<string, MarketCalendar>;
}

export function assessmentStage(options: AssessmentOptions): Stage<AssessmentState> {
  const calendars = [...options.markets].map(
    ([name, each]) => [name, marketCalendar(each.spec.zone)] as const,
  );
  const rules: Rules = { options, calendars: new Map(calendars) };
  return {
    name: 'data-quality',
    initial: fresh,
    process: (state, records, { nowMs }) => process(rules, state, records, nowMs),
    advance: (state) => ({ state, emissions: [], refused: [], tally: NO_TALLY, notes: [] }),
    store(before, after) {
      if (before === after) return [];
      const { newestMs, schema, ids } = after;
      return [
        { part: 'prices', bytes: packPrices(after.prices) },
        { part: 'volumes', bytes: packPrices(after.volumes) },
        { part: 'memory', bytes: sealJson(1, { newestMs, schema, ids }) },
      ];
    },
    restore,
    inspect: ({ prices, newestMs, schema }) => ({ prices_held: prices.prices.length, newestMs, schema }),
  };
}

function fresh(instrumentId: string): AssessmentState {
  return { instrumentId, prices: NO_PRICES, volumes: NO_PRICES, newestMs: null, schema: null, ids: [] };
}

function restore(instrumentId: string, parts: ReadonlyMap<string, Uint8Array>): AssessmentState {
  const [prices, volumes, memory] = ['prices', 'volumes', 'memory'].map((part) => parts.get(part));
  if (prices === undefined || volumes === undefined || memory === undefined) {
    throw new Defect(`${instrumentId} is stored in part`);
  }
  const value = unsealJson(memory, [1]);
  if (typeof value !== 'object' || value === null) throw new Defect('the memory is an object');
  const newestMs: unknown = Reflect.get(value, 'newestMs');
  const schema: unknown = Reflect.get(value, 'schema');
  const ids: unknown = Reflect.get(value, 'ids');
  return {
    instrumentId,
    prices: unpackPrices(prices),
    volumes: unpackPrices(volumes),
    newestMs: typeof newestMs === 'number' ? newestMs : null,
    schema: typeof schema === 'string' ? schema : null,
    ids: Array.isArray(ids) ? ids : [],
  };
}

function process(
  rules: Rules,
  before: AssessmentState,
  records: readonly StageRecord[],
  nowMs: number,
): StageResult<AssessmentState> {
  let state = before;
  const emissions: Emission[] = [];
  const refused: Refused[] = [];
  for (const { offset, value } of records) {
    const read = readWireTick(value, state.instrumentId);
    const market = isRejection(read) ? undefined : rules.options.markets.get(read.market);
    const calendar = isRejection(read) ? undefined : rules.calendars.get(read.market);
    if (isRejection(read)) refused.push({ offset, rejection: read });
    else if (market === undefined || calendar === undefined) {
      refused.push({
        offset,
        rejection: reject('unknown_market', `no rules for '${read.market}'`, 'market'),
      });
    } else {
      const tick = read.record;
      const look = { tick, memory: state, options: rules.options, rules: market, calendar, nowMs };
      const findings = detect(look);
      for (const finding of findings)
        emissions.push({ to: 'anomalies', value: anomaly(rules, tick, finding, nowMs) });
      emissions.push({ to: 'scores', value: JSON.stringify(score(rules, market, tick, findings, nowMs)) });
      state = remember(state, tick, rules.options, nowMs);
    }
  }
  const forwarded = records.length - refused.length;
  return {
    state,
    emissions,
    refused,
    tally: { ...NO_TALLY, forwarded, rejected: refused.length },
    notes: [],
  };
}

function remember(
  state: AssessmentState,
  tick: Tick,
  options: AssessmentOptions,
  nowMs: number,
): AssessmentState {
  const { priceBuffer, volumeBuffer } = options.detection;
  const startMs = toMs(tick.interval_start);
  return {
    ...state,
    prices: tick.price === null ? state.prices : withPrice(state.prices, startMs, tick.price, priceBuffer),
    volumes:
      tick.quantity === null ? state.volumes : withPrice(state.volumes, startMs, tick.quantity, volumeBuffer),
    newestMs: Math.max(state.newestMs ?? startMs, startMs),
    schema: schemaOf(tick),
    ids: [...state.ids.slice(1 - IDS_KEPT), { id: tick.event_id, atMs: nowMs }],
  };
}

function score(
  rules: Rules,
  market: MarketRules,
  tick: Tick,
  findings: readonly Finding[],
  nowMs: number,
): QualityScore {
  const of = (category: Finding['category']): number =>
    findings.filter((each) => each.category === category).length;
  const errors = findings.filter(
    (each) => each.type === 'validation_error' || each.type === 'range_violation',
  ).length;
  const violated = findings.some((each) => each.type === 'range_violation');
  const parts = {
    completeness_score: completeness(market, tick),
    accuracy_score: 1 - (of('statistical') > 0 ? 0.5 : 0) - (violated ? 0.5 : 0),
    consistency_score: Math.max(
      0,
      1 - 0.5 * (of('consistency') + (tick.quality_flags.includes('label_mismatch') ? 1 : 0)),
    ),
    timeliness_score: timeliness(market, tick, nowMs),
    validity_score: 0.5 ** errors,
  };
  const values = Object.values(parts);
  const id = hash(`score|${tick.event_id}|${nowMs}`);
  return {
    event_id: id,
    trace_id: tick.trace_id,
    occurred_at: tick.occurred_at,
    tenant_id: rules.options.tenantId,
    schema_version: SCHEMA_VERSION,
    producer: SERVICE,
    market: tick.market,
    instrument_id: tick.instrument_id,
    tick_id: tick.event_id,
    connector: connectorOf(tick),
    quality_score: values.reduce((sum, each) => sum + each, 0) / values.length,
    ...parts,
    valid: errors === 0,
    anomaly_count: findings.length,
    assessed_at: nowMs * 1_000,
  };
}

function completeness(market: MarketRules, tick: Tick): number {
  const wanted = [
    ...market.requiredFields,
    ...(tick.instrument_type === 'lmp' ? expectedComponents(market) : ['price']),
  ];
  const there = wanted.filter((field) => (Reflect.get(tick, field) ?? null) !== null).length;
  return wanted.length === 0 ? 1 : there / wanted.length;
}

/** Components that an operator gives with every price; the greenhouse and energy parts are not among them. */
function expectedComponents(market: MarketRules): string[] {
  return Object.values(market.spec.components).filter(
    (field) => field !== 'ghg_price' && field !== 'energy_price',
  );
}

function timeliness(market: MarketRules, tick: Tick, nowMs: number): number {
  if (!market.live) return 1;
  const age = nowMs - toMs(tick.publication);
  return age <= market.dataFreshnessMs ? 1 : age <= 2 * market.dataFreshnessMs ? 0.5 : 0;
}

function connectorOf(tick: Tick): string | null {
  const source: unknown = tick.normalization_metadata.source;
  if (typeof source !== 'object' || source === null) return null;
  const feed: unknown = Reflect.get(source, 'feed');
  return typeof feed === 'string' ? feed : null;
}

function anomaly(rules: Rules, tick: Tick, finding: Finding, nowMs: number): string {
  const id = hash(`anomaly|${tick.event_id}|${finding.type}|${finding.field}|${finding.description}`);
  const value: Anomaly = {
    event_id: id,
    trace_id: tick.trace_id,
    occurred_at: tick.occurred_at,
    tenant_id: rules.options.tenantId,
    schema_version: SCHEMA_VERSION,
    producer: SERVICE,
    anomaly_id: id,
    anomaly_type: finding.type,
    anomaly_category: finding.category,
    severity: finding.severity,
    status: 'open',
    market: tick.market,
    connector: connectorOf(tick),
    service: SERVICE,
    data_source: null,
    instrument_id: tick.instrument_id,
    affected_records: [tick.event_id],
    affected_fields: [finding.field],
    expected_value: finding.expected,
    actual_value: finding.actual,
    threshold_value: finding.threshold,
    deviation_amount: finding.deviation,
    deviation_percentage: null,
    confidence_score: null,
    detection_method: finding.category,
    detection_algorithm: finding.algorithm,
    detection_parameters: {},
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
  return JSON.stringify(value);
}

function hash(of: string): string {
  return Bun.hash.xxHash64(of).toString(16).padStart(16, '0');
}
