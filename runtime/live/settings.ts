// What of connectors.yaml follows a market live: names become sources, limits become milliseconds. Whatever
// does not fit is said by its key, all at once.

import type { MarketSpec } from '../../actors/domain/market.ts';
import { marketCalendar } from '../../actors/domain/operating-day.ts';
import type { Feed, Response } from '../../actors/feeds/feed.ts';
import type { Ask, Nodes, Notices, Source } from '../../actors/feeds/source.ts';
import type { BreakerPolicy } from '../../actors/live/breaker.ts';
import { followedDays } from '../../actors/live/publication.ts';
import type { BackoffPolicy } from '../../actors/supervision.ts';
import type { ConnectorsFile } from '../../configs/schema-connectors.ts';
import type { Finding } from '../../configs/yaml.ts';

/** What the product knows of markets; a market is added by adding to these. */
export interface Registry {
  readonly markets: readonly MarketSpec[];
  readonly sources: readonly Source[];
  /** Where operators tell of corrections; absent: nowhere. */
  readonly notices?: readonly Notices[];
  readonly findFeed: (response: Response) => Feed | null;
}

export interface FeedPlan {
  /** Unique within its connector. */
  readonly name: string;
  readonly source: Source;
  readonly nodes: Nodes;
  /** Operating days before today that are followed: `days_back`, and more for what is published late. */
  readonly daysBack: number;
}

export interface NoticePlan {
  readonly name: string;
  readonly notices: Notices;
  /** Operating days that are asked about. */
  readonly daysBack: number;
}

export interface ConnectorPlan {
  readonly name: string;
  readonly market: MarketSpec;
  readonly description: string;
  /** Where nothing else was said at run time. */
  readonly enabled: boolean;
  readonly bases: Readonly<Record<string, string>>;
  readonly origins: ReadonlySet<string>;
  readonly privateAddresses: boolean;
  readonly requestIntervalMs: number;
  readonly timeoutMs: number;
  readonly bytesMax: number;
  readonly retry: BackoffPolicy;
  readonly historyDays: number;
  readonly breaker: BreakerPolicy;
  readonly feeds: readonly FeedPlan[];
  /** Absent: what was corrected shows only when a day is looked at again. */
  readonly notices?: readonly NoticePlan[];
}

export function connectorPlans(
  file: ConnectorsFile,
  names: readonly string[],
  registry: Registry,
): { readonly plans: readonly ConnectorPlan[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const plans = names.flatMap((name) => {
    const found = file.connectors[name];
    const wrong = (key: string, message: string): void => {
      findings.push({ where: 'connectors.yaml', key: `connectors.${name}${key}`, message });
    };
    if (found === undefined) {
      const known = Object.keys(file.connectors).join(', ');
      findings.push({ where: 'CONNECTORS', key: 'CONNECTORS', message: `no '${name}'; known are ${known}` });
      return [];
    }
    const market = registry.markets.find((each) => each.market === found.market);
    if (market === undefined) {
      wrong('.market', `no market '${found.market}'`);
      return [];
    }
    return [planOf(name, found, market, registry, wrong)];
  });
  return { plans, findings };
}

type Section = ConnectorsFile['connectors'][string];

function planOf(
  name: string,
  of: Section,
  market: MarketSpec,
  registry: Registry,
  wrong: (key: string, message: string) => void,
): ConnectorPlan {
  const feeds: FeedPlan[] = [];
  const notices: NoticePlan[] = [];
  if (Object.keys(of.live).length === 0) wrong('.live', 'it follows nothing: name a source');
  for (const [feed, { source: called, nodes, days_back }] of Object.entries(of.live)) {
    const told = registry.notices?.find(
      (each) => each.name === called && each.market.market === market.market,
    );
    if (told !== undefined) {
      const { base } = told.request(ANY_DAY);
      if (of.base_urls[base] === undefined) wrong(`.base_urls.${base}`, `${feed} needs it`);
      notices.push({ name: feed, notices: told, daysBack: days_back });
      continue;
    }
    const source = registry.sources.find((each) => each.name === called);
    if (source === undefined || source.market.market !== market.market) {
      const known = registry.sources.filter((each) => each.market.market === market.market);
      wrong(`.live.${feed}.source`, `no '${called}'; known are ${known.map((each) => each.name).join(', ')}`);
      continue;
    }
    const calendar = marketCalendar(market.zone);
    feeds.push({ name: feed, source, nodes, daysBack: followedDays(source, calendar, nodes, days_back) });
  }
  for (const { name: feed, source, nodes } of feeds) {
    const base = sampleOf(source, nodes)?.base ?? null;
    if (base !== null && of.base_urls[base] === undefined) wrong(`.base_urls.${base}`, `${feed} needs it`);
  }
  return {
    name,
    market,
    description: of.description,
    enabled: of.enabled,
    bases: of.base_urls,
    origins: new Set(Object.values(of.base_urls).map((url) => new URL(url).origin)),
    privateAddresses: of.allow_private_addresses,
    requestIntervalMs: of.limits.request_interval_ms,
    timeoutMs: of.limits.timeout_ms,
    bytesMax: of.limits.response_mb_max * 1_048_576,
    retry: { initialMs: of.retry.initial_ms, maxMs: of.retry.max_ms, jitter: of.retry.jitter },
    historyDays: of.history_days,
    breaker: {
      threshold: of.breaker.failures,
      pauseMs: of.breaker.pause_ms,
      pauseMsMax: of.breaker.pause_ms_max,
    },
    feeds,
    notices,
  };
}

const ANY_DAY = { date: '2026-01-05', startMs: Date.UTC(2026, 0, 5, 8), endMs: Date.UTC(2026, 0, 6, 8) };

/** A request as the source makes it; null: it has no window that tells. */
function sampleOf(source: Source, nodes: Nodes): Ask | null {
  const [window] = source.windows(ANY_DAY, nodes);
  return window === undefined ? null : source.request(window, window, window.endMs - 1);
}

/** A feed whose operator wants a key is refused without it: every request would fail. */
export function missingKeys(
  plans: readonly ConnectorPlan[],
  keys: Readonly<Record<string, string | null>>,
): readonly Finding[] {
  return plans.flatMap(({ name, feeds }) =>
    feeds.flatMap(({ name: feed, source, nodes }) => {
      const key = sampleOf(source, nodes)?.secret?.name ?? null;
      if (key === null || (keys[key] ?? null) !== null) return [];
      const message = `${name}/${feed} (${source.name}) needs it: set ${key} or ${key}_FILE`;
      return [{ where: key, key, message }];
    }),
  );
}
