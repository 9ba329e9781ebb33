// Brokers that speak TLS and ask for a login: the log works through each of them; what is wrong is said with
// what to do about it, and never with a secret; and the rights that the README lists are enough.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { openKafkaLog } from '../../runtime/log/kafka.ts';
import type { KafkaConnection } from '../../runtime/log/kafka-cluster.ts';
import { tellingWhenClosed } from '../../runtime/log/kafka-exchange.ts';
import type { Log, TopicPartition } from '../../runtime/log/log.ts';
import { TOPIC } from '../../runtime/services.ts';
import { command } from '../support/command.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { kafkaOptions } from '../support/kafka-log.ts';
import {
  type Certificates,
  makeCertificates,
  opensslMissing,
  PASSWORD,
  secured,
  USER,
} from '../support/kafka-security.ts';
import { Product, temporaryDirectory } from '../support/product.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const WRONG = 'wr0ng-and-secret';
const TEXT = new TextDecoder();
const BEGINNING = /coordinator is (not available|loading)|not the correct coordinator/;
const missing = kafkaMissing() ?? opensslMissing();

type Way = Pick<KafkaConnection, 'tls' | 'sasl'>;

/** The lines of the README that begin with `kafka-acls`, each as its words. */
function documentedRights(): string[][] {
  const text = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8').replaceAll(/\\\n/g, ' ');
  const lines = text.split('\n').filter((line) => line.startsWith('kafka-acls '));
  return lines.map((line) => line.split(/\s+/).slice(1));
}

