// What the variables say of Kafka: each wrong one is a finding, and nothing is looked at without brokers.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, type Variables } from '../../../configs/environment.ts';

const BROKERS = { KAFKA_BROKERS: 'one:9092, two.example:9093,[::1]:9094' };
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'carbon-kafka-environment-'));
  writeFileSync(join(dir, 'ca.pem'), PEM);
  writeFileSync(join(dir, 'no.pem'), 'nothing');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function wrong(variables: Variables): string[] {
  return readEnvironment(variables).findings.map(({ key }) => key);
}

describe('Kafka in the environment', () => {
  test('is not used without brokers, whatever else is set', () => {
    const { environment, findings } = readEnvironment({
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_TLS_ENABLED: 'true',
    });
    expect([environment.kafka, findings]).toEqual([null, []]);
  });

  test('brokers are hosts with ports', () => {
    const { environment, findings } = readEnvironment(BROKERS);
    expect(findings).toEqual([]);
    const brokers = ['one:9092', 'two.example:9093', '[::1]:9094'];
    expect(environment.kafka).toEqual({ brokers, tls: null, sasl: null });
    for (const one of ['kafka', 'kafka:', ':9092', 'kafka:99999', 'kafka://kafka:9092', 'a:1,b']) {
      expect(wrong({ KAFKA_BROKERS: one })).toEqual(['KAFKA_BROKERS']);
    }
  });

  test('SASL is a mechanism with a user and a password', () => {
    const user = { ...BROKERS, KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
    for (const mechanism of ['PLAIN', 'scram-sha-256', 'SCRAM-SHA-512']) {
      const { environment, findings } = readEnvironment({ ...user, KAFKA_SASL_MECHANISM: mechanism });
      expect(findings).toEqual([]);
      expect(environment.kafka?.sasl).toMatchObject({ mechanism: mechanism.toLowerCase(), username: 'u' });
    }
    expect(wrong(user)).toEqual(['KAFKA_SASL_MECHANISM']);
    expect(wrong({ ...user, KAFKA_SASL_MECHANISM: 'GSSAPI' })).toEqual(['KAFKA_SASL_MECHANISM']);
    const missing = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'];
    expect(wrong({ ...BROKERS, KAFKA_SASL_MECHANISM: 'PLAIN' })).toEqual(missing);
  });

  test('TLS is on or off, with PEM files that can be read', () => {
    const ca = join(dir, 'ca.pem');
    const on = { ...BROKERS, KAFKA_TLS_ENABLED: 'true' };
    expect(readEnvironment(on).environment.kafka?.tls).toEqual({ ca: null, cert: null, key: null });
    const { environment } = readEnvironment({ ...on, KAFKA_TLS_CA_FILE: ca });
    expect(environment.kafka?.tls?.ca).toBe(PEM);
    expect(wrong({ ...on, KAFKA_TLS_CA_FILE: join(dir, 'absent') })).toEqual(['KAFKA_TLS_CA_FILE']);
    expect(wrong({ ...on, KAFKA_TLS_CA_FILE: join(dir, 'no.pem') })).toEqual(['KAFKA_TLS_CA_FILE']);
    expect(wrong({ ...on, KAFKA_TLS_CERT_FILE: ca })).toEqual(['KAFKA_TLS_CERT_FILE']);
    expect(wrong({ ...BROKERS, KAFKA_TLS_CA_FILE: ca })).toEqual(['KAFKA_TLS_ENABLED']);
    expect(wrong({ ...BROKERS, KAFKA_TLS_ENABLED: 'yes' })).toEqual(['KAFKA_TLS_ENABLED']);
  });

  test('services apart need one ClickHouse besides', () => {
    expect(wrong({ ...BROKERS, ROLE: 'enrichment' })).toEqual(['ROLE']);
    const { environment, findings } = readEnvironment({
      ...BROKERS,
      ROLE: 'enrichment',
      CLICKHOUSE_URL: 'http://c:8123',
    });
    expect([environment.roles, findings]).toEqual([['enrichment'], []]);
  });
});
