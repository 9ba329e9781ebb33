// What is told of an insert that failed: a value, so that a worker can send it to the thread that tells it.

import type { Fault, Rows } from '../sinks/sink.ts';

export interface Failure {
  readonly topic: string;
  /** Which rows: the positions that they came from, cut where there are many. */
  readonly batch: string;
  readonly rows: number;
  /** The kind of fault, such as `clickhouse_disk_full`. */
  readonly code: string;
  /** ClickHouse's own code, such as `243`; null: it said none. */
  readonly clickhouse_code: string | null;
  readonly cause: string;
}

const BATCH_CHARS_MAX = 200;

export function failureOf(
  { topic, token, count }: Pick<Rows, 'topic' | 'token' | 'count'>,
  { code, serverCode, message }: Fault,
): Failure {
  const batch = token.slice(0, BATCH_CHARS_MAX);
  return { topic, batch, rows: count, code, clickhouse_code: serverCode, cause: message };
}
