// The same recordings by other ways: again, backwards, shuffled, in batches of one, seven and five thousand,
// all files at once. Gold is a function of the set of versions, so every way ends at equal rows with equal
// revisions, and they are the oracle's.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Response } from '../../actors/feeds/feed.ts';
import { addLedgers, EMPTY_LEDGER, type Ledger } from '../../actors/ledger.ts';
import type { Pipeline } from '../../runtime/pipeline.ts';
import type { OracleBar } from '../oracle/bars.ts';
import { observe } from '../oracle/observe.ts';
import { readRecording } from '../oracle/read.ts';
import { barDifferences } from '../support/against-oracle.ts';
import { type Bench, type BenchOptions, openBench } from '../support/bench.ts';
import { type GoldTable, goldFingerprints, rowsOf } from '../support/gold.ts';
import { randomOf, seedOf, shuffled } from '../support/random.ts';
import { recording, responseOf, textResponse } from '../support/recordings.ts';
import { readTopics, topicFaults } from '../support/topics.ts';

const MINUTES = 60_000;
/** Two months that follow each other, so that backwards the earlier one is long past what stays open. */
const paths = [
  '20190201_20190301',
  '20190301_20190401',
  'lmp1Day',
  'lmp1Hour',
  '13_35_13',
  '20261001_GetRealTime',
  'GetExAnteLmp',
  '20240418',
].map(recording);
const small = ['lmp1Hour', 'lmp5Min', 'GetExAnteLmp'].map(recording);
const seven = ['lmp1Day', 'lmp1Hour', '20240418', '20261001_GetRealTime'].map(recording);
const responses = paths.map(responseOf);
const root = mkdtempSync(join(tmpdir(), 'carbon-order-'));
const random = randomOf(seedOf('pipeline-order'));

const reorder = <T>(of: readonly T[]): T[] => shuffled(of, random);

type Prints = Readonly<Record<GoldTable, string>>;

let runs = 0;

/** Feeds in a fresh directory; gives what stands in gold after checking what must hold anyway. */
async function run(
  options: Omit<BenchOptions, 'dir'> & { readonly repeated?: boolean },
  feed: (bench: Bench) => Promise<unknown>,
  inspect: (bench: Bench) => Promise<void> = async () => {},
): Promise<Prints> {
  runs += 1;
  const bench = await openBench({ dir: join(root, String(runs)), ...options });
  try {
    await feed(bench);
    const { checks } = await bench.conservation();
    expect(checks.filter((each) => each.off !== 0)).toEqual([]);
    const rebuilt = (await (await total(bench.pipeline, 'aggregation-rebuilder')).read) > 0;
    expect(
      topicFaults(await readTopics(bench.log), { rebuilt, repeated: options.repeated === true }),
    ).toEqual([]);
    await inspect(bench);
    return await goldFingerprints(bench.clickhouse);
  } finally {
    await bench.close();
  }
}

/** The same rows in another response: its hash is new, its versions are not. */
function reworded({ name, bytes }: Response): Response | null {
  if (!/\.(csv|json)$/.test(name)) return null;
  return textResponse(name, `${new TextDecoder().decode(bytes)}\n`);
}

let reference: Prints;

beforeAll(async () => {
  reference = await run(
    {},
    (bench) => bench.feed(responses),
    async (bench) => {
      const rows = rowsOf<OracleBar>(bench.clickhouse, 'gold_ohlc_bars');
      expect(await barDifferences(rows, observe(paths.flatMap(readRecording)))).toEqual([]);
    },
  );
}, MINUTES);

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('equal rows and revisions', () => {
  test(
    'when everything is fed twice, as known responses and as repeated versions',
    async () => {
      const again = responses.map(reworded).filter((each) => each !== null);
      const found = await run(
        { repeated: true },
        async (bench) => {
          await bench.feed(responses);
          await bench.feed(responses);
          await bench.feed(again);
        },
        async ({ pipeline }) => {
          const { first, revision, duplicate, forwarded } = await total(pipeline, 'aggregation-service');
          // Twelve are in the recordings themselves: an hour that a day repeats.
          expect(first + revision).toBe(ticksOf(responses) - 12);
          expect(duplicate + forwarded).toBe(ticksOf(again) + 12);
          expect(duplicate).toBeGreaterThan(1_000);
        },
      );
      expect(found).toEqual(reference);
    },
    MINUTES,
  );

  test(
    'when the files come backwards',
    async () => {
      const found = await run(
        {},
        (bench) => bench.feed(responses.toReversed()),
        async ({ pipeline }) => {
          expect(await (await total(pipeline, 'aggregation-rebuilder')).read).toBeGreaterThan(1_000);
        },
      );
      expect(found).toEqual(reference);
    },
    MINUTES,
  );

  test(
    'when files and records are shuffled',
    async () => {
      const options = { reorder, chunkMax: 100 };
      const found = await run(options, (bench) => bench.feed(shuffled(responses, random)));
      expect(found).toEqual(reference);
    },
    MINUTES,
  );

  test(
    'when all files are fed at once',
    async () => {
      const found = await run({}, (bench) => bench.feed(...responses.map((each) => [each])));
      expect(found).toEqual(reference);
    },
    MINUTES,
  );

  test(
    'when batches hold seven',
    async () => {
      const few = seven.map(responseOf);
      const whole = await run({}, (bench) => bench.feed(few));
      expect(await run({ batchMax: 7 }, (bench) => bench.feed(few))).toEqual(whole);
      const apart = { batchMax: 7, chunkMax: 7, reorder };
      expect(await run(apart, (bench) => bench.feed(few.toReversed()))).toEqual(whole);
    },
    MINUTES,
  );

  test(
    'when every batch and every insert holds one record',
    async () => {
      const few = small.map(responseOf);
      const whole = await run({ batchMax: 5_000 }, (bench) => bench.feed(few));
      const cut = await run({ batchMax: 1, sinkMax: 1, chunkMax: 1 }, (bench) => bench.feed(few));
      expect(cut).toEqual(whole);
    },
    MINUTES,
  );
});

async function total(
  pipeline: Pipeline,
  group: 'aggregation-service' | 'aggregation-rebuilder',
): Promise<Ledger> {
  return [...(await pipeline.ledger(group)).values()].reduce(addLedgers, EMPTY_LEDGER);
}

function ticksOf(of: readonly Response[]): number {
  const names = new Set(of.map((each) => each.name));
  return paths.filter((path) => names.has(path.slice(path.lastIndexOf('/') + 1))).flatMap(readRecording)
    .length;
}
