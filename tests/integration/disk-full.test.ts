// A full disk under a working group: routers back off and say why, nothing is lost or doubled, and when
// there is room the group goes on by itself.

import { expect, test } from 'bun:test';
import type { Batch } from '../../actors/batch.ts';
import { openEmbeddedLog } from '../../runtime/log/embedded.ts';
import { LogFault } from '../../runtime/log/log-fault.ts';
import { everything } from '../conformance/log-reader.ts';
import { spec } from '../conformance/log-rig.ts';
import { DEAD_LETTERS, OUTPUT, oneGroup } from '../support/one-group.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const newDir = temporaryDirs('carbon-full');
const RECORDS = 300;

/** Text that does not compress. */
const noise = (seed: number): string => {
  const words = Array.from({ length: 60 }, (_, n) => Bun.hash(`${seed}/${n}`).toString(36));
  return `${seed} ${words.join('')}`;
};

function copied(batch: Batch) {
  const emissions = Array.from({ length: batch.count }, (_, n) => ({
    to: 'ticks' as const,
    key: batch.key(n),
    value: new TextDecoder().decode(batch.value(n)),
  }));
  return { emissions, refused: [] };
}

test('a group waits for room and then finishes, each record once', async () => {
  const now = { ms: 1_000 };
  const log = openEmbeddedLog({ dir: newDir(), nowMs: () => now.ms, bytesMax: 1_200_000 });
  await log.bootstrap([
    spec('input', 2),
    { ...spec('ballast', 1), retentionMs: 100 },
    ...[OUTPUT, DEAD_LETTERS, 'copy.parked'].map((name) => spec(name, 2)),
  ]);
  const sent = Array.from({ length: RECORDS }, (_, n) => ({
    topic: 'input',
    key: `k${n % 7}`,
    value: noise(n),
  }));
  await log.append('w', sent, []);
  const ballast = (records: number) =>
    Array.from({ length: records }, (_, n) => ({ topic: 'ballast', key: 'k', value: noise(n + 1_000) }));
  for (const records of [50, 5, 1]) await fill(() => log.append('w', ballast(records), []));

  const said: string[] = [];
  const group = oneGroup(log, {
    group: 'copy',
    topics: ['input'],
    work: { kind: 'direct', fold: copied },
    deferred: null,
    said: (cause) => said.push(cause),
  });
  const joined = group.join();
  await until('the routers to say it', () => said.some((cause) => cause.includes('full')));
  expect(await log.health()).toContain('full');
  expect(await outputs()).toEqual([]);
  expect((await log.lag('copy')).reduce((sum, each) => sum + each.lag, 0)).toBe(RECORDS);

  now.ms = 5_000;
  await log.retain(now.ms);
  await joined;
  await until('everything to be copied', async () => (await outputs()).length >= RECORDS);
  expect((await outputs()).sort()).toEqual(sent.map(({ value }) => value).sort());
  expect(await log.health()).toBeNull();
  expect(said.some((cause) => /tr(y|ies) had failed/.test(cause))).toBe(true);
  expect(said.filter((cause) => cause.startsWith('exhausted'))).toEqual([]);
  await group.drain();
  await log.close();

  async function outputs(): Promise<string[]> {
    const found = await Promise.all([0, 1].map((partition) => everything(log, { topic: OUTPUT, partition })));
    return found.flat().map(({ value }) => value);
  }
}, 60_000);

async function fill(append: () => Promise<void>): Promise<void> {
  try {
    for (;;) await append();
  } catch (error) {
    if (!(error instanceof LogFault) || error.code !== 'log_disk_full') throw error;
  }
}