if (missing !== null) describe('a broker that asks who is there', () => test.skip(missing, () => {}));
else {
  describe('a broker that asks who is there', () => {
    let server: KafkaServer;
    let certificates: Certificates;
    let ca = '';

    beforeAll(async () => {
      certificates = makeCertificates();
      ca = certificates.text(certificates.ca);
      server = await startKafka({ nodes: 1, security: secured(certificates, true) });
      // Topics of the tests themselves; the product's own are in the README.
      await allow(server, '--operation', 'All', '--topic', 'secured.', '--group', 'secured');
      const ids = ['secured', 'writer/secured', 'layouts/'].flatMap((id) => ['--transactional-id', id]);
      await allow(server, '--operation', 'All', ...ids, '--topic', 'writers.', '--topic', 'layouts.');
    }, 5 * MINUTES);

    afterAll(async () => {
      await server?.stop();
      certificates?.[Symbol.dispose]();
    });

    const tls = (more: Partial<NonNullable<Way['tls']>> = {}) => ({ ca, cert: null, key: null, ...more });
    const login = (mechanism: NonNullable<Way['sasl']>['mechanism'], password = PASSWORD) =>
      Object.freeze({ mechanism, username: USER, password });
    const mutual = () =>
      tls({
        cert: certificates.text(certificates.clientCert),
        key: certificates.text(certificates.clientKey),
      });

    function open(listener: string | null, way: Way, notes: string[] = []): Log {
      const address = listener === null ? server.brokers : server.listener(listener);
      const options = kafkaOptions(address, { note: (cause) => notes.push(cause) });
      return openKafkaLog({ ...options, connection: { ...options.connection, ...way } });
    }

    const ways: readonly (readonly [string, string, () => Way])[] = [
      ['TLS', 'TLS', () => ({ tls: tls(), sasl: null })],
      ['TLS with a certificate of ours', 'MUTUAL', () => ({ tls: mutual(), sasl: null })],
      ['SASL PLAIN', 'LOGIN', () => ({ tls: tls(), sasl: login('plain') })],
      ['SCRAM-SHA-256', 'LOGIN', () => ({ tls: tls(), sasl: login('scram-sha-256') })],
      ['SCRAM-SHA-512', 'LOGIN', () => ({ tls: tls(), sasl: login('scram-sha-512') })],
    ];
    for (const [n, [name, listener, way]] of ways.entries()) {
      test(
        `${name}: produces, consumes and commits`,
        async () => {
          const notes: string[] = [];
          const log = open(listener, way(), notes);
          await copiesARecord(log, `secured.${n}`);
          await log.close();
          // A broker that has just started makes the topic of the groups first, and its coordinators begin.
          expect(notes.filter((each) => !BEGINNING.test(each))).toEqual([]);
        },
        MINUTES,
      );
    }

    const wrong: readonly (readonly [string, string | null, () => Way, RegExp, boolean])[] = [
      [
        'a wrong password, PLAIN',
        'LOGIN',
        () => ({ tls: tls(), sasl: login('plain', WRONG) }),
        /Invalid username or password; correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD/,
        true,
      ],
      [
        'a wrong password, SCRAM',
        'LOGIN',
        () => ({ tls: tls(), sasl: login('scram-sha-512', WRONG) }),
        /invalid credentials.*; correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD/,
        true,
      ],
      [
        'another authority',
        'TLS',
        () => ({ tls: tls({ ca: certificates.text(certificates.strangersCa) }), sasl: null }),
        /certificate chain; KAFKA_TLS_CA_FILE has to hold what signed/,
        true,
      ],
      [
        'no certificate where one is wanted',
        'MUTUAL',
        () => ({ tls: tls(), sasl: null }),
        /KAFKA_TLS_CERT_FILE/,
        false,
      ],
      [
        'plain text to a port of TLS',
        'TLS',
        () => ({ tls: null, sasl: null }),
        /hung up at the first request; .*KAFKA_TLS_ENABLED/,
        false,
      ],
      [
        'TLS to a port of plain text',
        null,
        () => ({ tls: tls(), sasl: null }),
        /no TLS is spoken there.*KAFKA_TLS_ENABLED=false/,
        false,
      ],
      [
        'no login where one is wanted',
        'LOGIN',
        () => ({ tls: tls(), sasl: null }),
        /hung up at the first request; .*KAFKA_SASL_MECHANISM/,
        false,
      ],
      [
        'a login where none is wanted',
        'TLS',
        () => ({ tls: tls(), sasl: login('plain') }),
        /no SASL is spoken there.*unset KAFKA_SASL_MECHANISM/,
        false,
      ],
    ];
    for (const [name, listener, way, pattern, lasting] of wrong) {
      test(
        `${name}: said with what to do, ${lasting ? 'and given up' : 'and tried again'}`,
        async () => {
          const notes: string[] = [];
          const log = open(listener, way(), notes);
          const specs = [{ name: 'secured.never', partitions: 1, retentionMs: null, compacted: false }];
          const given = log.bootstrap(specs).then(
            () => 'it worked',
            (error: Error) => error.message,
          );
          const said = lasting ? await given : await until('a note', () => notes[1]);
          expect(said).toMatch(pattern);
          expect(await log.health()).toMatch(pattern);
          await log.close();
          expect(lasting ? '' : await given).toBe(lasting ? '' : 'the log is closed');
          expect([said, ...notes].join('\n')).not.toContain(WRONG);
        },
        MINUTES,
      );
    }

    test(
      'a connection over TLS that breaks while nothing is under way is noticed',
      async () => {
        const pem = certificates.text(certificates.server);
        const sockets: TLSSocket[] = [];
        const listener = createServer({ key: pem, cert: pem }, (socket) => sockets.push(socket));
        await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
        const address = listener.address();
        const port = typeof address === 'object' ? address?.port : 0;
        const closed = Promise.withResolvers<void>();
        const connected = Promise.withResolvers<void>();
        const connect = tellingWhenClosed(closed.resolve);
        connect({ host: '127.0.0.1', port, ssl: { ca }, onConnect: connected.resolve });
        await connected.promise;
        const [socket] = await until('it is there', async () => (sockets.length > 0 ? sockets : null));
        socket?.destroy();
        await closed.promise;
        listener.close();
      },
      MINUTES,
    );

    describe('the product', () => {
      const environment = (dir: string, password: string): Record<string, string> => {
        const file = join(dir, 'password');
        writeFileSync(file, `${password}\n`, { mode: 0o400 });
        return {
          KAFKA_BROKERS: server.listener('LOGIN'),
          KAFKA_TLS_ENABLED: 'true',
          KAFKA_TLS_CA_FILE: certificates.ca,
          KAFKA_SASL_MECHANISM: 'scram-sha-512',
          KAFKA_SASL_USERNAME: USER,
          KAFKA_SASL_PASSWORD_FILE: file,
        };
      };

      test(
        'refuses a wrong password at once, and so does the doctor, naming it and not showing it',
        async () => {
          using dir = temporaryDirectory();
          const env = environment(dir.path, WRONG);
          const said = await command('runtime/main.ts', dir.path, env);
          expect(said.code).toBe(78);
          const last = JSON.parse(said.lines.at(-1) ?? '');
          expect(last).toMatchObject({ level: 'fatal', event: 'startup_failed', check: 'kafka' });
          expect(last.hint).toMatch(/SCRAM.*correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD/);
          const looked = await command('runtime/cli/doctor.ts', dir.path, { ...env, ...NO_ENGINE });
          expect(looked.lines.filter((line) => line.includes(' kafka '))).toEqual([
            expect.stringMatching(/^FAIL .*127\.0\.0\.1:\d+.*correct KAFKA_SASL_USERNAME/),
          ]);
          expect(JSON.stringify([said, looked])).not.toContain(WRONG);
        },
        MINUTES,
      );

      test(
        'says which right it lacks, works with those of the README, and tells nobody its password',
        async () => {
          using dir = temporaryDirectory();
          const env = environment(dir.path, PASSWORD);
          const without = await command('runtime/main.ts', dir.path, env);
          expect(without.code).toBe(78);
          expect(JSON.parse(without.lines.at(-1) ?? '').hint).toContain('"Rights on Kafka"');

          const rights = documentedRights();
          expect(rights.length).toBeGreaterThan(0);
          for (const words of rights) await acls(server, words);
          await using product = new Product({ dir: dir.path, env });
          await product.ready();
          const log = openKafkaLog(kafkaOptions(server.brokers));
          await until('bars', () => written(log, TOPIC.bars), 2 * MINUTES);
          await log.close();
          const looked = await command('runtime/cli/doctor.ts', dir.path, { ...env, ...NO_ENGINE });
          const lines = looked.lines.filter((line) => line.includes(' kafka '));
          expect(lines[0]).toMatch(/^ok .*answers \(TLS, SASL SCRAM-SHA-512 as carbon\)/);
          expect(lines[1]).toMatch(/^ok .*(\d+) of \1 topics are there$/);
          const up = { dependencies: { kafka: { status: 'up' } } };
          const health = () => product.json('normalization', '/health');
          await until('health', async () => Bun.deepMatch(up, await health()));
          const logs = join(dir.path, 'logs');
          const files = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
          const told = [JSON.stringify(product.lines), product.errors, JSON.stringify(looked), ...files];
          expect(told.filter((text) => text.includes(PASSWORD))).toEqual([]);
          expect(told.join('\n')).not.toMatch(/AUTHORIZATION_FAILED|not authorized/i);
        },
        5 * MINUTES,
      );
    });
  });
}

