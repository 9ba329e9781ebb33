// Reads of anomalies and quality scores for the quality routes. Windows are by ingestion time: when a record
// was assessed, never when it was delivered.

import type { ClickHouse } from './clickhouse.ts';
import { DATABASE } from './table.ts';

const SCORES = `${DATABASE}.gold_data_quality_scores AS s FINAL`;
const ANOMALIES = `${DATABASE}.gold_data_quality_anomalies AS a FINAL`;

/** Shares, ascending: a score is high from `good`, medium from `warning`, low below it. */
export interface QualityThresholds {
  readonly critical: number;
  readonly warning: number;
  readonly good: number;
}

/** Instants in microseconds, [from, to); null: no bound. */
export interface Window {
  readonly fromUs: number | null;
  readonly toUs: number | null;
  readonly market: string | null;
}

export interface ScoreSummary {
  readonly market: string;
  readonly records: number;
  readonly average: number | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly high: number;
  readonly medium: number;
  readonly low: number;
  readonly valid: number;
  readonly completeness: number | null;
  readonly accuracy: number | null;
  readonly consistency: number | null;
  readonly timeliness: number | null;
  readonly validity: number | null;
}

type Values = Record<string, unknown>;

function inWindow(column: string, window: Window, values: Values): string[] {
  const found: string[] = [];
  if (window.fromUs !== null) {
    values.fromUs = window.fromUs;
    found.push(`${column} >= fromUnixTimestamp64Micro({fromUs: Int64}, 'UTC')`);
  }
  if (window.toUs !== null) {
    values.toUs = window.toUs;
    found.push(`${column} < fromUnixTimestamp64Micro({toUs: Int64}, 'UTC')`);
  }
  if (window.market !== null) {
    values.market = window.market;
    found.push(`${column.slice(0, column.indexOf('.'))}.market = {market: String}`);
  }
  return found;
}

function whereOf(found: readonly string[]): string {
  return found.length === 0 ? '' : `WHERE ${found.join(' AND ')}`;
}

const MEASURES = `count() AS records, avgOrNull(s.quality_score) AS average,
  minOrNull(s.quality_score) AS minimum,
  maxOrNull(s.quality_score) AS maximum, countIf(s.quality_score >= {good: Float64}) AS high,
  countIf(s.quality_score < {good: Float64} AND s.quality_score >= {warning: Float64}) AS medium,
  countIf(s.quality_score < {warning: Float64}) AS low, countIf(valid) AS valid,
  avgOrNull(s.completeness_score) AS completeness, avgOrNull(s.accuracy_score) AS accuracy,
  avgOrNull(s.consistency_score) AS consistency, avgOrNull(s.timeliness_score) AS timeliness,
  avgOrNull(s.validity_score) AS validity`;

export type ScoreGroup = 'all' | 'market' | 'connector' | 'instrument_id';

/** Scores over a window, by market or other name; worst average first. */
export async function scoreSummaries(
  clickhouse: ClickHouse,
  window: Window,
  by: ScoreGroup,
  limit: number,
  { good, warning }: QualityThresholds,
): Promise<(ScoreSummary & { readonly name: string })[]> {
  const values: Values = { limit, good, warning };
  const where = whereOf(inWindow('s.assessed_at', window, values));
  const name = by === 'all' ? "'all'" : `s.${by}`;
  return clickhouse.rows(
    `SELECT ${name} AS name, any(s.market) AS market, ${MEASURES} FROM ${SCORES} ${where}
     GROUP BY name ORDER BY average, name LIMIT {limit: UInt32}`,
    values,
  );
}

export interface AnomalyCount {
  readonly anomaly_type: string;
  readonly severity: string;
  readonly market: string;
  readonly n: number;
}

export async function anomalyCounts(clickhouse: ClickHouse, window: Window): Promise<AnomalyCount[]> {
  const values: Values = {};
  const where = whereOf(inWindow('a.detected_at', window, values));
  return clickhouse.rows(
    `SELECT anomaly_type, severity, market, count() AS n FROM ${ANOMALIES} ${where}
     GROUP BY anomaly_type, severity, market ORDER BY anomaly_type, severity, market`,
    values,
  );
}

export interface ValidationErrors {
  readonly market: string;
  readonly rule: string;
  readonly n: number;
}

/** Broken rules of all time; `rule` names one of the few checks there are. */
export async function validationErrors(clickhouse: ClickHouse): Promise<ValidationErrors[]> {
  return clickhouse.rows(
    `SELECT market, JSONExtractString(detection_parameters, 'rule') AS rule, count() AS n FROM ${ANOMALIES}
     WHERE anomaly_type IN ('validation_error', 'range_violation')
     GROUP BY market, rule ORDER BY market, rule`,
    {},
  );
}

export interface AnomalyQuery extends Window {
  readonly type: string | null;
  readonly severity: string | null;
  readonly limit: number;
  /** Time and id of the last one of the previous page. */
  readonly before: { readonly detectedUs: number; readonly id: string } | null;
}

export type AnomalyRow = Readonly<Record<string, unknown>> & {
  readonly event_id: string;
  readonly detected_us: number;
};

const utc = (column: string): string =>
  `formatDateTime(a.${column}, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC') AS ${column}`;

/** Newest first. One more than `limit` is read, so that the caller knows whether there is a next page. */
export async function anomalies(clickhouse: ClickHouse, query: AnomalyQuery): Promise<AnomalyRow[]> {
  const values: Values = { limit: query.limit + 1 };
  const found = inWindow('a.detected_at', query, values);
  if (query.type !== null) {
    values.type = query.type;
    found.push('anomaly_type = {type: String}');
  }
  if (query.severity !== null) {
    values.severity = query.severity;
    found.push('severity = {severity: String}');
  }
  if (query.before !== null) {
    values.beforeUs = query.before.detectedUs;
    values.beforeId = query.before.id;
    found.push('(toUnixTimestamp64Micro(a.detected_at), event_id) < ({beforeUs: Int64}, {beforeId: String})');
  }
  return clickhouse.rows(
    `SELECT event_id, anomaly_id, anomaly_type, anomaly_category, severity, status, market, connector,
       service, data_source, instrument_id, affected_records, affected_fields, expected_value, actual_value,
       threshold_value,
       deviation_amount, deviation_percentage, confidence_score, detection_method, detection_algorithm,
       detection_parameters, time_window, description, recommendations, tags, metadata, ${utc('occurred_at')},
       ${utc('detected_at')}, toUnixTimestamp64Micro(a.detected_at) AS detected_us
     FROM ${ANOMALIES} ${whereOf(found)}
     ORDER BY a.detected_at DESC, event_id DESC LIMIT {limit: UInt32}`,
    values,
  );
}
