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
import { readTopics, topicFaults } from '../support/topics.ts';

const KILLS = 20;
const MINUTES = 60_000;
const files = ['20190301_20190401', '13_35_13', 'lmp1Day', '20240418'].map(recording);
const root = mkdtempSync(join(tmpdir(), 'carbon-kill-'));
const random = randomOf(seedOf('replay-kill'));

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Everything that must not depend on how often it was killed. */
async function outcome(dir: string) {
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
      faults: topicFaults(topics),
      off: checks.filter((each) => each.off !== 0),
    };
  } finally {
    await bench.close();
  }
}

test(
  `${KILLS} kills change nothing`,
  async () => {
    const whole = join(root, 'whole');
    expect((await replay(...files, '--data', whole)).code).toBe(0);
    const total = recordsOnLog(whole);
    const points = Array.from({ length: KILLS }, () => Math.floor(random() * 0.95 * total)).sort(
      (a, b) => a - b,
    );
    console.log(`killed at ${points.join(', ')} of ${total} records`);

    const killed = join(root, 'killed');
    let kills = 0;
    for (const point of points) {
      const child = startReplay({}, ...files, '--data', killed);
      if (await killAt(child, killed, Math.max(1, point))) kills += 1;
      else expect(await child.stderr()).toContain('it ended by itself, and too early');
    }
    expect(kills).toBe(KILLS);
    const last = await replay(...files, '--data', killed, '--json');
    expect(summaryOf(last).conservation?.checks.filter((each) => each.off !== 0)).toEqual([]);
    expect(last.code).toBe(0);

    const [untouched, survived] = [await outcome(whole), await outcome(killed)];
    expect(untouched.faults).toEqual([]);
    expect(untouched.off).toEqual([]);
    expect(survived).toEqual(untouched);
  },
  4 * MINUTES,
);
