// A transaction that its coordinator took for ended, and whose records stand open all the same: a broker that
// has just come back leaves out partitions that it does not know yet. Here a broker is told not to check
// where records come from, so that such records can be put there on purpose.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { KafkaCluster } from '../../runtime/log/kafka-cluster.ts';
import { Epochs } from '../../runtime/log/kafka-epochs.ts';
import { slotId } from '../../runtime/log/kafka-ids.ts';
import { Looks, Written } from '../../runtime/log/kafka-left-open.ts';
import { LeftOvers } from '../../runtime/log/kafka-left-overs.ts';
import { committedOffset, offsetIsOpen } from '../../runtime/log/kafka-offsets.ts';
import { produceRequest } from '../../runtime/log/kafka-produce.ts';
import { encodeBatch } from '../../runtime/log/kafka-records.ts';
import { knowsAll, standingOf } from '../../runtime/log/kafka-standing.ts';
import { type Part, type Stamp, Transactions } from '../../runtime/log/kafka-transaction.ts';
import { foreignRead, QUIET_MS_SMALL } from '../support/foreign-reader.ts';
import { type KafkaServer, kafkaMissing, startKafka } from '../support/kafka.ts';
import { type KafkaProxy, kafkaProxyForTests } from '../support/kafka-proxy.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const BOUND_MS = 4 * MINUTES;
const missing = kafkaMissing();
const newProxy = kafkaProxyForTests();
const NAMES = [
  ...['plain', 'nobody', 'aborted', 'committed', 'lost', 'died', 'cut', 'said'],
  ...['many', 'crowd', 'moved', 'over', 'asked', 'gone'],
];
const MOVED = { topic: 'moved.v1', partition: 0 };
let server: KafkaServer;
let proxy: KafkaProxy;
let cluster: KafkaCluster;

const clusterAt = (...brokers: string[]): KafkaCluster =>
  new KafkaCluster({ brokers, clientId: 'left-open', tls: null, sasl: null, requestTimeoutMs: 10_000 });

function looksAt(...topics: string[]): Looks {
  const written = new Written();
  for (const topic of topics) written.saw(topic, 1);
  return new Looks(cluster, written);
}

const optionsOf = (name: string, looks = looksAt(`${name}.v1`)) =>
  ({ timeoutMs: 60_000, compression: 'none', nowMs: Date.now, batchBytesMax: 100_000, looks }) as const;

const openIn = async (name: string) => (await looksAt(`${name}.v1`).now()).records;

const partOf = (name: string): Part => ({
  topic: `${name}.v1`,
  partition: 0,
  records: [{ key: 'k', value: JSON.stringify({ n: 1 }) }],
});

/** Of who takes it over now, and remembers nothing. */
const epochsOf = (name: string, id = name): Epochs => new Epochs(cluster, id, optionsOf(name));

/** As a client has it that is made for this alone. */
async function stampOf(transactionalId: string): Promise<Stamp> {
  const asked = async () => {
    const { broker } = await cluster.coordinator('transaction', transactionalId);
    return broker.initProducerId({ transactionalId, transactionTimeout: 60_000 });
  };
  // What was open before is ended first, and at the very first there is no coordinator yet.
  const passing = (): null => {
    cluster.stale();
    return null;
  };
  const producer = await until('an epoch', () => asked().catch(passing));
  return { transactionalId, ...producer };
}

async function begun(stamp: Stamp, name: string) {
  const { broker } = await cluster.coordinator('transaction', stamp.transactionalId);
  await broker.addPartitionsToTxn({ ...stamp, topics: [{ topic: `${name}.v1`, partitions: [0] }] });
  return broker;
}

/** One that begins and ends, and of which nothing is to be seen. */
async function ended(stamp: Stamp, name: string, committed: boolean): Promise<void> {
  const broker = await begun(stamp, name);
  await broker.endTxn({ ...stamp, transactionResult: committed });
  const coordinator = await cluster.coordinator('transaction', stamp.transactionalId);
  const isOver = async (): Promise<boolean> => {
    const standing = await standingOf(coordinator, stamp.transactionalId);
    return standing !== null && standing.outcome !== null && !standing.ending;
  };
  await until('it has ended', isOver);
}

async function produced(stamp: Stamp, name: string): Promise<void> {
  const part = partOf(name);
  const bytes = encodeBatch(part.records, {
    producerId: BigInt(stamp.producerId),
    producerEpoch: stamp.producerEpoch,
    firstSequence: 0,
    nowMs: Date.now(),
    compression: 'none',
  });
  const leader = await cluster.leader(part);
  await leader.send(produceRequest(stamp.transactionalId, [{ of: part, bytes, count: 1 }]));
}

/** Records that stand open behind a transaction that has this outcome. */
async function leftOpen(name: string, committed: boolean, id = name): Promise<Stamp> {
  const stamp = await stampOf(id);
  await ended(stamp, name, committed);
  await produced(stamp, name);
  expect(await openIn(name)).toMatchObject([{ producerId: stamp.producerId }]);
  return stamp;
}

