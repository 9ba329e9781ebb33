// What happens to brokers, and to the way to them: nodes of three are killed, now the leader of a partition,
// now the coordinator of a group; a single one is killed and started again; and a proxy delays answers, cuts
// connections, and leaves them half open.

import { Kafka, logLevel } from 'kafkajs';
import { SERVICES, TOPIC } from '../../runtime/services.ts';
import type { KafkaServer } from '../support/kafka.ts';
import type { Api, Fault } from '../support/kafka-proxy.ts';
import type { Bed } from './bed.ts';
import type { Tally } from './tally.ts';

/** Of the test cluster. */
const OFFSETS_PARTITIONS = 5;
const MET_MS_MAX = 15_000;
const SKIPPED_MAX = 10;
const ASKED: readonly Api[] = [
  ...(['Produce', 'Fetch', 'Metadata', 'JoinGroup', 'Heartbeat', 'SyncGroup', 'OffsetFetch'] as const),
  ...(['FindCoordinator', 'InitProducerId', 'AddPartitionsToTxn', 'TxnOffsetCommit', 'EndTxn'] as const),
];
const WAYS: Readonly<Record<string, Fault | null>> = { delayed: 'late', cut: null, 'half open': 'silent' };

/** Index of the node that leads a partition now. */
async function leaderOf(server: KafkaServer, topic: string, partition: number): Promise<number> {
  const admin = new Kafka({ brokers: server.brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    return Math.max(1, found?.leader ?? 1) - 1;
  } finally {
    await admin.disconnect();
  }
}

/** Where a group's coordinator keeps it: Java's hash of its name. */
function placeOf(group: string): number {
  let hash = 0;
  for (let n = 0; n < group.length; n += 1) hash = (Math.imul(hash, 31) + group.charCodeAt(n)) | 0;
  return (hash & 0x7fff_ffff) % OFFSETS_PARTITIONS;
}

export async function brokersKilled(bed: Bed, count: number, tally: Tally): Promise<void> {
  const { server } = bed;
  const others = bed.others();
  await bed.feed();
  await others.join(1);
  for (let n = 0; n < count; n += 1) {
    await bed.progress('before a broker is killed');
    const group = SERVICES[n % SERVICES.length]?.group ?? '';
    const [what, at] =
      n % 2 === 0
        ? ['leader', await leaderOf(server, TOPIC.ticks, n % 8)]
        : ['coordinator', await leaderOf(server, '__consumer_offsets', placeOf(group))];
    await server.nodes[at]?.kill();
    await bed.progress(`with node ${at + 1}, a ${what}, down`);
    await server.nodes[at]?.start();
    await bed.progress('with it back');
    tally.count(`${what}s`);
    tally.happened('SIGKILLs of a broker of three');
  }
  await others.end();
}

export async function singleRestarted(bed: Bed, count: number, tally: Tally): Promise<void> {
  const others = bed.others();
  await bed.feed();
  await others.join(1);
  const [node] = bed.server.nodes;
  for (let n = 0; n < count; n += 1) {
    await bed.progress('before the broker is killed');
    await node?.kill();
    await node?.start();
    tally.happened('restarts of a single broker');
  }
  await bed.progress('after the last restart');
  await others.end();
}

export async function proxied(bed: Bed, count: number, tally: Tally): Promise<void> {
  const { kafkaProxy, draw } = bed;
  const others = bed.others();
  await bed.feed();
  await others.join(1);
  await others.join(1);
  const ways = Object.entries(WAYS);
  for (let n = 0; n < count; ) {
    const [way, fault] = ways[n % ways.length] ?? ['cut', null];
    const api = ASKED[Math.floor(draw() * ASKED.length)] ?? 'Fetch';
    if (fault === null) kafkaProxy.cut();
    else {
      const struck = new Promise<boolean>((done) => {
        kafkaProxy.struck = () => done(true);
      });
      kafkaProxy.arm(api, fault, 1, Math.floor(draw() * SKIPPED_MAX));
      const met = await Promise.race([struck, Bun.sleep(MET_MS_MAX)]);
      kafkaProxy.calm();
      // Some are asked so seldom that nobody came by.
      if (met !== true) continue;
    }
    await bed.progress(`after a connection was ${way}`);
    tally.count(way);
    tally.happened('troubles on the way to a broker');
    n += 1;
  }
  await others.end();
}
