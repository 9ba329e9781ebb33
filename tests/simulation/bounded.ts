// Everything is bounded, seen from outside: mailboxes, actors, batches in flight, timers, waiting readers,
// parkings and what is stored of an instrument. Bounds follow from the plan of the run, not from the product.

import { TOPIC } from '../../runtime/services.ts';
import type { Simulation } from './simulation.ts';

/** Most that was seen at once while the run went on. */
export interface Most {
  parked: number;
  batch: number;
  sinkBatch: number;
  actors: number;
  timers: number;
  releases: number;
}

export const NOTHING_YET: Readonly<Most> = {
  parked: 0,
  batch: 0,
  sinkBatch: 0,
  actors: 0,
  timers: 0,
  releases: 0,
};

/** Services, routers and branches of one member, without what depends on the plan. */
const BRANCHES = 24;
const GROUPS_BY_PARTITION = 16;
/** Questions that are on their way. */
const LOOKS = 50;
/** Of one version in a day that is written out, and of the days and the head around it. */
const [VERSION_BYTES, STATE_BYTES] = [260, 1_500];

export function boundsBroken(run: Simulation): string[] {
  const { members, plan, told, most, store } = run;
  const partitions = Math.max(...[...store.topics.values()].map((each) => each.partitions));
  const { parkedMax, batchRecordsMax, sinkRecordsMax } = plan.policy;
  const instruments = new Set(plan.sources.published.map(({ run: of, node }) => `${of} ${node}`)).size;
  // An answer and an order of each instrument and router.
  const mailbox = 16 + 8 * partitions + 3 * instruments;
  const full = members.filter(({ mailboxMost }) => mailboxMost > mailbox);
  const routers = GROUPS_BY_PARTITION * partitions;
  const over = (what: keyof Most, bound: number): string[] =>
    most[what] <= bound ? [] : [`${what}: ${most[what]} at once, bound ${bound}`];
  return [
    ...full.map(({ id, mailboxMost }) => `member ${id}: ${mailboxMost} messages waited, bound ${mailbox}`),
    ...over('parked', parkedMax + batchRecordsMax),
    ...over('batch', batchRecordsMax),
    ...over('sinkBatch', sinkRecordsMax),
    ...over('actors', BRANCHES + routers + 3 * instruments),
    // A router has one call, one wait and one pause at a time; a wait is ended by each of several appends.
    ...over('timers', LOOKS + members.length * (BRANCHES + 12 * routers)),
    ...over('releases', instruments),
    ...(most.parked === 0 || told.some(({ kind }) => kind === 'quarantine')
      ? []
      : ['records were parked and no event says why']),
    ...inserts(run),
    ...states(run),
  ];
}

/** One insert of a topic at a time, of so many rows, and of each partition the batch of its router alone. */
function inserts({ members, plan }: Simulation): string[] {
  const bound = { rows: plan.policy.sinkRecordsMax, atOnce: 1, alike: 1 };
  return members.flatMap(({ id, sink: { most } }) =>
    (['rows', 'atOnce', 'alike'] as const)
      .filter((what) => most[what] > bound[what])
      .map((what) => `member ${id}, ${what} of inserts: ${most[what]}, bound ${bound[what]}`),
  );
}

/** What aggregation stores of an instrument grows with its versions and with nothing else. */
function states({ store, plan }: Simulation): string[] {
  const versions = new Map<string, number>();
  for (const { market, run, node } of plan.sources.published) {
    const id = `${market}:${run}:${node}`;
    versions.set(id, (versions.get(id) ?? 0) + 1);
  }
  const bytes = new Map<string, number>();
  for (let partition = 0; partition < store.spec(TOPIC.enriched).partitions; partition += 1) {
    for (const [key, value] of store.state(`aggregation-service ${TOPIC.enriched}/${partition}`)) {
      if (!key.startsWith('i:')) continue;
      const id = key.slice(2, key.indexOf('\u0000'));
      bytes.set(id, (bytes.get(id) ?? 0) + value.length);
    }
  }
  return [...bytes].flatMap(([id, size]) => {
    const bound = STATE_BYTES + VERSION_BYTES * (versions.get(id) ?? 0);
    return size <= bound ? [] : [`${size} bytes are stored of ${id}, bound ${bound}`];
  });
}
