// A reader of Kafka topics that shares nothing with the product: Kafka's own console consumer, under
// read_committed.

import type { KafkaServer } from './kafka.ts';
import type { TopicRecord } from './topics.ts';

/** So long without a record, and everything was read. */
const QUIET_MS = 8_000;
/** Enough for a topic that is read in a moment. */
export const QUIET_MS_SMALL = 4_000;
/** A machine that is slow to join is given so long. */
const QUIET_MS_AGAIN = 60_000;
const LINE = /^Partition:(\d+)\tOffset:(\d+)\t([^\t]*)\t(.*)$/;

/**
 * Every record of a topic as it stands now, partition by partition, without calendars and barriers. Where
 * fewer than `atLeast` came it looks once more, for longer.
 */
export async function foreignRead(
  server: KafkaServer,
  topic: string,
  quietMs = QUIET_MS,
  atLeast = 0,
): Promise<TopicRecord[]> {
  const found = await readOnce(server, topic, quietMs);
  return found.length < atLeast ? readOnce(server, topic, QUIET_MS_AGAIN) : found;
}

async function readOnce(server: KafkaServer, topic: string, quietMs: number): Promise<TopicRecord[]> {
  const words = ['--bootstrap-server', server.brokers, '--topic', topic, '--from-beginning'];
  words.push('--isolation-level', 'read_committed', '--timeout-ms', String(quietMs));
  for (const what of ['partition', 'offset', 'key']) words.push('--formatter-property', `print.${what}=true`);
  // Its way to say that no more came is an exit code of 1.
  const text = await server.tool('consumer.ConsoleConsumer', words, [0, 1]);
  const found: TopicRecord[] = [];
  for (const line of text.split('\n')) {
    const [, partition, offset, key = '', json = ''] = LINE.exec(line) ?? [];
    if (partition === undefined) continue;
    const value: TopicRecord['value'] = JSON.parse(json);
    if (key.startsWith('~')) continue;
    found.push({ topic, partition: Number(partition), offset: Number(offset), key, value });
  }
  return found.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
