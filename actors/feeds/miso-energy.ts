// MISO does not publish the energy component, but LMP − congestion − loss is the same for every node of a
// run's interval, to the cent: the strongest check a file offers. Nodes that are off what most of them say
// are named in a warning on the file; their values stay as they were published.

import { formatUtc } from '../domain/time.ts';
import type { Joiner } from './joiner.ts';

interface Group {
  count: number;
  /** The first few that say so. */
  readonly nodes: string[];
}

const NODES_SHOWN = 3;

export function checkEnergy(joiner: Joiner): void {
  const intervals = new Map<string, { readonly startMs: number; readonly energies: Map<number, Group> }>();
  for (const { first, values } of joiner.observations()) {
    const { LMP, MCC, MLC } = values;
    if (LMP === undefined || MCC === undefined || MLC === undefined) continue;
    const key = `${first.run}|${first.startMs}`;
    const { energies } = intervals.get(key) ?? { energies: new Map<number, Group>() };
    intervals.set(key, { startMs: first.startMs, energies });
    const energy = micros(LMP) - micros(MCC) - micros(MLC);
    const group = energies.get(energy) ?? { count: 0, nodes: [] };
    energies.set(energy, group);
    group.count += 1;
    if (group.nodes.length < NODES_SHOWN) group.nodes.push(first.location);
  }
  for (const { startMs, energies } of intervals.values()) {
    const [most, ...others] = [...energies].sort(([, a], [, b]) => b.count - a.count);
    if (most === undefined || others.length === 0) continue;
    const off = others.reduce((sum, [, { count }]) => sum + count, 0);
    const named = others.flatMap(([energy, { nodes }]) => nodes.map((node) => `${node} ${energy / 1e6}`));
    const of = `${off} of ${off + most[1].count} nodes are off the energy component ${most[0] / 1e6} $/MWh`;
    joiner.warn(`${formatUtc(startMs)}: ${of}: ${named.slice(0, NODES_SHOWN).join(', ')}`);
  }
}

/** Whole millionths, so that the difference of three prices is exact. */
function micros(text: string): number {
  return Math.round(Number(text) * 1e6);
}
