// Several workers in one process over the embedded log: gold is that of one thread, each fact stands once and
// in order, every partition of enrichment and aggregation lives in one worker, the whole answers from one
// place, and workers that are ended again and again change nothing but the time it takes.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TreeNode } from '../../runtime/views.ts';
import { wholeOf } from '../../runtime/whole.ts';
import { openBench } from '../support/bench.ts';
import { goldFingerprints } from '../support/gold.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { recording, responseOf } from '../support/recordings.ts';
import { openThreads, type Threads } from '../support/threads.ts';
import { readTopics, topicFaults } from '../support/topics.ts';
import { until } from '../support/until.ts';

const MINUTES = 60_000;
const FILES = ['20240418', 'lmp1Day', 'lmp5Min'];
const ENDS = Number(process.env.WORKER_ENDS ?? '3');
const dir = mkdtempSync(join(tmpdir(), 'carbon-workers-'));
const responses = () => FILES.map((name) => responseOf(recording(name)));

async function judged({ launched }: Threads) {
  const { checks } = await launched.pipeline.conservation();
  return {
    gold: await goldFingerprints(launched.database.clickhouse),
    off: checks.filter((each) => each.off !== 0),
    faults: topicFaults(await readTopics(launched.log)),
  };
}

function leaves(node: TreeNode, kind: TreeNode['kind']): TreeNode[] {
  return [...(node.kind === kind ? [node] : []), ...node.nodes.flatMap((each) => leaves(each, kind))];
}

describe('workers of one process', () => {
  let expected: Awaited<ReturnType<typeof judged>>;
  let instruments: readonly string[] = [];

  beforeAll(async () => {
    const bench = await openBench({ dir: join(dir, 'one') });
    await bench.feed(responses());
    expected = { gold: await goldFingerprints(bench.clickhouse), off: [], faults: [] };
    instruments = [...bench.pipeline.platform.directory.all().keys()].sort();
    await bench.close();
  }, 3 * MINUTES);

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test(
    'give what one gives, and are seen as one',
    async () => {
      const threads = await openThreads(join(dir, 'three'), 3);
      try {
        await threads.feed(responses());
        expect(await judged(threads)).toEqual(expected);
        const { workers } = threads.launched;
        const whole = wholeOf(() => workers.places());
        const { of: tree, missing } = await whole.tree();
        expect(missing).toEqual([]);
        const routers = leaves(tree, 'router');
        const placeOf = (name: string) => routers.find(({ path }) => path.endsWith(name))?.place;
        for (const { path, place } of routers) {
          const [, partition = ''] = /normalized\.market\.ticks\.v1-(\d+)$/.exec(path) ?? [];
          if (partition === '') continue;
          expect(placeOf(`enriched.market.ticks.v1-${partition}`)).toBe(place);
        }
        expect(new Set(routers.map(({ place }) => place))).toEqual(new Set(['w2', 'w3']));
        const elsewhere: string[] = [];
        for (const market of (await whole.markets()).of) {
          for (let after: string | null = null; ; ) {
            const { of: page } = await whole.market(market, 40, after);
            elsewhere.push(...(page?.rows ?? []).map((row) => row.instrument_id));
            after = page?.next ?? null;
            if (after === null) break;
          }
        }
        const here = [...threads.launched.pipeline.platform.directory.all().keys()];
        expect([...here, ...elsewhere].sort()).toEqual([...instruments]);
        expect(workers.info().every((each) => Number(each.heap_bytes) > 1_000_000)).toBe(true);
      } finally {
        await threads.stop();
      }
    },
    3 * MINUTES,
  );

  test(
    `ended ${ENDS} times under load, end as if nothing had happened`,
    async () => {
      const random = randomOf(seedOf('worker-ends'));
      const threads = await openThreads(join(dir, 'ended'), 3);
      const { workers, pipeline } = threads.launched;
      try {
        let fed = false;
        const feeding = threads.feed(responses()).finally(() => {
          fed = true;
        });
        for (let n = 0; n < ENDS && !fed; n += 1) {
          const from = pipeline.meter.ticks;
          const goal = from + Math.floor(random() * 80);
          await until('some more ticks', () => fed || pipeline.meter.ticks >= goal, MINUTES);
          const name = random() < 0.5 ? 'w2' : 'w3';
          const runs = () =>
            workers.info().some(({ worker, state }) => worker === name && state === 'running');
          // One that is being started again cannot be ended.
          await until(`${name} runs`, runs, MINUTES);
          workers.end(name, 'the test ends it');
          const restarted = () => threads.events.filter(({ kind }) => kind === 'restart').length > n;
          await until('it is started again', restarted, MINUTES);
        }
        await feeding;
        const ended = threads.events.filter(({ kind }) => kind === 'restart').length;
        console.log(`${ended} workers ended`);
        expect(ended).toBeGreaterThanOrEqual(2);
        await until('all run', () => workers.info().every(({ state }) => state === 'running'), MINUTES);
        expect(await judged(threads)).toEqual(expected);
      } finally {
        await threads.stop();
      }
    },
    4 * MINUTES,
  );
});
