// The connectors as their routes show them: who follows what and how it goes, the history.
// JSON with the field names of the wire; no credentials, because none comes this far.

import { circuit, opensMs } from '../../actors/live/breaker.ts';
import { isGood, type Run } from '../../actors/live/run.ts';
import { type Silence, silenceOf } from '../../actors/live/silence.ts';
import type { Json } from '../views.ts';
import type { BackfillJob } from './backfill.ts';
import type { Connector, Connectors } from './connectors.ts';
import { nameOf } from './hold.ts';
import type { LiveFeed } from './live-feed.ts';
import type { Holder } from './store.ts';

/** Null for no time at all. */
export function iso(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : new Date(ms).toISOString();
}

export function runView(run: Run): Json {
  return {
    feed: run.feed,
    started_at: iso(run.startedMs),
    ended_at: iso(run.endedMs),
    window: run.window,
    why: run.why,
    outcome: run.outcome,
    http_status: run.status,
    requests: run.requests,
    bytes: run.bytes,
    rows: run.rows,
    records: run.appended,
    corrected: run.corrected,
    unchanged: run.unchanged,
    unasked: run.unasked,
    missing: run.missing,
    duration_ms: run.millis,
    error: run.error,
  };
}

/** Newest first. */
export function runsView({ feeds, corrections }: Connector, limit: number): readonly Json[] {
  const all = [...feeds, ...corrections]
    .flatMap(({ runs }) => runs)
    .sort((a, b) => b.endedMs - a.endedMs || b.seq - a.seq);
  return all.slice(0, limit).map(runView);
}

export function connectorView(connector: Connector, nowMs: number): Json {
  const { plan, feeds, state, hold } = connector;
  if (hold.other !== null) return standbyView(connector, hold.other);
  return {
    name: plan.name,
    market: plan.market.market,
    description: plan.description,
    enabled: state.enabled,
    reason: state.reason,
    since: iso(state.sinceMs),
    status: healthOf(connector, nowMs).status,
    base_urls: plan.bases,
    request_interval_ms: plan.requestIntervalMs,
    feeds: feeds.map((feed) => ({
      name: feed.settings.source.name,
      feed: feed.name,
      run: feed.settings.source.run,
      nodes: feed.settings.nodes,
      days_back: feed.settings.daysBack,
      ...feedHealth(feed, nowMs),
    })),
  };
}

/** Nothing is known here of how it goes. */
function standbyView({ plan }: Connector, { host, pid, url, sinceMs }: Holder): Json {
  const { name, market, description } = plan;
  const by = { host, pid, url, since: iso(sinceMs) };
  return { name, market: market.market, description, status: 'standby', followed_by: by };
}

function silenceIn(feed: LiveFeed, nowMs: number): Silence | null {
  return feed.state.enabled ? silenceOf(feed.settings, feed.state.windows, nowMs) : null;
}

function feedHealth(feed: LiveFeed, nowMs: number): Json {
  const { breaker, phase, lastSuccessMs } = feed.state;
  const last = feed.runs.at(-1);
  const good = goodRun(feed);
  return {
    state: feed.broken === null ? phase : 'down',
    circuit: circuit(breaker, nowMs),
    consecutive_failures: breaker.failures,
    last_run: iso(last?.endedMs ?? null),
    last_outcome: last?.outcome ?? null,
    last_success: iso(lastSuccessMs ?? good?.endedMs ?? null),
    last_error: last?.error ?? null,
    source_latency_ms: good?.millis ?? null,
    silent_since: iso(silenceIn(feed, nowMs)?.dueMs ?? null),
  };
}

export type Status = 'healthy' | 'degraded' | 'unhealthy' | 'disabled' | 'standby';

/**
 * Unhealthy: no feed has had an answer to its last request, and some wait for that; degraded: some of it does
 * not work.
 */
