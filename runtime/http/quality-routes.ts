// Data quality on 8514: the report, scores and anomalies, from ClickHouse. Windows are by ingestion time.

import { createRoute, z } from '@hono/zod-openapi';
import type {
  AnomalyCount,
  AnomalyQuery,
  AnomalyRow,
  QualityThresholds,
  ScoreGroup,
  ScoreSummary,
  Window,
} from '../../sinks/quality-queries.ts';
import {
  type App,
  instantMs,
  instantParameter,
  json,
  numberParameter,
  PROBLEM,
  packCursor,
  textParameter,
  unpackCursor,
} from './app.ts';

export interface QualityPorts {
  readonly nowMs: () => number;
  readonly thresholds: QualityThresholds;
  readonly scores: (
    window: Window,
    by: ScoreGroup,
    limit: number,
  ) => Promise<(ScoreSummary & { readonly name: string })[]>;
  readonly counts: (window: Window) => Promise<AnomalyCount[]>;
  readonly anomalies: (query: AnomalyQuery) => Promise<AnomalyRow[]>;
}

const HOURS_MAX = 720;
const WORST = 10;
const GROUPS_MAX = 1_000;

const market = textParameter.transform((of) => (of === undefined || of === 'all' ? null : of.toUpperCase()));

export function qualityRoutes(app: App, ports: QualityPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/quality/report',
      summary: 'Quality over the last hours, by ingestion time',
      request: { query: z.object({ hours: numberParameter(1, HOURS_MAX, 24), market }) },
      responses: { 200: json('The report'), 422: PROBLEM },
    }),
    async (context) => {
      const { hours, market: of } = context.req.valid('query');
      return context.json(await report(ports, hours, of), 200);
    },
  );
  scoreRoute(app, ports);
  anomalyRoutes(app, ports);
  anomalySummaryRoute(app, ports);
}

async function report(ports: QualityPorts, hours: number, of: string | null) {
  const nowMs = ports.nowMs();
  const window = lastHours(nowMs, hours, of);
  const [[total], markets, connectors, worst, counts] = await Promise.all([
    ports.scores(window, 'all', 1),
    ports.scores(window, 'market', GROUPS_MAX),
    ports.scores(window, 'connector', GROUPS_MAX),
    ports.scores(window, 'instrument_id', WORST),
    ports.counts(window),
  ]);
  const anomalies = counts.reduce((sum, each) => sum + each.n, 0);
  const records = total?.records ?? 0;
  return {
    report_period: { start: iso(nowMs - hours * 3_600_000), end: iso(nowMs), hours },
    market: of ?? 'all',
    quality_metrics: {
      average_quality_score: total?.average ?? null,
      minimum_quality_score: total?.minimum ?? null,
      maximum_quality_score: total?.maximum ?? null,
      total_records: records,
      valid_records: total?.valid ?? 0,
      sub_scores: subScores(total),
    },
    quality_distribution: {
      high_quality: total?.high ?? 0,
      medium_quality: total?.medium ?? 0,
      low_quality: total?.low ?? 0,
    },
    anomaly_summary: {
      total_anomalies: anomalies,
      by_type: countBy(counts, 'anomaly_type'),
      by_severity: countBy(counts, 'severity'),
      anomaly_rate: records === 0 ? null : anomalies / records,
    },
    by_market: Object.fromEntries(markets.map((each) => [each.name, brief(each)])),
    by_connector: Object.fromEntries(connectors.map((each) => [each.name, brief(each)])),
    worst_keys: worst.map((each) => ({
      instrument_id: each.name,
      ...brief(each),
      link: `/actors/${each.name.replace(':', '/')}`,
    })),
    recommendations: recommendations(ports.thresholds, total, counts, records),
    generated_at: iso(nowMs),
  };
}

