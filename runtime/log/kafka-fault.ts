// Errors of Kafka and of its connections, as faults with a cause that a person can act on: what was being
// done, where, what the broker said, and what to do where that is known. No secret is ever part of one.

import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { LogFault } from './log-fault.ts';

/** Those that no second try mends: a person has to. */
const LASTING: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'INVALID_CONFIG',
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

/** A certificate that nobody vouches for: `code` of the connection's error. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What to do, by the error's type, its code or its words; the first that fits. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /mechanism is not supp|UNSUPPORTED_SASL/,
    'the brokers offer other mechanisms: correct KAFKA_SASL_MECHANISM',
  ],
  [/SASLAuthentication|SASL_AUTHENTICATION/, 'correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD'],
  [
    /REPLICATION_FACTOR/,
    'fewer brokers are up than copies are asked for: start them, or lower kafka.replication in runtime.yaml',
  ],
  [/AUTHORIZATION_FAILED/, 'give this user the rights that README.md lists under "Rights on Kafka"'],
  [/SELF_SIGNED|UNABLE_TO_/, 'KAFKA_TLS_CA_FILE has to hold what signed the certificate of the brokers'],
  [/ALTNAME/, 'the certificate names other hosts: use one of those in KAFKA_BROKERS'],
  [/CERT_HAS_EXPIRED/, 'the certificate of the broker has to be renewed'],
  [/ALERT_|HANDSHAKE/, 'the broker wants a certificate it knows: KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY'],
  [/before secure TLS|WRONG_VERSION/, 'no TLS is spoken there: another port, or KAFKA_TLS_ENABLED=false'],
  [/current SASL state/, 'no SASL is spoken there: another port, or unset KAFKA_SASL_MECHANISM'],
  [/HungUp/, 'if this stays so, the port wants TLS (KAFKA_TLS_ENABLED) or SASL (KAFKA_SASL_MECHANISM)'],
];

/** The broker cut a new connection instead of answering: it is going down, or was not spoken to its way. */
export class HungUp extends Error {
  override readonly name = 'HungUp';
  constructor(where: string, cause: unknown) {
    super(`${where} hung up at the first request`, { cause });
  }
}

/** Kafka's name of the error, such as `NOT_LEADER_FOR_PARTITION`, or the class of a connection's. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN';
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}

/** An answer's error code; nothing for 0. */
export function throwIfFailed(code: number): void {
  if (code !== 0) throw createErrorFromCode(code);
}

/** The client gathers what failed for each of several topics: the first says enough. */
function firstOf(error: unknown): unknown {
  if (!(error instanceof Error && 'errors' in error && Array.isArray(error.errors))) return error;
  return error.errors[0] ?? error;
}

/** `what` was being done at `target`. */
export function asKafkaFault(thrown: unknown, what: string, target: string): LogFault {
  if (thrown instanceof LogFault) return thrown;
  const error = firstOf(thrown);
  const type = errorType(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const said = error instanceof Error ? error.message : String(error);
  const remedy = REMEDIES.find(([pattern]) => pattern.test(`${type} ${code} ${said}`))?.[1];
  const message = `Kafka at ${target}: ${what}: ${said}${remedy === undefined ? '' : `; ${remedy}`}`;
  const lasting = LASTING.has(type) || UNTRUSTED.has(code);
  return new LogFault(message, 'kafka', !lasting, { cause: error });
}
