// Each service as its port sees it: health with dependencies and a cause, readiness, information, lag,
// ledger, metrics. Health is honest: 503 whenever the service cannot do its own job, and 200 when only
// somebody else cannot, or may be late (`probe.ts`).

import { anomalyCounts, scoreSummaries, validationErrors } from '../sinks/quality-queries.ts';
import { operators, trouble } from './connectors-service.ts';
import type { Database } from './database.ts';
import type { AnswerCache } from './http/answer-cache.ts';
import type { Connectors } from './live/connectors.ts';
import type { OpenedLog } from './open-log.ts';
import { inWords, REMEDY } from './overtaken.ts';
import type { Pipeline } from './pipeline.ts';
import { quarantinedIn, stuckIn } from './platform-report.ts';
import { type GroupName, SERVICES, type ServiceSpec } from './services.ts';
import { restoringIn, staleOf } from './staleness.ts';
import type { Scrape, Telemetry } from './telemetry.ts';
import type { DependencyView, HealthView, ServiceView, StageName, Stale } from './views.ts';
import type { Workers } from './workers/workers.ts';

export interface Running {
  readonly pipeline: Pipeline;
  readonly database: Database;
  readonly cache: AnswerCache;
  readonly connectors: Connectors;
  /** Besides this thread; none with PARALLELISM=1. */
  readonly workers: Workers;
}

export interface ServiceParts {
  /** Null until the pipeline is built. */
  readonly running: () => Running | null;
  readonly draining: () => boolean;
  readonly telemetry: Telemetry;
  readonly startedMs: number;
  readonly nowMs: () => number;
  /** Null until it is opened. */
  readonly opened: () => Pick<OpenedLog, 'log' | 'name' | 'target' | 'probe'> | null;
  readonly redisTarget: string | null;
  readonly info: Readonly<Record<string, unknown>>;
  readonly port: number;
}

const QUALITY_MS = 15_000;
const DAY_MS = 86_400_000;
const GAPS_TOLD = 3;
const MARKETS_MAX = 100;
/** Only means are asked for; they know no thresholds. */
const ANY = { critical: 0, warning: 0, good: 0 };

type Quality = Pick<Scrape, 'quality' | 'invalid'>;
const UNKNOWN: Quality = { quality: [], invalid: [] };

/** Quality from ClickHouse, asked at most every 15 s; nothing while it does not answer. */
function qualityReader(nowMs: () => number): (of: Database) => Promise<Quality> {
  let last: { readonly atMs: number; readonly of: Promise<Quality> } | null = null;
  return ({ clickhouse }) => {
    if (last !== null && nowMs() - last.atMs < QUALITY_MS) return last.of;
    const window = { fromUs: (nowMs() - DAY_MS) * 1_000, toUs: null, market: null };
    const read = async (): Promise<Quality> => {
      const [scores, counts, invalid] = await Promise.all([
        scoreSummaries(clickhouse, window, 'market', MARKETS_MAX, ANY),
        anomalyCounts(clickhouse, window),
        validationErrors(clickhouse),
      ]);
      const quality = scores.flatMap(({ name, average, records }) => {
        const found = counts.filter((each) => each.market === name).reduce((sum, each) => sum + each.n, 0);
        return average === null ? [] : [{ market: name, average, anomaliesPerRecord: found / records }];
      });
      return { quality, invalid };
    };
    last = { atMs: nowMs(), of: read().catch(() => UNKNOWN) };
    return last.of;
  };
}

export function serviceView(name: StageName, parts: ServiceParts): ServiceView {
  const spec = specOf(name);
  const quality = qualityReader(parts.nowMs);
  const groups: readonly GroupName[] =
    name === 'aggregation' ? [spec.group, 'aggregation-rebuilder'] : [spec.group];
  return {
    name,
    port: parts.port,
    group: spec.group,
    description: spec.description,
    startedMs: parts.startedMs,
    health: () => health(spec, groups, parts),
    ready: () => ready(groups, parts),
    info: () => ({
      service: name,
      description: spec.description,
      consumer_group: spec.group,
      port: parts.port,
      pid: process.pid,
      uptime_seconds: Math.floor((parts.nowMs() - parts.startedMs) / 1_000),
      parallelism: 1 + (parts.running()?.workers.info().length ?? 0),
      workers: parts.running()?.workers.info() ?? [],
      ...parts.info,
    }),
    async lag() {
      const pipeline = parts.running()?.pipeline;
      if (pipeline === undefined) return [];
      return (await Promise.all(groups.map((group) => pipeline.log.lag(group)))).flat();
    },
    async ledger() {
      const pipeline = parts.running()?.pipeline;
      return pipeline?.platform.started === true ? await pipeline.ledger(spec.group) : new Map();
    },
    async metrics() {
      const running = parts.running();
      return parts.telemetry.text({
        lag: await this.lag(),
        ledgers: await this.ledger(),
        ...(name === 'data-quality' && running !== null ? await quality(running.database) : UNKNOWN),
        cacheRatio: running?.cache.ratio ?? null,
        cacheRemoved: running?.cache.invalidations ?? null,
        cacheFlushes: running?.cache.flushes ?? 0,
        nowMs: parts.nowMs(),
      });
    },
  };
}

