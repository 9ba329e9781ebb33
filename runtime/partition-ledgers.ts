// Ledgers of partitions, wherever these live, added up to those of groups. A partition counts once.

import { addLedgers, EMPTY_LEDGER, type Ledger, type Ledgers } from '../actors/ledger.ts';
import type { GroupLedgers } from './conservation.ts';
import type { Group } from './group.ts';
import type { Log, TopicPartition } from './log/log.ts';
import type { GroupName } from './services.ts';

/** What a group has counted in one partition, as of a position. */
export interface PartitionLedgers extends TopicPartition {
  readonly group: GroupName;
  readonly position: number;
  readonly ledgers: Ledgers;
  /** Its router has something in hand: what that adds may be committed, and does not stand here yet. */
  readonly busy: boolean;
}

/** Of the partitions that live in this thread. */
export function* ledgersOf(groups: ReadonlyMap<GroupName, Group>): Iterable<PartitionLedgers> {
  for (const [group, hosted] of groups) {
    for (const { of, state } of hosted.partitions()) {
      const { position, ledgers, work } = state;
      yield { ...of, group, position, ledgers, busy: work !== null };
    }
  }
}

/** Whether these are all partitions that the groups have. */
export async function coverAll(
  own: readonly PartitionLedgers[],
  groups: Iterable<GroupName>,
  log: Pick<Log, 'lag'>,
): Promise<boolean> {
  for (const name of groups) {
    const count = own.filter(({ group }) => group === name).length;
    if (count < (await log.lag(name)).length) return false;
  }
  return true;
}

/** By group and topic; every one of `groups` is there. */
export function sumLedgers(
  groups: readonly GroupName[],
  all: readonly PartitionLedgers[],
): ReadonlyMap<GroupName, GroupLedgers> {
  const found = new Map<GroupName, Map<string, Map<string, Ledger>>>(groups.map((name) => [name, new Map()]));
  for (const { group, topic, ledgers } of latest(all)) {
    const topics = found.get(group) ?? new Map<string, Map<string, Ledger>>();
    found.set(group, topics);
    const sum = topics.get(topic) ?? new Map<string, Ledger>();
    topics.set(topic, sum);
    for (const [market, ledger] of ledgers) {
      sum.set(market, addLedgers(sum.get(market) ?? EMPTY_LEDGER, ledger));
    }
  }
  return found;
}

/** While a partition changes hands, two may know it: who is further on is right. */
function latest(all: readonly PartitionLedgers[]): Iterable<PartitionLedgers> {
  const found = new Map<string, PartitionLedgers>();
  for (const each of all) {
    const key = `${each.group}/${each.topic}/${each.partition}`;
    if ((found.get(key)?.position ?? -1) < each.position) found.set(key, each);
  }
  return found.values();
}
