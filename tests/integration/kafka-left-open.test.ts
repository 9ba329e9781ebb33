// A transaction that its coordinator took for ended, and whose records stand open all the same: a broker that
// has just come back leaves out partitions that it does not know yet. Here a broker is told not to check
// where records come from, so that such records can be put there on purpose.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { KafkaCluster } from '../../runtime/log/kafka-cluster.ts';
import { knowsAll, standingOf } from '../../runtime/log/kafka-open.ts';
import { produceRequest } from '../../runtime/log/kafka-produce.ts';
import { encodeBatch } from '../../runtime/log/kafka-records.ts';
import { type Part, Transactions } from '../../runtime/log/kafka-transaction.ts';
import { foreignRead, QUIET_MS_SMALL } from '../support/foreign-reader.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { type KafkaProxy, kafkaProxyForTests } from '../support/kafka-proxy.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const missing = kafkaMissing();
const newProxy = kafkaProxyForTests();
const OPTIONS = { timeoutMs: 60_000, compression: 'none', nowMs: Date.now, batchBytesMax: 100_000 } as const;
const IDS = ['plain', 'aborted', 'committed', 'promised', 'asked', 'gone'];
let server: KafkaServer;
let proxy: KafkaProxy;
let cluster: KafkaCluster;

const partOf = (id: string): Part => ({
  topic: `${id}.v1`,
  partition: 0,
  records: [{ key: 'k', value: JSON.stringify({ n: 1 }) }],
});

interface Owner {
  readonly producerId: string;
  readonly producerEpoch: number;
}

async function epochOf(id: string): Promise<Owner> {
  const { broker } = await cluster.coordinator('transaction', id);
  // What was open before is ended first.
  const asked = () => broker.initProducerId({ transactionalId: id, transactionTimeout: 60_000 });
  return until('an epoch', () => asked().catch(() => null), MINUTES);
}

/** Records that the coordinator knows nothing of. */
async function leftOpen(id: string, owner: Owner, firstSequence = 0): Promise<void> {
  const part = partOf(id);
  const bytes = encodeBatch(part.records, {
    producerId: BigInt(owner.producerId),
    producerEpoch: owner.producerEpoch,
    firstSequence,
    nowMs: Date.now(),
    compression: 'none',
  });
  const leader = await cluster.leader(part);
  await leader.send(produceRequest(id, [{ of: part, bytes, count: part.records.length }]));
}

async function started(id: string): Promise<Transactions> {
  const made = new Transactions(cluster, id, OPTIONS);
  await made.init();
  return made;
}

/** One that has begun and got no further. */
async function inDoubt(id: string): Promise<Transactions> {
  const made = await started(id);
  proxy.arm('Produce', 'before');
  await expect(made.run([partOf(id)], null)).rejects.toThrow();
  await leftOpen(id, await epochOf(id));
  return made;
}

const seenOf = async (id: string): Promise<number> =>
  (await foreignRead(server, `${id}.v1`, QUIET_MS_SMALL)).length;

describe.skipIf(missing !== null)(`records left open (${missing ?? 'a real broker'})`, () => {
  beforeAll(async () => {
    proxy = await newProxy(2_000);
    const listeners = [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertised: proxy.port } as const];
    const settings = { 'transaction.partition.verification.enable': 'false' };
    server = await startKafka({ nodes: 1, settings, security: { listeners } });
    proxy.to = Number(server.listener('PROXIED').split(':')[1]);
    cluster = new KafkaCluster({
      brokers: [`127.0.0.1:${proxy.port}`],
      clientId: 'left-open',
      tls: null,
      sasl: null,
      requestTimeoutMs: 10_000,
    });
    for (const id of IDS) {
      const words = ['--bootstrap-server', server.brokers, '--create', '--topic', `${id}.v1`];
      await server.tool('TopicCommand', [...words, '--partitions', '1']);
    }
    // The coordinators have begun.
    await Promise.all(IDS.map(started));
  }, 3 * MINUTES);

  afterAll(async () => {
    cluster.close();
    await server.stop();
  }, MINUTES);

  test(
    'take the outcome of the next transaction: a batch that is done again stands there twice',
    async () => {
      await leftOpen('plain', await epochOf('plain'));
      await (await started('plain')).run([partOf('plain')], null);
      expect(await seenOf('plain')).toBe(2);
    },
    MINUTES,
  );

  test(
    'are gone once the successor has begun, and the batch that is done again stands there once',
    async () => {
      const next = (await inDoubt('aborted')).successor();
      await next.init();
      await next.run([partOf('aborted')], null);
      expect(await seenOf('aborted')).toBe(1);
    },
    MINUTES,
  );

  test(
    'are seen once the successor has begun, when the end was asked for and is known',
    async () => {
      const before = await epochOf('committed');
      const made = await started('committed');
      proxy.arm('EndTxn', 'after');
      await expect(made.run([partOf('committed')], null)).rejects.toThrow();
      await until('it is in', async () => (await seenOf('committed')) === 1, MINUTES);
      await leftOpen('committed', { ...before, producerEpoch: before.producerEpoch + 1 }, 1);
      expect(await seenOf('committed')).toBe(1);
      await made.successor().init();
      expect(await seenOf('committed')).toBe(2);
    },
    MINUTES,
  );

  test(
    'are seen once the successor has begun, when the end was promised',
    async () => {
      const before = await epochOf('promised');
      const made = await started('promised');
      await made.run([partOf('promised')], null);
      await until('it is in', async () => (await seenOf('promised')) === 1, MINUTES);
      await leftOpen('promised', { ...before, producerEpoch: before.producerEpoch + 1 }, 1);
      expect(await seenOf('promised')).toBe(1);
      await made.successor().init();
      expect(await seenOf('promised')).toBe(2);
    },
    MINUTES,
  );

  test(
    'a coordinator tells what is open until it has ended',
    async () => {
      const coordinator = await cluster.coordinator('transaction', 'asked');
      const asked = () => standingOf(coordinator, 'asked');
      const owner = await epochOf('asked');
      const topics = [{ topic: 'asked.v1', partitions: [0] }];
      expect(await asked()).toEqual({ committed: false, ending: false, open: [] });
      await coordinator.broker.addPartitionsToTxn({ transactionalId: 'asked', ...owner, topics });
      expect(await asked()).toMatchObject({ open: [{ topic: 'asked.v1', partition: 0 }] });
      await (await started('asked')).run([partOf('asked')], null);
      await until('it has ended', async () => (await asked())?.committed, MINUTES);
      expect(await standingOf(coordinator, 'nobody')).toEqual({ committed: false, ending: false, open: [] });
    },
    MINUTES,
  );

  test(
    'a coordinator that does not know what is open is seen not to',
    async () => {
      const coordinator = await cluster.coordinator('transaction', 'gone');
      const owner = await epochOf('gone');
      const topics = [{ topic: 'gone.v1', partitions: [0] }];
      await coordinator.broker.addPartitionsToTxn({ transactionalId: 'gone', ...owner, topics });
      const standing = await standingOf(coordinator, 'gone');
      if (standing === null) throw new Error('it cannot be asked');
      expect(await knowsAll(coordinator, standing)).toBe(true);
      await server.tool('TopicCommand', [
        '--bootstrap-server',
        server.brokers,
        '--delete',
        '--topic',
        'gone.v1',
      ]);
      await until('it is gone', async () => !(await knowsAll(coordinator, standing)), MINUTES);
    },
    2 * MINUTES,
  );
});
