// Conservation (design §3.7): what a stage read, it disposed of; what a stage wrote, the next one read; and
// every row of every response is a part of a record or was refused. Pure: ledgers in, a table of checks out.

import type { Cursor } from '../actors/connector.ts';
import { addLedgers, EMPTY_LEDGER, imbalance, type Ledger, type Ledgers } from '../actors/ledger.ts';
import type { Destination } from '../actors/stage.ts';
import { type GroupName, rawTopic, TOPIC } from './services.ts';
import type { RecordEvent } from './views.ts';

/** Ledgers of a group by topic, each by market. */
export type GroupLedgers = ReadonlyMap<string, Ledgers>;

export interface Check {
  /** What is compared, such as `normalization → enrichment`. */
  readonly what: string;
  readonly left: number;
  readonly right: number;
  /** left − right; 0 when nothing was lost or invented. */
  readonly off: number;
}

export interface Conservation {
  readonly stages: readonly { readonly group: GroupName; readonly topic: string; readonly ledger: Ledger }[];
  readonly checks: readonly Check[];
  readonly balanced: boolean;
}

/** An event for each check that is off. */
export function losses({ checks }: Conservation): Parameters<RecordEvent>[0][] {
  return checks
    .filter(({ off }) => off !== 0)
    .map(({ what, left, right, off }) => ({
      kind: 'data_loss',
      service: 'supervisor',
      actor: 'pipeline',
      cause: `DataLoss: ${what}: ${left} ≠ ${right}, off by ${off}`,
      decision: 'stop writing and compare the topics; nothing repairs it by itself',
      budget_left: null,
    }));
}

interface Written {
  readonly group: GroupName;
  readonly to: Destination;
  readonly readers: readonly GroupName[];
  /** Writes stragglers there once more, at the place that their layout gives them. */
  readonly forwarder?: GroupName;
}

const WRITERS: readonly Written[] = [
  {
    group: 'normalization-service',
    to: 'ticks',
    forwarder: 'enrichment-service',
    readers: ['enrichment-service', 'data-quality-service', 'projection-service'],
  },
  {
    group: 'enrichment-service',
    to: 'enriched',
    forwarder: 'aggregation-service',
    readers: ['aggregation-service', 'projection-service'],
  },
  { group: 'aggregation-service', to: 'rebuild', readers: ['aggregation-rebuilder'] },
  { group: 'data-quality-service', to: 'anomalies', readers: ['projection-service'] },
  { group: 'data-quality-service', to: 'scores', readers: ['projection-service'] },
];

function total(ledgers: Ledgers | undefined): Ledger {
  return [...(ledgers?.values() ?? [])].reduce(addLedgers, EMPTY_LEDGER);
}

function totalOf(groups: ReadonlyMap<GroupName, GroupLedgers>, group: GroupName): Ledger {
  return [...(groups.get(group)?.values() ?? [])].map(total).reduce(addLedgers, EMPTY_LEDGER);
}

export function conservation(
  groups: ReadonlyMap<GroupName, GroupLedgers>,
  cursors: readonly Cursor[],
  markets: readonly string[],
): Conservation {
  const stages = [...groups].flatMap(([group, topics]) =>
    [...topics].map(([topic, ledgers]) => ({ group, topic, ledger: total(ledgers) })),
  );
  const checks: Check[] = [];
  const check = (what: string, left: number, right: number): void => {
    checks.push({ what, left, right, off: left - right });
  };
  const sum = (of: (cursor: Cursor) => number): number => cursors.reduce((all, each) => all + of(each), 0);
  const rows = sum((each) => each.rowsRead);
  check(
    'response rows = used + refused',
    rows,
    sum((each) => each.rowsUsed + each.rowsRefused),
  );
  const appended = sum((each) => each.done);
  const read = (group: GroupName, topic: string): number => total(groups.get(group)?.get(topic)).read;
  const readers = (['normalization-service', 'projection-service'] as const)
    .filter((group) => groups.has(group))
    .map((group) => ({ group, found: markets.reduce((all, each) => all + read(group, rawTopic(each)), 0) }));
  // Anybody may put records on a raw topic: what every reader has found beyond the connectors' is theirs.
  const others = Math.max(0, Math.min(...readers.map(({ found }) => found)) - appended);
  const writers = others > 0 ? 'connectors and other producers' : 'connectors';
  for (const { group, found } of readers) check(`${writers} → ${group} (raw)`, appended + others, found);
  for (const { group, topic, ledger } of stages) {
    check(`${group} ${topic}: read = disposed`, ledger.read, ledger.read - imbalance(ledger));
  }
  for (const { group, to, readers, forwarder } of WRITERS) {
    if (!groups.has(group)) continue;
    const again = forwarder === undefined ? 0 : (totalOf(groups, forwarder).emitted[to] ?? 0);
    const written = (totalOf(groups, group).emitted[to] ?? 0) + again;
    for (const reader of readers) {
      if (groups.has(reader)) check(`${group} → ${reader} (${to})`, written, read(reader, TOPIC[to]));
    }
  }
  for (const to of ['bars', 'metrics', 'curves'] as const) {
    if (!groups.has('aggregation-service') || !groups.has('projection-service')) continue;
    const live = totalOf(groups, 'aggregation-service').emitted[to] ?? 0;
    const rebuilt = totalOf(groups, 'aggregation-rebuilder').emitted[to] ?? 0;
    check(`aggregation → projection-service (${to})`, live + rebuilt, read('projection-service', TOPIC[to]));
  }
  // Any group may refuse a record that is too large for its dead letter.
  const bodies = [...groups.keys()].reduce(
    (all, group) => all + (totalOf(groups, group).emitted.bodies ?? 0),
    0,
  );
  if (groups.size > 1 && groups.has('projection-service')) {
    check('refused → projection-service (bodies)', bodies, read('projection-service', TOPIC.bodies));
  }
  return { stages, checks, balanced: checks.every((each) => each.off === 0) };
}
