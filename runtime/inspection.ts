// What a look at the actors shows: the tree, a market's instruments by page, one instrument with its slots.
// Answers come from the directory's committed slots, never from an actor's mailbox, so a look waits for
// nobody and costs what it shows.

import { formatUtc } from '../actors/domain/time.ts';
import type { Directory, Resident } from './directory.ts';
import type { Group } from './group.ts';
import type { Feeding } from './intake.ts';
import type { TopicPartition } from './log/log.ts';
import { type Look, lookAt, watermarkAt } from './look.ts';
import { nearest } from './near.ts';
import type { Partition } from './partition.ts';
import type { Platform } from './platform.ts';
import { marketOfRawTopic, SERVICES } from './services.ts';
import { restoringIn, staleOf } from './staleness.ts';
import type { ActorsPlace, InstrumentSummary, InstrumentView, MarketView, Stale, TreeNode } from './views.ts';

export interface InspectionParts {
  readonly platform: Platform;
  readonly connectors: () => readonly Feeding[];
  readonly sinks: () => readonly { readonly name: string; readonly state: string }[];
  /** Ticks a second of a market over the last seconds. */
  readonly rate: (market: string) => number;
  /** Whether lags are told here: they are the groups', and asked for once. */
  readonly tellsLag: boolean;
  readonly nowMs: () => number;
}

/** The actors of this thread. */
export function actorsPlace(parts: InspectionParts): ActorsPlace {
  const { platform } = parts;
  const { directory } = platform;
  return {
    tree: async () => ({ ...tree(parts), ...staleNow(platform) }),
    markets: async () => directory.index.markets(),
    market: (market, limit, after) => marketView(parts, market, limit, after),
    async instruments(market, name) {
      return matching(directory, market, name, parts.nowMs()).map((look) => instrumentView(platform, look));
    },
    near: async (market, name) => nearestIds(directory.index.ids(market), name),
    release: async (id) => platform.release(id),
  };
}

/** Of instruments: their groups alone count. */
const KEEPERS = ['enrichment-service', 'aggregation-service', 'data-quality-service'] as const;

function staleNow({ groups }: Platform, of?: typeof KEEPERS): { readonly stale?: Stale } {
  const stale = staleOf(restoringIn(groups, of));
  return stale === null ? {} : { stale };
}

export const NEAR_MAX = 10;

/** Those that look like a name, nearest first. */
export function nearestIds(ids: readonly string[], name: string): readonly string[] {
  return nearest(ids, name, NEAR_MAX, name.includes(':') ? withRun : location);
}

/** `RTPD:TH_SP15` is one instrument; a bare location all of its runs. */
function matching(directory: Directory, market: string, name: string, nowMs: number): readonly Look[] {
  const exact = lookAt(directory, `${market}:${name}`, nowMs);
  if (exact !== null) return [exact];
  return directory.index.at(market, name).flatMap((id) => lookAt(directory, id, nowMs) ?? []);
}

function withRun(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

function location(id: string): string {
  return id.slice(id.indexOf(':', id.indexOf(':') + 1) + 1);
}

function stateOf(resident: Resident | null): string {
  if (resident === null) return 'resting';
  return resident.quarantined.size > 0 ? 'quarantined' : 'running';
}

function summary(directory: Directory, id: string): InstrumentSummary {
  const resident = directory.find(id) ?? null;
  const ms = watermarkAt(directory, id);
  return {
    instrument_id: id,
    shard: resident?.shard ?? null,
    state: stateOf(resident),
    watermark: ms === null ? null : formatUtc(ms),
    restarts: resident?.restarts ?? 0,
  };
}

async function marketView(
  parts: InspectionParts,
  market: string,
  limit: number,
  after: string | null,
): Promise<MarketView | null> {
  const { directory } = parts.platform;
  if (!directory.index.markets().includes(market)) return null;
  const ids = directory.index.ids(market);
  const from = after === null ? 0 : firstAfter(ids, after);
  const page = ids.slice(from, from + limit);
  return {
    market,
    instruments: ids.length,
    quarantined: directory.quarantined(market),
    watermarks: Object.fromEntries(
      [...directory.index.marks(market)].map(([run, ms]) => [run, formatUtc(ms)]),
    ),
    lag: parts.tellsLag ? await lagOf(parts.platform, market) : {},
    ticks_per_second: parts.rate(market),
    rows: page.map((id) => summary(directory, id)),
    next: from + limit < ids.length ? (page.at(-1) ?? null) : null,
    ...staleNow(parts.platform, KEEPERS),
  };
}

/** Index of the first id after `after`, by bisection. */
function firstAfter(ids: readonly string[], after: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? '') > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Raw topics of other markets are left out. */
async function lagOf(platform: Platform, market: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, group] of platform.groups) {
    const lags = (await group.lag()).filter(({ topic }) => (marketOfRawTopic(topic) ?? market) === market);
    found[name] = lags.reduce((sum, each) => sum + each.lag, 0);
  }
  return found;
}

