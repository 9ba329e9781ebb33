// Whether a topic that exists is as it is declared. More partitions than declared are no difference: they
// were added while it ran, and its layout knows of them.

import type { TopicSpec } from './log.ts';

export function differs(spec: TopicSpec, found: TopicSpec | undefined): boolean {
  return (
    found === undefined ||
    (spec.writers === undefined
      ? found.partitions !== spec.partitions
      : found.partitions < spec.partitions) ||
    found.retentionMs !== spec.retentionMs ||
    found.compacted !== spec.compacted
  );
}
