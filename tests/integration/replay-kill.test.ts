// A replay killed by SIGKILL at twenty random points and taken up again each time: the rows, the topics and
// the books are those of a replay that nobody touched.

import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBench } from '../support/bench.ts';
import { countOf, goldFingerprints } from '../support/gold.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { recording } from '../support/recordings.ts';
import { killAt, recordsOnLog, replay, startReplay, summaryOf } from '../support/replay.ts';
import { type Allowed, readTopics, topicFaults } from '../support/topics.ts';

const MINUTES = 60_000;
const files = ['20190301_20190401', '13_35_13', 'lmp1Day', '20240418'].map(recording);
const root = mkdtempSync(join(tmpdir(), 'carbon-kill-'));
const random = randomOf(seedOf('replay-kill'));

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Everything that must not depend on how often it was killed. */
async function outcome(dir: string, allowed: Allowed) {
  const bench = await openBench({ dir });
  try {
    const topics = await readTopics(bench.log);
    const { checks } = await bench.conservation();
    return {
      gold: await goldFingerprints(bench.clickhouse),
      bronze: await countOf(bench.clickhouse, 'bronze_raw_market_data'),
      silver: await countOf(bench.clickhouse, 'silver_normalized_market_data'),
      enriched: await countOf(bench.clickhouse, 'gold_enriched_market_data'),
      scores: await countOf(bench.clickhouse, 'gold_data_quality_scores'),
      raw: topics.raw.map(({ value }) => value.event_id).sort(),
      faults: topicFaults(topics, allowed),
      off: checks.filter((each) => each.off !== 0),
    };
  } finally {
    await bench.close();
  }
}

interface Plan {
  readonly name: string;
  readonly files: readonly string[];
  readonly kills: number;
  /** Kills come within this share of the records of an untouched replay. */
  readonly within: number;
  readonly allowed: Allowed;
}

async function killedAndResumed({ name, files, kills, within, allowed }: Plan): Promise<void> {
  const whole = join(root, name, 'whole');
  expect((await replay(...files, '--data', whole)).code).toBe(0);
  const total = recordsOnLog(whole);
  const drawn = Array.from({ length: kills }, () => Math.ceil(random() * within * total));
  const points = drawn.sort((a, b) => a - b);
  console.log(`killed at ${points.join(', ')} of ${total} records`);

  const killed = join(root, name, 'killed');
  for (const point of points) {
    const child = startReplay({}, ...files, '--data', killed);
    if (await killAt(child, killed, point)) continue;
    expect(await child.stderr()).toContain('it ended by itself, and too early');
  }
  const last = await replay(...files, '--data', killed, '--json');
  expect(summaryOf(last).conservation?.checks.filter((each) => each.off !== 0)).toEqual([]);
  expect(last.code).toBe(0);

  const [untouched, survived] = [await outcome(whole, allowed), await outcome(killed, allowed)];
  expect(untouched.faults).toEqual([]);
  expect(untouched.off).toEqual([]);
  expect(survived).toEqual(untouched);
}

test(
  'twenty kills change nothing',
  () => killedAndResumed({ name: 'ordinary', files, kills: 20, within: 0.95, allowed: {} }),
  4 * MINUTES,
);

test(
  'nor do kills while days that are long past are rebuilt',
  () => {
    const months = ['20190301_20190401', '20190201_20190301'].map(recording);
    const allowed = { rebuilt: true };
    return killedAndResumed({ name: 'rebuilt', files: months, kills: 6, within: 0.8, allowed });
  },
  4 * MINUTES,
);
