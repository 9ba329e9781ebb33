// Errors of Kafka and of its connections, as faults with a cause that a person can act on.

import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { LogFault } from './log-fault.ts';

/** Those that no second try mends: a person has to. */
const LASTING: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'INVALID_CONFIG',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_REQUIRED_ACKS',
  'KafkaJSSASLAuthenticationError',
  'MESSAGE_TOO_LARGE',
  'POLICY_VIOLATION',
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
]);

/** A newer epoch of the transactional id was given out. */
export const FENCED: ReadonlySet<string> = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']);

/** Kafka's name of the error, such as `NOT_LEADER_FOR_PARTITION`, or the class of a connection's. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN';
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}

/** An answer's error code; nothing for 0. */
export function throwIfFailed(code: number): void {
  if (code !== 0) throw createErrorFromCode(code);
}

/** `what` was being done at `target`. */
export function asKafkaFault(error: unknown, what: string, target: string): LogFault {
  if (error instanceof LogFault) return error;
  const type = errorType(error);
  const said = error instanceof Error ? error.message : String(error);
  const message = `Kafka at ${target}: ${what}: ${said}`;
  return new LogFault(message, 'kafka', !LASTING.has(type), { cause: error });
}
