// Several places seen as one: workers of this process, processes of a group. Each is asked the same at the
// same time and has as long; who does not answer is named, and the others' answer is given.

import { nearestIds } from './inspection.ts';
import { staler } from './staleness.ts';
import type {
  ActorsPlace,
  ActorsView,
  InstrumentView,
  MarketView,
  Released,
  Stale,
  TreeNode,
  Whole,
} from './views.ts';

export interface Place {
  /** Null: needs no name, being the only one, or the one that is asked. */
  readonly name: string | null;
  readonly actors: ActorsPlace;
}

const ANSWER_MS_MAX = 2_000;

/** `places`: those of now; the first is the one that is asked. */
export function wholeOf(places: () => readonly Place[]): ActorsView {
  const all = async <T>(ask: (of: ActorsPlace, place: Place) => Promise<T>) => {
    const asked = places();
    const answers = await Promise.all(asked.map((place) => inTime(ask(place.actors, place))));
    const missing = asked.flatMap(({ name }, n) => (answers[n] === undefined ? [name ?? 'here'] : []));
    return { found: answers.flatMap((each) => (each === undefined ? [] : [each.of])), missing };
  };
  const whole = async <T>(
    ask: (of: ActorsPlace, place: Place) => Promise<T>,
    merge: (found: readonly T[]) => T,
  ): Promise<Whole<T>> => {
    const { found, missing } = await all(ask);
    return { of: merge(found), missing };
  };
  return {
    tree: () => whole(async (of, { name }) => placed(await of.tree(), name), mergeTrees),
    markets: () => whole((of) => of.markets(), mergeNames),
    market: (market, limit, after) =>
      whole(
        (of) => of.market(market, limit, after),
        (found) => mergeMarkets(found, limit),
      ),
    instruments: (market, name) => whole((of) => of.instruments(market, name), mergeInstruments),
    near: (market, name) =>
      whole(
        (of) => of.near(market, name),
        (found) => nearestIds([...new Set(found.flat())], name),
      ),
    release: (id) => whole((of) => of.release(id), mergeReleased),
  };
}

/** A whole as one place of a larger one; it fails when a part of it does not answer. */
export function onePlace(of: ActorsView): ActorsPlace {
  const all = async <T>(answer: Promise<Whole<T>>): Promise<T> => {
    const { of: found, missing } = await answer;
    if (missing.length > 0) throw new Error(`no answer from ${missing.join(', ')}`);
    return found;
  };
  return {
    tree: () => all(of.tree()),
    markets: () => all(of.markets()),
    market: (market, limit, after) => all(of.market(market, limit, after)),
    instruments: (market, name) => all(of.instruments(market, name)),
    near: (market, name) => all(of.near(market, name)),
    release: (id) => all(of.release(id)),
  };
}

/** Undefined when it fails or takes too long. */
async function inTime<T>(answer: Promise<T>): Promise<{ readonly of: T } | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
  try {
    return await Promise.race([
      answer.then(
        (of) => ({ of }),
        () => undefined,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** Shards and routers say where they live. */
function placed(node: TreeNode, name: string | null): TreeNode {
  if (name === null) return node;
  const nodes = node.nodes.map((each) => placed(each, name));
  return node.kind === 'shard' || node.kind === 'router'
    ? { ...node, place: name, nodes }
    : { ...node, nodes };
}

const EMPTY: TreeNode = {
  path: 'root',
  kind: 'root',
  state: 'running',
  children: 0,
  budget_left: null,
  nodes: [],
};

function mergeTrees(found: readonly TreeNode[]): TreeNode {
  const [first, ...others] = found;
  return first === undefined ? EMPTY : others.reduce(mergeNodes, first);
}

function mergeNodes(a: TreeNode, b: TreeNode): TreeNode {
  const nodes = [...a.nodes];
  for (const node of b.nodes) {
    const at = nodes.findIndex((each) => each.path === node.path && each.place === node.place);
    const same = nodes[at];
    if (same === undefined) nodes.push(node);
    else nodes[at] = mergeNodes(same, node);
  }
  const sum = (of: 'instruments' | 'live' | 'quarantined') =>
    a[of] === undefined && b[of] === undefined ? {} : { [of]: (a[of] ?? 0) + (b[of] ?? 0) };
  const budgets = [a.budget_left, b.budget_left].filter((each) => each !== null);
  return {
    ...a,
    state: a.state === 'running' ? b.state : a.state,
    children: nodes.length === 0 ? a.children + b.children : nodes.length,
    budget_left: budgets.length === 0 ? null : Math.min(...budgets),
    ...sum('instruments'),
    ...sum('live'),
    ...sum('quarantined'),
    ...merged(a.stale, b.stale),
    nodes,
  };
}

function mergeNames(found: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(found.flat())].sort();
}

function mergeMarkets(found: readonly (MarketView | null)[], limit: number): MarketView | null {
  const views = found.filter((each) => each !== null);
  const [first] = views;
  if (first === undefined) return null;
  const byId = new Map(views.flatMap(({ rows }) => rows).map((row) => [row.instrument_id, row]));
  const rows = [...byId.values()].sort((a, b) => (a.instrument_id < b.instrument_id ? -1 : 1));
  const page = rows.slice(0, limit);
  const more = rows.length > limit || views.some(({ next }) => next !== null);
  return {
    market: first.market,
    instruments: views.reduce((sum, each) => sum + each.instruments, 0),
    quarantined: mergeNames(views.map((each) => each.quarantined)),
    watermarks: greatest(views.map((each) => each.watermarks)),
    lag: greatest(views.map((each) => each.lag)),
    ticks_per_second: views.reduce((sum, each) => sum + each.ticks_per_second, 0),
    rows: page,
    next: more ? (page.at(-1)?.instrument_id ?? null) : null,
    ...views.reduce<{ readonly stale?: Stale }>((all, { stale }) => merged(all.stale, stale), {}),
  };
}

function merged(a: Stale | undefined, b: Stale | undefined): { readonly stale?: Stale } {
  const stale = staler(a, b);
  return stale === undefined ? {} : { stale };
}

/** A lag is the whole group's, whoever is asked; an instant is a text that sorts. */
function greatest<V extends string | number>(all: readonly Readonly<Record<string, V>>[]): Record<string, V> {
  const found: Record<string, V> = {};
  for (const [key, value] of all.flatMap((each) => Object.entries(each))) {
    const before = found[key];
    if (before === undefined || before < value) found[key] = value;
  }
  return found;
}

/** Where enrichment and aggregation live apart, each knows its own part of an instrument. */
function mergeInstruments(found: readonly (readonly InstrumentView[])[]): readonly InstrumentView[] {
  const byId = new Map<string, InstrumentView>();
  for (const view of found.flat()) {
    const before = byId.get(view.instrument_id);
    byId.set(view.instrument_id, { ...before, ...view, ...merged(before?.stale, view.stale) });
  }
  return [...byId.values()].sort((a, b) => (a.instrument_id < b.instrument_id ? -1 : 1));
}

function mergeReleased(found: readonly Released[]): Released {
  if (found.includes('released')) return 'released';
  return found.includes('not_quarantined') ? 'not_quarantined' : 'unknown';
}
