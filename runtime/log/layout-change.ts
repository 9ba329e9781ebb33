// How a topic's layout grows on brokers that know nothing of layouts. A change is three steps, each of which
// anybody may do again, so that whoever decides may die between any two:
//
//   open(v) ──decide──▶ closing(v, to) ──fence every writer──▶ (barriers + open(v+1) in one transaction)
//
// A writer reads the record after each new epoch of its own and before it places a record. So one with an
// epoch from before the decision is fenced by the second step, and one with an epoch from after it has seen
// the record closing, and waits: no declared writer can put a record of the old layout behind a barrier.

import { type Barrier, grown, type Layout, partitionsOf } from '../../actors/layout.ts';

export interface LayoutRecord {
  readonly layout: Layout;
  /** Partitions of the step that is being made; null: the layout is open for use. */
  readonly closingTo: number | null;
}

export interface ChangePorts {
  /** What is decided by now: nothing that was written before the call is missed. Null: there is no record. */
  read(topic: string): Promise<LayoutRecord | null>;
  /**
   * Writes `next` if `expected` still stands, in one transaction with a barrier in each older partition.
   * False: somebody else was quicker. Resolves when every read sees it.
   */
  write(
    topic: string,
    expected: LayoutRecord | null,
    next: LayoutRecord,
    barrier: Barrier | null,
  ): Promise<boolean>;
  /** Partitions that the brokers have now. */
  partitions(topic: string): Promise<number>;
  /** Every id under which the topic's writers commit, as of now. */
  writers(topic: string): Promise<readonly string[]>;
  /** Ends what the id has open, and refuses what its present epoch still sends. */
  fence(writer: string): Promise<void>;
}

/**
 * Takes the topic as far as it can get: to the layout of all its partitions. True: something changed. Two
 * that do it at the same time do no harm. Throws what a port throws; done again, it goes on.
 */
export async function changeLayout(ports: ChangePorts, topic: string): Promise<boolean> {
  const found = await ports.read(topic);
  const count = await ports.partitions(topic);
  if (found === null) {
    return ports.write(topic, null, { layout: { base: count, steps: [] }, closingTo: null }, null);
  }
  const closing = found.closingTo === null ? await decide(ports, topic, found, count) : found;
  if (closing === null) return false;
  for (const writer of await ports.writers(topic)) await ports.fence(writer);
  const layout = grown(closing.layout, closing.closingTo ?? count);
  return ports.write(topic, closing, { layout, closingTo: null }, { topic, layout });
}

/** Null: there is nothing to do, or somebody else has it in hand. */
async function decide(
  ports: ChangePorts,
  topic: string,
  open: LayoutRecord,
  count: number,
): Promise<LayoutRecord | null> {
  if (count <= partitionsOf(open.layout)) return null;
  const closing = { layout: open.layout, closingTo: count };
  return (await ports.write(topic, open, closing, null)) ? closing : null;
}
