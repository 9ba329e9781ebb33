// Consumer groups of the embedded log: who owns which partition. Members live in this process, so a change
// is split anew at once, by the workers' names; a member that left or was split away is fenced by its seat.

import { assignPartitions } from './assigner.ts';
import type { TopicPartition } from './log.ts';

type Listener = (partitions: readonly TopicPartition[], generation: number) => void;

export interface Seat {
  listen(listener: Listener): void;
  /**
   * Generation since which the partition has been this member's without a break; null: it is not, or it went
   * and came back and its state was not read since.
   */
  since(of: TopicPartition): number | null;
  /** The state of the partition is being read; gives it back. */
  adopt(of: TopicPartition): TopicPartition;
  leave(): void;
}

interface Chair {
  /** Of one worker there is one chair in a group. */
  readonly worker: string;
  listener: Listener | null;
  owned: ReadonlyMap<string, number>;
  /** Generation of the tenure whose state was read last; of the first one, unread. */
  readonly adopted: Map<string, number>;
  partitions: readonly TopicPartition[];
}

interface Table {
  partitions: readonly TopicPartition[];
  readonly chairs: Chair[];
  generation: number;
}

const keyOf = (of: TopicPartition): string => `${of.topic}/${of.partition}`;

export class Assignments {
  readonly #tables = new Map<string, Table>();

  /** A new member of the group; partitions are split anew, and every member hears of it. */
  join<M>(
    group: string,
    partitions: readonly TopicPartition[],
    worker: string | undefined,
    make: (seat: Seat) => M,
  ): M {
    const table = this.#tables.get(group) ?? { partitions, chairs: [], generation: 0 };
    this.#tables.set(group, table);
    const name = worker ?? freeName(table);
    if (table.chairs.some((each) => each.worker === name)) throw new Error(`${name} is in ${group} already`);
    const chair: Chair = {
      worker: name,
      listener: null,
      owned: new Map(),
      adopted: new Map(),
      partitions: [],
    };
    table.chairs.push(chair);
    this.#split(table);
    return make({
      listen: (listener) => {
        chair.listener = listener;
        listener(chair.partitions, table.generation);
      },
      since: (of) => {
        const since = chair.owned.get(keyOf(of));
        return since === undefined || since !== chair.adopted.get(keyOf(of)) ? null : since;
      },
      adopt: (of) => {
        const since = chair.owned.get(keyOf(of));
        if (since !== undefined) chair.adopted.set(keyOf(of), since);
        return of;
      },
      leave: () => {
        const at = table.chairs.indexOf(chair);
        if (at < 0) return;
        table.chairs.splice(at, 1);
        chair.owned = new Map();
        chair.partitions = [];
        this.#split(table);
      },
    });
  }

  /** A topic has these partitions more: every group that reads it is split anew. */
  add(topic: string, partitions: readonly TopicPartition[]): void {
    for (const table of this.#tables.values()) {
      if (!table.partitions.some((each) => each.topic === topic)) continue;
      table.partitions = [...table.partitions, ...partitions];
      this.#split(table);
    }
  }

  /** Groups in which somebody of this process reads a topic. */
  groupsOf(topic: string): readonly string[] {
    const reads = ([, { partitions }]: [string, Table]) => partitions.some((each) => each.topic === topic);
    return [...this.#tables].filter(reads).map(([group]) => group);
  }

  /** Partitions of a group that somebody joined in this process; empty for others. */
  partitionsOf(group: string): readonly TopicPartition[] {
    return this.#tables.get(group)?.partitions ?? [];
  }

  #split(table: Table): void {
    table.generation += 1;
    const names = table.chairs.map((each) => each.worker);
    const count = Math.max(0, ...table.partitions.map((each) => each.partition + 1));
    const owners = names.length === 0 ? [] : assignPartitions(names, count);
    for (const chair of table.chairs) {
      chair.partitions = table.partitions.filter(({ partition }) => owners[partition] === chair.worker);
      const before = chair.owned;
      const since = (key: string) => [key, before.get(key) ?? table.generation] as const;
      chair.owned = new Map(chair.partitions.map((of) => since(keyOf(of))));
      for (const [key, from] of chair.owned) if (!chair.adopted.has(key)) chair.adopted.set(key, from);
    }
    for (const chair of table.chairs) chair.listener?.(chair.partitions, table.generation);
  }
}

function freeName({ chairs }: Table): string {
  let n = 1;
  while (chairs.some((each) => each.worker === `w${n}`)) n += 1;
  return `w${n}`;
}