function lastHours(nowMs: number, hours: number, of: string | null): Window {
  return { fromUs: (nowMs - hours * 3_600_000) * 1_000, toUs: null, market: of };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function brief(of: ScoreSummary) {
  return { average_quality_score: of.average, records: of.records, low_quality: of.low };
}

function subScores(of: ScoreSummary | undefined) {
  const {
    completeness = null,
    accuracy = null,
    consistency = null,
    timeliness = null,
    validity = null,
  } = of ?? {};
  return { completeness, accuracy, consistency, timeliness, validity };
}

function countBy(counts: readonly AnomalyCount[], field: 'anomaly_type' | 'severity' | 'market') {
  const sums: Record<string, number> = {};
  for (const each of counts) sums[each[field]] = (sums[each[field]] ?? 0) + each.n;
  return sums;
}

function recommendations(
  { critical, warning }: QualityThresholds,
  total: ScoreSummary | undefined,
  counts: readonly AnomalyCount[],
  records: number,
): string[] {
  if (records === 0) return ['No record was assessed in this window: check that data arrives.'];
  const found: string[] = [];
  const average = total?.average ?? 1;
  if (average < critical)
    found.push(`The average score is critical, below ${critical}: see worst_keys first.`);
  else if (average < warning) found.push(`The average score is below ${warning}: see worst_keys first.`);
  const worst = [...counts].sort((a, b) => b.n - a.n)[0];
  if (worst !== undefined && worst.n / records > 0.1) {
    found.push(
      `${worst.anomaly_type} makes up more than a tenth of the records: review its rule or its source.`,
    );
  }
  if (counts.some((each) => each.severity === 'critical')) {
    found.push('There are critical anomalies: GET /anomalies?severity=critical');
  }
  return found;
}

function scoreRoute(app: App, ports: QualityPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/quality/scores',
      summary: 'Scores by market over a window',
      request: { query: z.object({ market, start_time: instantParameter, end_time: instantParameter }) },
      responses: { 200: json('Scores'), 422: PROBLEM },
    }),
    async (context) => {
      const { market: of, start_time, end_time } = context.req.valid('query');
      const window = { fromUs: toUs(start_time), toUs: toUs(end_time), market: of };
      const found = await ports.scores(window, 'market', GROUPS_MAX);
      const scores = found.map((each) => ({
        market: each.name,
        average_quality_score: each.average,
        minimum_quality_score: each.minimum,
        maximum_quality_score: each.maximum,
        sub_scores: subScores(each),
        total_records: each.records,
        valid_records: each.valid,
        invalid_records: each.records - each.valid,
      }));
      const filters = { market: of, start_time: start_time ?? null, end_time: end_time ?? null };
      return context.json({ scores, count: scores.length, filters, timestamp: iso(ports.nowMs()) }, 200);
    },
  );
}

function toUs(instant: string | undefined): number | null {
  return instant === undefined ? null : instantMs(instant) * 1_000;
}

/** Where a page of anomalies begins; undefined when the cursor is not one of ours. */
function anomalyCursor(cursor: string | undefined): { detectedUs: number; id: string } | null | undefined {
  if (cursor === undefined) return null;
  const [detectedUs, id] = unpackCursor(cursor) ?? [];
  return typeof detectedUs === 'number' && typeof id === 'string' ? { detectedUs, id } : undefined;
}

function anomalyRoutes(app: App, ports: QualityPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/anomalies',
      summary: 'Anomalies, newest first',
      request: {
        query: z.object({
          market,
          anomaly_type: textParameter,
          severity: z.enum(['low', 'medium', 'high', 'critical']).optional(),
          start_time: instantParameter,
          end_time: instantParameter,
          limit: numberParameter(1, 1_000, 50),
          cursor: z.string().max(2_000).optional(),
        }),
      },
      responses: { 200: json('Anomalies'), 422: PROBLEM },
    }),
    async (context) => {
      const {
        market: of,
        anomaly_type,
        severity,
        start_time,
        end_time,
        limit,
        cursor,
      } = context.req.valid('query');
      const before = anomalyCursor(cursor);
      if (before === undefined) {
        const message = 'cursor: not a cursor of this list: leave it out to begin';
        return context.json(
          { error: 'invalid_parameter', message, fields: [{ field: 'cursor', message }] },
          422,
        );
      }
      const found = await ports.anomalies({
        fromUs: toUs(start_time),
        toUs: toUs(end_time),
        market: of,
        type: anomaly_type ?? null,
        severity: severity ?? null,
        limit,
        before,
      });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      const anomalies = page.map(({ detected_us: _, ...each }) => each);
      const filters = {
        market: of,
        anomaly_type: anomaly_type ?? null,
        severity: severity ?? null,
        start_time: start_time ?? null,
        end_time: end_time ?? null,
      };
      const next = last === undefined ? null : packCursor([last.detected_us, last.event_id]);
      return context.json(
        { anomalies, count: page.length, next, filters, timestamp: iso(ports.nowMs()) },
        200,
      );
    },
  );
}

function anomalySummaryRoute(app: App, ports: QualityPorts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/anomalies/summary',
      summary: 'Counts of anomalies over the last hours, by ingestion time',
      request: { query: z.object({ hours: numberParameter(1, HOURS_MAX, 24), market }) },
      responses: { 200: json('The summary'), 422: PROBLEM },
    }),
    async (context) => {
      const { hours, market: of } = context.req.valid('query');
      const counts = await ports.counts(lastHours(ports.nowMs(), hours, of));
      const summary = {
        total_anomalies: counts.reduce((sum, each) => sum + each.n, 0),
        by_type: countBy(counts, 'anomaly_type'),
        by_market: countBy(counts, 'market'),
        by_severity: countBy(counts, 'severity'),
        time_window_hours: hours,
      };
      return context.json({ ...summary, timestamp: iso(ports.nowMs()) }, 200);
    },
  );
}
