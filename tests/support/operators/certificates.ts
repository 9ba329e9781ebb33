// Certificates of a stand-in operator, made by openssl when the tests run: one that is in order, and each way
// of being refused. All by one authority that only tests trust, but the one that nobody signed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const CERTIFICATES = ['good', 'expired', 'other-name', 'self-signed', 'strange-issuer'] as const;
export type CertificateKind = (typeof CERTIFICATES)[number];

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface OperatorCertificates {
  /** PEM of the authority. */
  readonly ca: string;
  readonly of: Readonly<Record<CertificateKind, Identity>>;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** For `name`, and for what ends in it. */
export function operatorCertificates(name: string): OperatorCertificates {
  const dir = mkdtempSync(join(tmpdir(), 'carbon-operator-'));
  const at = (file: string) => join(dir, file);
  const openssl = (...words: string[]): void => {
    const done = Bun.spawnSync(['openssl', ...words], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
    if (done.exitCode !== 0) throw new Error(`openssl ${words[0]}: ${done.stderr.toString()}`);
  };
  const alone = (file: string, subject: string, ...more: string[]): void =>
    openssl(
      ...['req', '-x509', ...KEY, '-keyout', `${file}.key`, '-out', `${file}.pem`, '-days', '30'],
      ...['-subj', `/CN=${subject}`, ...more],
    );
  const signed = (file: string, subject: string, days: string, by: string): void => {
    writeFileSync(at(`${file}.ext`), `subjectAltName=DNS:${subject},DNS:*.${subject}\n`);
    openssl('req', ...KEY, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${subject}`);
    openssl(
      ...['x509', '-req', '-in', `${file}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'],
      ...['-days', days, '-extfile', `${file}.ext`, '-out', `${file}.pem`],
    );
  };
  try {
    alone('ca', 'authority of the tests');
    alone('stranger', 'authority of nobody');
    signed('good', name, '30', 'ca');
    signed('expired', name, '-1', 'ca');
    signed('other-name', 'elsewhere.example', '30', 'ca');
    signed('strange-issuer', name, '30', 'stranger');
    alone('self-signed', name, '-addext', `subjectAltName=DNS:${name}`);
    const text = (file: string) => readFileSync(at(file), 'utf8');
    const identity = (kind: string): Identity => ({ cert: text(`${kind}.pem`), key: text(`${kind}.key`) });
    return {
      ca: text('ca.pem'),
      of: {
        good: identity('good'),
        expired: identity('expired'),
        'other-name': identity('other-name'),
        'self-signed': identity('self-signed'),
        'strange-issuer': identity('strange-issuer'),
      },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
