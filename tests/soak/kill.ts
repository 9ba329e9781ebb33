// SIGKILL of the process that does everything, connectors included, at points that are drawn: in the moment
// in which a request of a transaction is about to arrive at the broker, or was carried out and its answer is
// on the way; in the same moments of an insert; while it starts, joins and restores; or at any time.

import type { Api } from '../support/kafka-proxy.ts';
import type { Bed } from './bed.ts';
import type { Tally } from './tally.ts';

const START_MS_MAX = 3_000;
const ANY_MS_MAX = 2_000;
/** A point that is not met in this time is not waited for. */
const POINT_MS_MAX = 30_000;
const SKIPPED_MAX = 30;
/** What a batch asks of the brokers, in its order. */
const IN_TRANSACTION: readonly Api[] = [
  'AddPartitionsToTxn',
  'Produce',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
  'EndTxn',
];
const IN_RESTORE: readonly Api[] = ['JoinGroup', 'SyncGroup', 'InitProducerId', 'OffsetFetch', 'Fetch'];

type Point = 'transaction' | 'insert' | 'start' | 'restore' | 'any';
const POINTS: readonly Point[] = [
  'transaction',
  'transaction',
  'transaction',
  'insert',
  'start',
  'restore',
  'any',
];

function pick<T>(of: readonly T[], draw: () => number): T {
  const found = of[Math.floor(draw() * of.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

/** Arms the proxies so that `strike` is called at the point. */
function arm({ kafkaProxy, clickhouseProxy, draw }: Bed, point: Point, strike: () => void): void {
  const requests = (apis: readonly Api[], skip: number): void => {
    kafkaProxy.struck = strike;
    kafkaProxy.arm(pick(apis, draw), draw() < 0.5 ? 'before' : 'after', 1, Math.floor(draw() * skip));
  };
  if (point === 'transaction') return requests(IN_TRANSACTION, SKIPPED_MAX);
  if (point === 'restore') return requests(IN_RESTORE, 6);
  if (point === 'insert') {
    clickhouseProxy.struck = strike;
    return clickhouseProxy.turn(draw() < 0.5 ? 'tear' : 'lose');
  }
  setTimeout(strike, draw() * (point === 'start' ? START_MS_MAX : ANY_MS_MAX));
}

function calm({ kafkaProxy, clickhouseProxy }: Bed): void {
  kafkaProxy.calm();
  kafkaProxy.struck = () => {};
  clickhouseProxy.struck = () => {};
  clickhouseProxy.turn('pass');
}

/** One kill after another, until there were so many. */
export async function killed(bed: Bed, count: number, tally: Tally): Promise<void> {
  const { draw } = bed;
  const others = bed.others();
  try {
    for (let n = 0; n < count; n += 1) {
      const point = pick(POINTS, draw);
      const struck = Promise.withResolvers<void>();
      if (point === 'start' || point === 'restore') arm(bed, point, struck.resolve);
      const joined = others.join(1, bed.market.file, 'w').catch(() => {});
      if (point !== 'start' && point !== 'restore') {
        await joined;
        await bed.progress('before a kill');
        arm(bed, point, struck.resolve);
      }
      const met = await Promise.race([struck.promise.then(() => true), Bun.sleep(POINT_MS_MAX)]);
      await others.kill();
      calm(bed);
      await joined;
      tally.count(`in ${met === true ? point : 'any'}`);
      tally.happened('SIGKILLs');
    }
  } finally {
    calm(bed);
  }
}
