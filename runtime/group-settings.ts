// What a hosted consumer group is given.

import type { RestartPolicy } from '../actors/supervision.ts';
import type { TopicPartition } from './log/log.ts';
import type { PartitionPlan } from './partition-plan.ts';

export interface GroupSettings {
  readonly service: string;
  readonly group: string;
  readonly topics: readonly string[];
  readonly plan: (of: TopicPartition) => PartitionPlan;
  readonly restarts: RestartPolicy;
  /** A partition with a lag that has not moved for so long stands still, and that is told. */
  readonly stallMs: number;
  /** The budget of router restarts is used up: the process must leave. */
  readonly exhausted: (cause: string) => void;
}
