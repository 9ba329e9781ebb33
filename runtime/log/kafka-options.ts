// What the log on Kafka is opened with.

import type { KafkaConnection } from './kafka-cluster.ts';
import type { Compression } from './kafka-codecs.ts';
import type { TopicPolicy } from './kafka-topics.ts';

export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  readonly topics: TopicPolicy;
  /** Stable over restarts, different for each process: decides which partitions it owns. */
  readonly worker: string;
  /** Where this process answers for a group, such as `http://10.0.0.7:8512`; null: nowhere. */
  readonly urlOf: (group: string) => string | null;
  readonly compression: Compression;
  /** A member that is not heard of for this long has lost its partitions. */
  readonly sessionMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceMs: number;
  /** A transaction open for longer is ended by its coordinator. */
  readonly transactionMs: number;
  readonly fetchBytesMax: number;
  /** Less than this is left to wait for more, but not longer than `fetchWaitMsMax`. */
  readonly fetchBytesMin: number;
  readonly fetchWaitMsMax: number;
  readonly valueBytesMax: number;
  readonly nowMs: () => number;
  /** Partitions that were added are noticed within this, and records that nobody ends within twice that. */
  readonly layoutPollMs: number;
  /** What went wrong and is being tried again. */
  readonly note: (cause: string) => void;
  /** What was noticed of the topics, and what is done about it. */
  readonly told: (cause: string, decision: string) => void;
  /** Topics are not as they should be, and are left so. */
  readonly differs: (cause: string, decision: string) => void;
}
