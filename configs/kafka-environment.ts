// Brokers instead of the embedded log: where they are, and how this process proves who it is.

import { readFileSync } from 'node:fs';

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

export interface KafkaEnvironment {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  /** PEM texts; null: what the system trusts, or no certificate of our own. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
  readonly sasl: {
    readonly mechanism: (typeof SASL_MECHANISMS)[number];
    readonly username: string;
    readonly password: string;
  } | null;
}

/** Reads variables one by one and collects what is wrong with them. */
interface Reader {
  text(name: string, fallback: string): string;
  secret(name: string): string | null;
  wrong(key: string, message: string): void;
}

const ADDRESS = /^(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})$/;

/** Null: KAFKA_BROKERS is not set, and what goes with it is not looked at. */
export function readKafka(reader: Reader): KafkaEnvironment | null {
  const brokers = reader
    .text('KAFKA_BROKERS', '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  if (brokers.length === 0) return null;
  const wrong = brokers.filter((each) => Number(ADDRESS.exec(each)?.[2] ?? 65_536) > 65_535);
  if (wrong.length > 0) reader.wrong('KAFKA_BROKERS', `expected host:port, …, found '${wrong.join(',')}'`);
  return { brokers, tls: readTls(reader), sasl: readSasl(reader) };
}

function readTls(reader: Reader): KafkaEnvironment['tls'] {
  const enabled = reader.text('KAFKA_TLS_ENABLED', 'false').toLowerCase();
  if (!['true', 'false', '1', '0'].includes(enabled)) {
    reader.wrong('KAFKA_TLS_ENABLED', `expected true or false, found '${enabled}'`);
  }
  const ca = pem(reader, 'KAFKA_TLS_CA_FILE');
  const cert = pem(reader, 'KAFKA_TLS_CERT_FILE');
  const key = reader.secret('KAFKA_TLS_KEY');
  if (!['true', '1'].includes(enabled)) {
    const given = ca !== null || cert !== null || key !== null;
    if (given) reader.wrong('KAFKA_TLS_ENABLED', 'certificates are given, but TLS is off: set it to true');
    return null;
  }
  if ((cert === null) !== (key === null)) {
    reader.wrong('KAFKA_TLS_CERT_FILE', 'a certificate and its key come together: KAFKA_TLS_KEY_FILE');
  }
  return { ca, cert, key };
}

function pem(reader: Reader, name: string): string | null {
  const path = reader.text(name, '');
  if (path === '') return null;
  try {
    const content = readFileSync(path, 'utf8');
    if (content.includes('-----BEGIN ')) return content;
    reader.wrong(name, `${path} is no PEM file`);
  } catch (error) {
    reader.wrong(name, `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return null;
}

function readSasl(reader: Reader): KafkaEnvironment['sasl'] {
  const named = reader.text('KAFKA_SASL_MECHANISM', '').toLowerCase();
  const username = reader.text('KAFKA_SASL_USERNAME', '');
  const password = reader.secret('KAFKA_SASL_PASSWORD');
  if (named === '') {
    const given = username !== '' || password !== null;
    const expected = SASL_MECHANISMS.join(', ').toUpperCase();
    if (given) reader.wrong('KAFKA_SASL_MECHANISM', `a user is given without it: expected ${expected}`);
    return null;
  }
  const mechanism = SASL_MECHANISMS.find((each) => each === named);
  if (mechanism === undefined) {
    const expected = SASL_MECHANISMS.join(', ').toUpperCase();
    reader.wrong('KAFKA_SASL_MECHANISM', `'${named}': expected ${expected}`);
    return null;
  }
  if (username === '') reader.wrong('KAFKA_SASL_USERNAME', 'is needed by KAFKA_SASL_MECHANISM');
  if (password === null) reader.wrong('KAFKA_SASL_PASSWORD', 'is needed by KAFKA_SASL_MECHANISM');
  return { mechanism, username, password: password ?? '' };
}