function instrumentView(platform: Platform, look: Look): InstrumentView {
  const { id, resident } = look;
  const [market = '', run = ''] = id.split(':');
  const slots: Record<string, unknown> = {};
  let waiting = 0;
  for (const [slotKey, slot] of look.slots) {
    const partition = partitionOf(platform, slotKey);
    const inFlight = partition?.state.work?.waiting.has(id) ?? false;
    if (inFlight) waiting += 1;
    slots[slot.stage] = {
      input: partition === undefined ? null : `${partition.of.topic}/${partition.of.partition}`,
      committed_position: partition?.state.position ?? null,
      last_offset: slot.lastOffset,
      quarantined: resident?.quarantined.has(slotKey) ?? false,
      ...slot.inspect(),
    };
  }
  return {
    instrument_id: id,
    market,
    run,
    location: location(id),
    actor: resident === null ? null : `${resident.shard}/${id}`,
    state: stateOf(resident),
    mailbox: { waiting, bound: 2 * look.slots.size },
    restarts: resident?.restarts ?? 0,
    last_error: resident?.lastError ?? null,
    ...staleNow(platform, KEEPERS),
    ...slots,
  };
}

function partitionOf(platform: Platform, slotKey: string): Partition | undefined {
  const group = [...platform.groups].find(([name]) => slotKey.startsWith(`${name}/`))?.[1];
  for (const partition of group?.partitions() ?? []) if (partition.slotKey === slotKey) return partition;
  return undefined;
}

function tree(parts: InspectionParts): TreeNode {
  const { platform } = parts;
  const sinks = parts.sinks().map((each) => leaf(`sinks/${each.name}`, 'sink', each.state, null));
  const nodes = [
    marketsNode(platform),
    servicesNode(platform),
    connectorsNode(parts.connectors()),
    branch('sinks', 'sink', sinks, null),
  ];
  return branch('root', 'root', nodes, null);
}

function marketsNode(platform: Platform): TreeNode {
  const { directory } = platform;
  const markets = directory.index.markets().map((market): TreeNode => {
    const shards = directory.shards(market).map((shard): TreeNode => {
      const node = leaf(shard.path, 'shard', 'running', platform.budgetLeft('shard', shard.path));
      return { ...node, children: shard.children };
    });
    const instruments = directory.index.count(market);
    const live = shards.reduce((sum, each) => sum + each.children, 0);
    const quarantined = directory.quarantined(market).length;
    const node = branch(`markets/${market}`, 'market', shards, platform.budgetLeft('market', market));
    return { ...node, instruments, live, quarantined };
  });
  const total = (of: 'instruments' | 'live' | 'quarantined') =>
    markets.reduce((sum, each) => sum + (each[of] ?? 0), 0);
  const node = branch('markets', 'root', markets, null);
  const sums = { instruments: total('instruments'), live: total('live') };
  return { ...node, ...sums, quarantined: total('quarantined') };
}

function servicesNode(platform: Platform): TreeNode {
  const services = SERVICES.filter((spec) => platform.roles.has(spec.name)).map((spec): TreeNode => {
    const groups = [...platform.groups.values()].filter(({ service }) => service === spec.group);
    const routers = groups.flatMap((group) => group.owned.map((of) => routerNode(group, spec.name, of)));
    const budget = Math.min(...groups.map((each) => each.budgetLeft));
    const node = branch(`services/${spec.name}`, 'service', routers, budget);
    return { ...node, state: groups.every((each) => each.ready) ? 'running' : 'restoring' };
  });
  return branch('services', 'root', services, null);
}

/** A partition that has no router yet stands where it will have one. */
function routerNode(group: Group, service: string, of: TopicPartition): TreeNode {
  const path = `services/${service}/${of.topic}-${of.partition}`;
  const standing = group.standing(of);
  if (standing === null) return leaf(path, 'router', 'leaving', null);
  const { phase, waitsFor, sinceMs } = standing;
  return {
    ...leaf(path, 'router', phase, null),
    waits_for: waitsFor,
    since: new Date(sinceMs).toISOString(),
    stands_still: group.stalled.has(`${of.topic}/${of.partition}`),
  };
}

/** Live feeds stand below the connector of their market, recordings below the root of all. */
function connectorsNode(feeds: readonly Feeding[]): TreeNode {
  const nodes: TreeNode[] = [];
  const below = Map.groupBy(feeds, ({ path }) => path.split('/').slice(0, -1).join('/'));
  for (const [path, of] of below) {
    const leaves = of.map((each) => leaf(each.path, 'feed', each.state.phase, null));
    if (path === 'connectors') nodes.push(...leaves);
    else nodes.push(branch(path, 'connector', leaves, null));
  }
  return branch('connectors', 'connector', nodes, null);
}

function leaf(path: string, kind: TreeNode['kind'], state: string, budget: number | null): TreeNode {
  return { path, kind, state, children: 0, budget_left: budget, nodes: [] };
}

function branch(
  path: string,
  kind: TreeNode['kind'],
  nodes: readonly TreeNode[],
  budget: number | null,
): TreeNode {
  return { path, kind, state: 'running', children: nodes.length, budget_left: budget, nodes };
}
