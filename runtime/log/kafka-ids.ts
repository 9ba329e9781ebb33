// Transactional ids: one for each input partition of a group, for each writer, and for each kept layout. Who
// ends somebody else's transaction has to know from its id alone which offset it may have moved.

import type { TopicPartition } from './log.ts';

const [WRITER, LAYOUTS] = ['writer/', 'layouts/'];

export function slotId(group: string, { topic, partition }: TopicPartition): string {
  return `${group}/${topic}/${partition}`;
}

export function writerId(name: string): string {
  return `${WRITER}${name}`;
}

export function layoutsId(topic: string): string {
  return `${LAYOUTS}${topic}`;
}

/** Nobody else's transactions are ended: it would end their producer. */
export function isOurs(id: string): boolean {
  return id.startsWith(WRITER) || id.startsWith(LAYOUTS) || inputOf(id) !== null;
}

/** The offset that transactions of this id move; null: none. */
export function inputOf(id: string): { readonly group: string; readonly of: TopicPartition } | null {
  if (id.startsWith(WRITER) || id.startsWith(LAYOUTS)) return null;
  // Names of topics have no slash; those of groups may.
  const [, group, topic, partition] = /^(.+)\/([^/]+)\/(\d+)$/.exec(id) ?? [];
  if (group === undefined || topic === undefined) return null;
  return { group, of: { topic, partition: Number(partition) } };
}