async function sees(name: string, count: number): Promise<void> {
  const found = await foreignRead(server, `${name}.v1`, QUIET_MS_SMALL, count);
  expect(found).toHaveLength(count);
}

describe.skipIf(missing !== null)(`records left open (${missing ?? 'a real broker'})`, () => {
  beforeAll(async () => {
    proxy = await newProxy(2_000);
    const listeners = [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertised: proxy.port } as const];
    const settings = { 'transaction.partition.verification.enable': 'false' };
    server = await startKafka({ nodes: 1, settings, security: { listeners } });
    proxy.to = Number(server.listener('PROXIED').split(':')[1]);
    cluster = clusterAt(`127.0.0.1:${proxy.port}`);
    for (const name of NAMES) {
      const words = ['--bootstrap-server', server.brokers, '--create', '--topic', `${name}.v1`];
      await server.tool('TopicCommand', [...words, '--partitions', '1']);
    }
    // The coordinators have begun.
    await Promise.all(NAMES.map(stampOf));
  }, 3 * MINUTES);

  afterAll(async () => {
    cluster.close();
    await server.stop();
  }, MINUTES);

  test(
    'take the outcome of the next transaction where nobody looks for them: an aborted batch is seen',
    async () => {
      await leftOpen('plain', false);
      const blind = new Epochs(cluster, 'plain', optionsOf('plain', looksAt()));
      await (await blind.next()).run([partOf('plain')], null);
      await sees('plain', 2);
    },
    BOUND_MS,
  );

  test(
    'are gone when it was aborted, for whoever comes next: what is done again stands there once',
    async () => {
      await leftOpen('aborted', false);
      const next = await epochsOf('aborted').next();
      expect(await openIn('aborted')).toEqual([]);
      await next.run([partOf('aborted')], null);
      await sees('aborted', 1);
    },
    BOUND_MS,
  );

  test(
    'are seen when it was committed, before whoever comes next does anything',
    async () => {
      await leftOpen('committed', true);
      await sees('committed', 0);
      await epochsOf('committed').next();
      await sees('committed', 1);
    },
    BOUND_MS,
  );

  test(
    'are seen when nobody knows the outcome any more: none is lost',
    async () => {
      await leftOpen('nobody', true);
      await stampOf('nobody');
      await epochsOf('nobody').next();
      await sees('nobody', 1);
    },
    BOUND_MS,
  );

  for (const [name, api, fault, committed, seen] of [
    ['lost', 'InitProducerId', 'after', false, 1],
    ['died', 'AddPartitionsToTxn', 'before', false, 1],
    // An epoch after the one that was about to say it would abort it.
    ['cut', 'EndTxn', 'before', true, 2],
    ['said', 'EndTxn', 'after', true, 2],
  ] as const) {
    test(
      `as it was decided, though ${api} fails (${fault}) while that is found out, and another goes on`,
      async () => {
        await leftOpen(name, committed);
        proxy.arm(api, fault);
        await expect(epochsOf(name).next()).rejects.toThrow();
        cluster.stale();
        await (await epochsOf(name).next()).run([partOf(name)], null);
        await sees(name, seen);
      },
      BOUND_MS,
    );
  }

  for (const [name, committed, seen] of [
    ['many', false, 1],
    ['crowd', true, 2],
  ] as const) {
    test(
      `once for all who come at the same time, ${committed ? 'committed' : 'aborted'}`,
      async () => {
        await leftOpen(name, committed);
        const all = await Promise.allSettled(
          Array.from({ length: 12 }, async (_, n) => {
            await Bun.sleep(n * 3);
            return n % 2 === 0 ? epochsOf(name).next() : epochsOf(name).settle();
          }),
        );
        expect(all.filter(({ status }) => status === 'rejected')).toEqual([]);
        expect(await openIn(name)).toEqual([]);
        await (await epochsOf(name).next()).run([partOf(name)], null);
        await sees(name, seen);
      },
      BOUND_MS,
    );
  }

  test(
    'an offset takes the outcome as well',
    async () => {
      const id = slotId('moved', MOVED);
      const input = { group: 'moved', of: MOVED, token: 'first', nextOffset: 1 };
      await (await epochsOf('moved', id).next()).run([partOf('moved')], input);
      const stamp = await stampOf(id);
      await ended(stamp, 'moved', true);
      const { broker } = await cluster.coordinator('group', 'moved');
      const partitions = [{ partition: 0, offset: '2', metadata: 'second' }];
      await broker.txnOffsetCommit({
        ...stamp,
        groupId: 'moved',
        topics: [{ topic: 'moved.v1', partitions }],
      });
      expect(await offsetIsOpen(cluster, 'moved', MOVED)).toBe(true);
      expect(await committedOffset(cluster, 'moved', MOVED)).toMatchObject({ offset: 1, token: 'first' });
      await epochsOf('moved', id).next();
      expect(await offsetIsOpen(cluster, 'moved', MOVED)).toBe(false);
      expect(await committedOffset(cluster, 'moved', MOVED)).toMatchObject({ offset: 2, token: 'second' });
    },
    BOUND_MS,
  );

  test(
    'are ended for those who never come again; what is under way is left alone',
    async () => {
      const told: string[] = [];
      const note = (cause: string) => told.push(cause);
      const leftOvers = new LeftOvers({
        cluster,
        transactions: optionsOf('over'),
        periodMs: 1_000,
        told: note,
        note,
      });
      const running = await stampOf('writer/running');
      const broker = await begun(running, 'over');
      await produced(running, 'over');
      await leftOvers.look();
      await leftOvers.look();
      expect(told).toEqual([]);
      await broker.endTxn({ ...running, transactionResult: true });

      await leftOpen('over', true, 'writer/over');
      await leftOvers.look();
      expect(told).toEqual([]);
      await leftOvers.look();
      const said = /transaction of writer\/over and left out over\.v1\/0 from \d+ on/;
      expect(told).toEqual([expect.stringMatching(said)]);
      await sees('over', 2);
      // To end it would end somebody's producer.
      await leftOpen('over', true, 'somebody');
      await leftOvers.look();
      await leftOvers.look();
      expect(told).toHaveLength(1);
    },
    BOUND_MS,
  );

  test(
    'who only settles takes no epoch from who is at work',
    async () => {
      const made = await epochsOf('asked').next();
      expect(await epochsOf('asked').settle()).toBe(false);
      await made.run([partOf('asked')], null);
      expect(await epochsOf('asked').settle()).toBe(false);
      await made.run([partOf('asked')], null);
    },
    BOUND_MS,
  );

  test(
    'an epoch is not used any more once a connection has broken, be it an idle one',
    async () => {
      const made = await epochsOf('asked').next();
      expect(made.usable).toBe(true);
      proxy.cut();
      await until('it is noticed', async () => !made.usable);
      await expect(made.run([partOf('asked')], null)).rejects.toThrow('connection broke');
    },
    BOUND_MS,
  );

  test(
    'a broker of the list that hangs up at once ends no epoch',
    async () => {
      const deaf = createServer((socket) => socket.destroy());
      await new Promise<void>((done) => deaf.listen(0, '127.0.0.1', done));
      const address = deaf.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const mine = clusterAt(`127.0.0.1:${port}`, `127.0.0.1:${proxy.port}`);
      const made = await new Epochs(mine, 'asked', optionsOf('asked')).next();
      mine.stale();
      expect(await mine.partitions('asked.v1')).toBe(1);
      await made.run([partOf('asked')], null);
      expect(mine.breaks).toBe(0);
      mine.close();
      deaf.close();
    },
    BOUND_MS,
  );

  test('nothing is sent where nobody could say what is open', async () => {
    const since = { breaks: cluster.breaks, unseen: new Set(['asked.v1/0']) };
    const stamp = await stampOf('asked');
    const made = new Transactions(cluster, stamp, optionsOf('asked'), since);
    await expect(made.run([partOf('asked')], null)).rejects.toThrow('asked.v1/0 had no leader');
    expect(made.usable).toBe(false);
  });

  test(
    'a coordinator tells what is open until it has ended',
    async () => {
      const coordinator = await cluster.coordinator('transaction', 'asked');
      const asked = () => standingOf(coordinator, 'asked');
      const stamp = await stampOf('asked');
      const { producerId, producerEpoch } = stamp;
      const still = { producerId, producerEpoch, timeoutMs: 60_000, outcome: null, ending: false };
      expect(await asked()).toEqual({ ...still, ongoing: false, open: [] });
      await begun(stamp, 'asked');
      const open = [{ topic: 'asked.v1', partition: 0 }];
      expect(await asked()).toEqual({ ...still, ongoing: true, open });
      await (await epochsOf('asked').next()).run([partOf('asked')], null);
      await until('it has ended', async () => (await asked())?.outcome === 'committed');
      expect(await standingOf(coordinator, 'nobody at all')).toBeNull();
    },
    BOUND_MS,
  );

  test(
    'a coordinator that does not know what is open is seen not to',
    async () => {
      await begun(await stampOf('gone'), 'gone');
      const coordinator = await cluster.coordinator('transaction', 'gone');
      const standing = await standingOf(coordinator, 'gone');
      if (standing === null) throw new Error('it cannot be asked');
      expect(await knowsAll(coordinator, standing)).toBe(true);
      const words = ['--bootstrap-server', server.brokers, '--delete', '--topic', 'gone.v1'];
      await server.tool('TopicCommand', words);
      await until('it is gone', async () => !(await knowsAll(coordinator, standing)));
      // It might be a broker that does not know it yet: waited for once.
      const looks = looksAt('gone.v1');
      expect(await looks.now()).toEqual({ records: [], unseen: new Set() });
      const fromMs = performance.now();
      await looks.now();
      expect(performance.now() - fromMs).toBeLessThan(10_000);
    },
    BOUND_MS,
  );
});
