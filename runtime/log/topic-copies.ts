// How many copies of its partitions a topic is to have, and what is told of those that have fewer. They are
// never altered: a second copy of a topic at work is an operator's to plan.

export interface Copies {
  /** What `kafka.replication` says; null: as many as the brokers allow, at most three. */
  readonly asked: number | null;
  /** Brokers that belong to the cluster, up or away. */
  readonly registered: number;
  /** Addresses in KAFKA_BROKERS: one of them may never have been up yet. */
  readonly named: number;
}

export interface FewCopies {
  readonly cause: string;
  readonly decision: string;
}

const COPIES = 3;
const NAMED_MAX = 30;

/** Of a topic that is made now: no more than there are brokers to hold them. */
export function copiesNow({ asked, registered }: Copies): number {
  return asked ?? Math.min(COPIES, registered);
}

/** `found`: the fewest copies of any partition of each topic. Null: none has fewer than it should. */
export function fewCopies(found: ReadonlyMap<string, number>, of: Copies): FewCopies | null {
  const { asked, registered, named } = of;
  const wanted = asked ?? Math.min(COPIES, Math.max(registered, named));
  const few = [...found].filter(([, copies]) => copies < wanted).sort(([a], [b]) => (a < b ? -1 : 1));
  if (few.length === 0) return null;
  const brokers = `${registered} brokers are registered, KAFKA_BROKERS names ${named}`;
  const why = asked === null ? brokers : 'which kafka.replication asks for';
  const names = few.slice(0, NAMED_MAX).map(([name, copies]) => `${name} (${copies})`);
  const more = few.length > NAMED_MAX ? `, and ${few.length - NAMED_MAX} more` : '';
  const have = few.length === 1 ? '1 topic has' : `${few.length} topics have`;
  return {
    cause: `${have} fewer copies than ${wanted}, ${why}: ${names.join(', ')}${more}`,
    decision:
      'left as is: who loses the brokers that hold them loses what is there. Add copies with ' +
      `kafka-reassign-partitions${wanted < COPIES ? '' : ', then set min.insync.replicas to 2'}; ` +
      'if fewer are meant, say so by kafka.replication in runtime.yaml',
  };
}
