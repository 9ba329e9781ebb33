// Brokers that ask who is there: certificates made by openssl when the tests run, users of SASL, and an
// authorizer. The broker's plain listener stays, for the tools, and whoever comes by it may do everything.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KafkaSecurity, Listener } from './kafka.ts';

export const USER = 'carbon';
export const PASSWORD = 'pa55-of-the-tests';

/** Why this machine cannot make certificates; null when it can. */
export function opensslMissing(): string | null {
  return Bun.which('openssl') === null ? 'openssl is not installed: it makes the certificates' : null;
}

export interface Certificates extends Disposable {
  /** PEM files. */
  readonly ca: string;
  readonly strangersCa: string;
  readonly server: string;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly text: (path: string) => string;
}

function openssl(...words: string[]): void {
  const done = Bun.spawnSync(['openssl', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (done.exitCode !== 0) throw new Error(`openssl ${words[0]}: ${done.stderr.toString()}`);
}

function authority(dir: string, name: string): string {
  const path = join(dir, `${name}.pem`);
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', join(dir, `${name}.key`)];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-out', path);
  return path;
}

/** A key and a certificate that `ca` signs, good for loopback. */
function signed(dir: string, name: string): void {
  const [key, request, extra] = ['key', 'csr', 'ext'].map((end) => join(dir, `${name}.${end}`));
  if (key === undefined || request === undefined || extra === undefined) throw new Error('no paths');
  writeFileSync(extra, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', `/CN=${name}`, '-out', request);
  const by = ['-CA', join(dir, 'ca.pem'), '-CAkey', join(dir, 'ca.key'), '-CAcreateserial'];
  const out = join(dir, `${name}.pem`);
  openssl('x509', '-req', '-in', request, ...by, '-days', '2', '-extfile', extra, '-out', out);
}

export function makeCertificates(): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'carbon-certificates-'));
  const ca = authority(dir, 'ca');
  const strangersCa = authority(dir, 'strangers');
  signed(dir, 'server');
  signed(dir, 'client');
  const text = (path: string) => readFileSync(path, 'utf8');
  const server = join(dir, 'store.pem');
  writeFileSync(server, text(join(dir, 'server.key')) + text(join(dir, 'server.pem')) + text(ca));
  const [clientCert, clientKey] = [join(dir, 'client.pem'), join(dir, 'client.key')];
  const gone = () => rmSync(dir, { recursive: true, force: true });
  return { ca, strangersCa, server, clientCert, clientKey, text, [Symbol.dispose]: gone };
}

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required';

/**
 * TLS, TLS that wants a certificate of the client, and TLS with SASL. Where `authorized`, the user has what
 * it is given by kafka-acls and no more.
 */
export function secured(certificates: Certificates, authorized = false): KafkaSecurity {
  const listeners: Listener[] = [
    { name: 'TLS', protocol: 'SSL' },
    { name: 'MUTUAL', protocol: 'SSL' },
    { name: 'LOGIN', protocol: 'SASL_SSL' },
  ];
  const settings: Record<string, string> = {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certificates.server,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates.ca,
    'listener.name.mutual.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.login.plain.sasl.jaas.config': `${PLAIN} user_${USER}="${PASSWORD}";`,
    'listener.name.login.scram-sha-256.sasl.jaas.config': `${SCRAM};`,
    'listener.name.login.scram-sha-512.sasl.jaas.config': `${SCRAM};`,
  };
  if (authorized) {
    settings['authorizer.class.name'] = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer';
    settings['super.users'] = 'User:ANONYMOUS;User:CN=client';
  }
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((each) => [
    '--add-scram',
    `${each}=[name=${USER},password=${PASSWORD}]`,
  ]);
  return { listeners, settings, format: scram };
}