export function healthOf(
  connector: Connector,
  nowMs: number,
): { readonly status: Status; readonly body: Json } {
  const { plan, feeds, state, hold } = connector;
  if (hold.other !== null) {
    const cause = causeOf(connector, nowMs);
    return { status: 'standby', body: { ...standbyView(connector, hold.other), cause } };
  }
  const bad = feeds.filter((feed) => feed.broken !== null || circuit(feed.state.breaker, nowMs) !== 'closed');
  const failing = feeds.filter((feed) => feed.state.breaker.failures > 0);
  const status: Status = !state.enabled
    ? 'disabled'
    : bad.length > 0 && new Set([...bad, ...failing]).size === feeds.length
      ? 'unhealthy'
      : unlisted(connector) ||
          failing.length > 0 ||
          bad.length > 0 ||
          feeds.some((feed) => silenceIn(feed, nowMs) !== null)
        ? 'degraded'
        : 'healthy';
  const said = feeds.map((feed) => feedHealth(feed, nowMs));
  const worst = [...failing].sort((a, b) => b.state.breaker.failures - a.state.breaker.failures)[0];
  const successes = said.map((each) => each.last_success).filter((each) => typeof each === 'string');
  const latencies = said.map((each) => each.source_latency_ms).filter((each) => typeof each === 'number');
  const circuits = feeds.map((feed) => circuit(feed.state.breaker, nowMs));
  return {
    status,
    body: {
      name: plan.name,
      status,
      cause: causeOf(connector, nowMs),
      last_success: successes.sort().at(-1) ?? null,
      consecutive_failures: worst?.state.breaker.failures ?? 0,
      circuit:
        circuits.find((each) => each === 'open') ?? circuits.find((each) => each !== 'closed') ?? 'closed',
      source_latency_ms: latencies.length === 0 ? null : Math.max(...latencies),
      feeds: Object.fromEntries(feeds.map((feed, n) => [feed.name, said[n]])),
    },
  };
}

/** Why it is not healthy, in a sentence for who is woken at night; null when it is. */
export function causeOf(connector: Connector, nowMs: number): string | null {
  const { feeds, state, hold } = connector;
  if (hold.other !== null) return `${nameOf(hold.other)} follows it; this process stands by`;
  const by = state.reason === null ? '' : `: ${state.reason}`;
  if (!state.enabled) return `disabled since ${iso(state.sinceMs)}${by}`;
  const failing = feeds.filter((feed) => feed.broken !== null || feed.state.breaker.failures > 0);
  if (failing.length === 0) return silentCause(feeds, nowMs) ?? unlistedCause(connector);
  const which =
    failing.length === feeds.length ? 'no feed' : `not ${failing.map(({ name }) => name).join(', ')}`;
  const [first] = failing;
  const why = first?.broken ?? first?.runs.at(-1)?.error ?? 'no answer';
  const opens = failing
    .map((feed) => opensMs(feed.state.breaker))
    .filter((ms) => Number.isFinite(ms) && ms > nowMs);
  const next = opens.length === 0 ? '' : `; asked again at ${iso(Math.min(...opens))}`;
  const since = lastGood(connector);
  const good = since === null ? 'no answer since the start of its history' : `last good answer ${since}`;
  return `${which} gets its prices (${why}); ${good}${next}`;
}

/** It does not get to know what was corrected. */
function unlisted({ corrections }: Connector): boolean {
  return corrections.some(({ breaker }) => breaker.failures > 0);
}

function unlistedCause(connector: Connector): string | null {
  if (!unlisted(connector)) return null;
  const failing = connector.corrections.find(({ breaker }) => breaker.failures > 0);
  return `corrections are not known (${failing?.runs.at(-1)?.error ?? 'no answer'})`;
}

/** Feeds that are answered, and not with what should be out by now. */
function silentCause(feeds: readonly LiveFeed[], nowMs: number): string | null {
  const said = feeds.flatMap((feed) => {
    const silence = silenceIn(feed, nowMs);
    if (silence === null) return [];
    return `${feed.name} is silent: prices from ${iso(silence.fromMs)} on were due at ${iso(silence.dueMs)}`;
  });
  return said.length === 0 ? null : said.join('; ');
}

function lastGood({ feeds }: Connector): string | null {
  const times = feeds.map((feed) => feed.state.lastSuccessMs ?? goodRun(feed)?.endedMs ?? 0);
  return iso(Math.max(0, ...times));
}

function goodRun(feed: LiveFeed): Run | undefined {
  return feed.runs.findLast(isGood);
}

export function jobView(of: Connectors, job: BackfillJob): Json {
  const { windows, done, outOfReach } = of.progress(job);
  return {
    job_id: job.id,
    status: job.status,
    market: job.market,
    run: job.run,
    from: job.from,
    to: job.to,
    only_missing: job.onlyMissing,
    windows,
    windows_done: done,
    windows_out_of_reach: outOfReach,
    progress: windows === 0 ? 1 : Math.round((done / windows) * 1_000) / 1_000,
    created_at: iso(job.createdMs),
    updated_at: iso(job.updatedMs),
  };
}
