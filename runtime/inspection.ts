// What a look at the actors shows: the tree, a market's instruments by page, one instrument with its slots.
// Answers come from the directory's committed slots, never from an actor's mailbox, so a look waits for
// nobody and costs what it shows.

import type { Directory, Resident } from './directory.ts';
import type { Address } from './host.ts';
import { nearest } from './near.ts';
import type { Partition } from './partition.ts';
import type { Platform } from './platform.ts';
import type { ReplaySource } from './replay-source.ts';
import type { ActorsView, InstrumentSummary, InstrumentView, MarketView, TreeNode } from './views.ts';

export interface InspectionParts {
  readonly platform: Platform;
  readonly connectors: () => readonly ReplaySource[];
  readonly sinks: () => readonly { readonly name: string; readonly state: string }[];
  /** Ticks a second of a market over the last seconds. */
  readonly rate: (market: string) => number;
  readonly nowMs: () => number;
}

export function actorsView(parts: InspectionParts): ActorsView {
  const { platform } = parts;
  const { directory } = platform;
  return {
    tree: () => tree(parts),
    markets: () => directory.markets(),
    market: (market, limit, after) => marketView(parts, market, limit, after),
    async instruments(market, name) {
      return [...matching(directory, market, name)].map((resident) => instrumentView(platform, resident));
    },
    near: (market, name) => nearest(idsOf(directory, market), `${market}:${name}`, 10),
    release: (id) => platform.release(id),
  };
}

function idsOf(directory: Directory, market: string): string[] {
  const ids: string[] = [];
  for (const resident of directory.all().values()) if (resident.market === market) ids.push(resident.id);
  return ids.sort();
}

/** `RTPD:TH_SP15` is one instrument; a bare location all of its runs. */
function* matching(directory: Directory, market: string, name: string): Iterable<Resident> {
  const exact = directory.find(`${market}:${name}`);
  if (exact !== undefined) {
    yield exact;
    return;
  }
  for (const resident of directory.all().values()) {
    if (resident.market === market && resident.id.endsWith(`:${name}`) && location(resident.id) === name)
      yield resident;
  }
}

function location(id: string): string {
  return id.slice(id.indexOf(':', id.indexOf(':') + 1) + 1);
}

function stateOf(resident: Resident): string {
  return resident.quarantined.size > 0 ? 'quarantined' : 'running';
}

function summary(resident: Resident): InstrumentSummary {
  const { id, shard, restarts } = resident;
  return { instrument_id: id, shard, state: stateOf(resident), watermark: watermarkOf(resident), restarts };
}

function watermarkOf(resident: Resident): string | null {
  for (const slot of resident.slots.values()) {
    if (slot.stage !== 'aggregation') continue;
    const { watermark } = slot.inspect();
    return typeof watermark === 'string' ? watermark : null;
  }
  return null;
}

async function marketView(
  parts: InspectionParts,
  market: string,
  limit: number,
  after: string | null,
): Promise<MarketView | null> {
  const { directory, groups } = parts.platform;
  if (!directory.markets().includes(market)) return null;
  const ids = idsOf(directory, market);
  const from = after === null ? 0 : ids.findIndex((id) => id > after);
  const page = from < 0 ? [] : ids.slice(from, from + limit);
  const rows = page.flatMap((id) => directory.find(id) ?? []).map(summary);
  const lags = await Promise.all([...groups.values()].map((group) => group.lag()));
  const marks = rows.flatMap((row) => row.watermark ?? []).sort();
  return {
    market,
    instruments: ids.length,
    quarantined: ids.filter((id) => (directory.find(id)?.quarantined.size ?? 0) > 0),
    watermark: marks.at(-1) ?? null,
    lag: lags.flat().reduce((sum, each) => sum + each.lag, 0),
    ticksPerSecond: parts.rate(market),
    rows,
    next: from >= 0 && from + limit < ids.length ? (page.at(-1) ?? null) : null,
  };
}

function instrumentView(platform: Platform, resident: Resident): InstrumentView {
  const [market = '', run = ''] = resident.id.split(':');
  const slots: Record<string, unknown> = {};
  let waiting = 0;
  for (const [slotKey, slot] of resident.slots) {
    const partition = partitionOf(platform, slotKey);
    const inFlight = partition?.state.work?.waiting.has(resident.id) ?? false;
    if (inFlight) waiting += 1;
    slots[slot.stage] = {
      input: partition === undefined ? null : `${partition.of.topic}/${partition.of.partition}`,
      position: partition?.state.position ?? null,
      quarantined: resident.quarantined.has(slotKey),
      ...slot.inspect(),
    };
  }
  return {
    instrument_id: resident.id,
    market,
    run,
    location: location(resident.id),
    actor: `${resident.shard}/${resident.id}`,
    state: stateOf(resident),
    mailbox: { waiting, bound: 2 * resident.slots.size },
    restarts: resident.restarts,
    last_error: resident.lastError,
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
  const nodes = [
    marketsNode(platform),
    servicesNode(platform),
    branch(
      'connectors',
      'connector',
      parts.connectors().map((each) => leaf(each.path, 'feed', each.state.phase)),
    ),
    branch(
      'sinks',
      'sink',
      parts.sinks().map((each) => leaf(`sinks/${each.name}`, 'sink', each.state)),
    ),
  ];
  return branch('root', 'root', nodes);
}

function marketsNode(platform: Platform): TreeNode {
  const { directory } = platform;
  const markets = directory.markets().map((market) => {
    const shards = directory.shards(market).map((shard): TreeNode => {
      const budgetLeft = platform.budgetLeft('shard', shard.path);
      return { ...leaf(shard.path, 'shard', 'running'), children: shard.children, budgetLeft };
    });
    return {
      ...branch(`markets/${market}`, 'market', shards),
      budgetLeft: platform.budgetLeft('market', market),
    };
  });
  return branch('markets', 'root', markets);
}

function servicesNode(platform: Platform): TreeNode {
  const services = [...platform.groups].map(([group, each]) => {
    const routers = [...each.partitions()].map((partition) =>
      leaf(partition.path, 'router', partition.state.phase),
    );
    return {
      ...branch(`services/${group}`, 'service', routers),
      state: each.ready ? 'running' : 'restoring',
    };
  });
  return branch('services', 'root', services);
}

function leaf(path: string, kind: TreeNode['kind'], state: string): TreeNode {
  return { path, kind, state, children: 0, budgetLeft: null, nodes: [] };
}

function branch(path: Address<never>['path'], kind: TreeNode['kind'], nodes: readonly TreeNode[]): TreeNode {
  return { path, kind, state: 'running', children: nodes.length, budgetLeft: null, nodes };
}