export function specOf(name: StageName): ServiceSpec {
  const found = SERVICES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

function ready(groups: readonly GroupName[], parts: ServiceParts): { ready: boolean; cause: string | null } {
  if (parts.draining()) return { ready: false, cause: 'draining' };
  const running = parts.running();
  if (running === null) return { ready: false, cause: 'starting' };
  const waiting = groups.filter((group) => running.pipeline.platform.groups.get(group)?.ready !== true);
  if (waiting.length > 0) return { ready: false, cause: `${waiting.join(', ')}: state is being restored` };
  const behind = running.workers.unready(groups);
  return behind === null ? { ready: true, cause: null } : { ready: false, cause: behind };
}

async function health(
  spec: ServiceSpec,
  groups: readonly GroupName[],
  parts: ServiceParts,
): Promise<HealthView> {
  const { ready: isReady, cause } = ready(groups, parts);
  const running = parts.running();
  if (parts.draining()) return { status: 'draining', cause, dependencies: {} };
  const log = await logOf(parts);
  const logName = parts.opened()?.name ?? 'log';
  if (running === null) {
    const dependencies = log === null ? {} : { [logName]: log };
    const status = log?.status === 'down' ? 'unhealthy' : 'starting';
    return { status, cause: log?.cause ?? cause, dependencies };
  }
  const others = await dependenciesOf(spec, running, parts);
  const dependencies = log === null ? others : { [logName]: log, ...others };
  const { clickhouse, redis } = others;
  const view = (status: HealthView['status'], why: string | null) => ({ status, cause: why, dependencies });
  if (log?.status === 'down') return view('unhealthy', log.cause);
  if (spec.name === 'projection' && clickhouse?.status === 'down') return view('unhealthy', clickhouse.cause);
  if (!isReady) return view('starting', cause);
  const stuck = stuckPartition(groups, running);
  if (stuck !== null) return view('unhealthy', stuck);
  if (clickhouse?.status === 'down') return view('degraded', `reports cannot be read: ${clickhouse.cause}`);
  if (redis?.status === 'down') return view('degraded', redis.cause);
  const late = [log, clickhouse].find((each) => each?.status === 'degraded');
  if (late?.cause) return view('degraded', late.cause);
  const gaps = gapsOf(groups, running);
  if (gaps.length > 0) return view('degraded', `${gaps.join('; ')}: ${REMEDY}`);
  const quarantined = quarantinedBy(spec.group, running);
  if (quarantined > 0) return view('degraded', `${quarantined} instruments are in quarantine: GET /actors`);
  const fed = spec.name === 'normalization' ? trouble(operators(running.connectors, parts.nowMs())) : null;
  return fed === null ? view('healthy', null) : view('degraded', fed);
}

export async function logOf(parts: Pick<ServiceParts, 'opened'>): Promise<DependencyView | null> {
  return parts.opened()?.probe.look() ?? null;
}

async function dependenciesOf(
  spec: ServiceSpec,
  { database, cache, connectors }: Running,
  parts: ServiceParts,
): Promise<Record<string, DependencyView>> {
  const found: Record<string, DependencyView> = {};
  if (spec.name === 'normalization') Object.assign(found, operators(connectors, parts.nowMs()));
  if (spec.name === 'projection' || spec.name === 'data-quality') found.clickhouse = await database.health();
  if (spec.name === 'projection') found.redis = await redisOf(cache, parts.redisTarget);
  return found;
}

async function redisOf(cache: AnswerCache, target: string | null): Promise<DependencyView> {
  if (target === null) return { status: 'embedded', target: 'in this process', cause: null };
  const inUse = cache.pool?.inUse ?? 0;
  const from = performance.now();
  const cause = await cache.health();
  const latency_ms = Math.round((performance.now() - from) * 100) / 100;
  const pool = { size: cache.pool?.size ?? 0, in_use: inUse };
  return { status: cause === null ? 'up' : 'down', target, cause, latency_ms, pool };
}

/** Why a partition of the service does not go on; null when all do. */
function stuckPartition(names: readonly GroupName[], { pipeline, workers }: Running): string | null {
  for (const name of names) {
    const group = pipeline.platform.groups.get(name);
    const why = group === undefined ? null : stuckIn(group);
    if (why !== null) return why;
  }
  return workers.reports(names).find(({ stuck }) => stuck !== null)?.stuck ?? null;
}

/** What retention took before the service has read it; told until the process ends. */
function gapsOf(names: readonly GroupName[], { pipeline, workers }: Running): readonly string[] {
  const here = names.flatMap((name) => pipeline.platform.groups.get(name)?.gaps.all.map(inWords) ?? []);
  const all = [...here, ...workers.reports(names).flatMap(({ gaps }) => gaps)];
  const more = all.length - GAPS_TOLD;
  return more <= 0 ? all : [...all.slice(0, GAPS_TOLD), `and of ${more} more`];
}

/** What answers depend on that these groups still have to restore, here and in workers; null: nothing. */
export function staleBy(names: readonly GroupName[], { pipeline, workers }: Running): Stale | null {
  const there = workers.reports(names).flatMap(({ restoring }) => restoring ?? []);
  return staleOf([...restoringIn(pipeline.platform.groups, names), ...there]);
}

function quarantinedBy(group: GroupName, { pipeline, workers }: Running): number {
  const here = quarantinedIn(group, pipeline.platform.directory);
  return workers.reports([group]).reduce((sum, each) => sum + each.quarantined, here);
}
