// What an owned partition of Kafka needs of its member: connections, the group's word, and who is told.

import type { KafkaCluster } from './kafka-cluster.ts';
import type { FetchBounds } from './kafka-fetch.ts';
import type { Layouts } from './kafka-layouts.ts';
import type { Slot } from './kafka-slot.ts';
import type { TransactionOptions } from './kafka-transaction.ts';
import type { TopicPartition } from './log.ts';

export interface SlotPorts {
  readonly cluster: KafkaCluster;
  readonly group: string;
  readonly transactions: TransactionOptions;
  readonly layouts: Layouts;
  readonly fetch: FetchBounds;
  /** Whether the group still counts us in; waits for the assignment when it is being made. */
  readonly counted: (slot: Slot) => Promise<boolean>;
  /** Moves the offset without a transaction, past what holds no records; refused to who is not a member. */
  readonly skipTo: (of: TopicPartition, offset: number, token: string) => Promise<boolean>;
  readonly committed: (ends: ReadonlyMap<string, number>) => void;
  /** Another member went on from here: what the owner of this slot knows is not the truth any more. */
  readonly overtaken: (slot: Slot) => void;
  readonly note: (cause: string) => void;
}