/** The doctor need not start an engine. */
const NO_ENGINE = { CLICKHOUSE_URL: 'http://127.0.0.1:1' };

function allow(server: KafkaServer, ...words: string[]): Promise<string> {
  const add = ['--bootstrap-server', 'x', '--add', '--allow-principal', `User:${USER}`];
  return acls(server, [...add, '--resource-pattern-type', 'prefixed', ...words]);
}

/** As typed, but for the address. */
function acls(server: KafkaServer, words: readonly string[]): Promise<string> {
  const at = words.indexOf('--bootstrap-server') + 1;
  return server.tool('AclCommand', words.with(at, server.brokers));
}

async function written(log: Log, topic: string): Promise<boolean> {
  const ends = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((partition) => log.end({ topic, partition })));
  return ends.some((end) => end > 0);
}

/** One record in, one out, with state and position: what every stage does. */
async function copiesARecord(log: Log, name: string): Promise<void> {
  const [from, to] = [`${name}.in`, `${name}.out`];
  const specs = [from, to].map((topic) => ({ name: topic, partitions: 1, retentionMs: null }));
  await log.bootstrap(specs.map((each) => ({ ...each, compacted: false })));
  await log.append('secured', [{ topic: from, key: 'k', value: 'one' }], []);
  const member = await log.join(name, [from]);
  const owned = Promise.withResolvers<readonly TopicPartition[]>();
  member.assigned((partitions) => owned.resolve(partitions));
  const [of] = await owned.promise;
  if (of === undefined) throw new Error('no partition');
  for await (const _ of member.state(of)) throw new Error('state of nobody');
  const batch = await until('the record', () => member.poll(of, 10));
  const outputs = [{ topic: to, key: 'k', value: batch.value(0) }];
  const state = [{ key: 's', value: batch.value(0) }];
  expect(await member.commit(of, { outputs, state, nextOffset: batch.nextOffset })).toBe('committed');
  const copied = await log.read({ topic: to, partition: 0 }, 0, 10);
  expect(copied === null ? null : TEXT.decode(copied.value(0))).toBe('one');
  expect((await log.lag(name)).map(({ lag }) => lag)).toEqual([0]);
  await member.leave();
}
