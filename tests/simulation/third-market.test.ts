// A third market, which lives under tests/support/third-market/ alone: registered by one value and configured
// by its section of connectors.yaml, it is followed live, normalized, and folded into bars, over a day of 25
// hours. Nothing else of the program names a market.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ALL, registered } from '../../actors/feeds/markets.ts';
import { loadConfig } from '../../configs/load.ts';
import { completenessView } from '../../runtime/live/completeness-view.ts';
import { connectorPlans } from '../../runtime/live/settings.ts';
import { stageOptions } from '../../runtime/options.ts';
import { TOPIC, topicSpecs } from '../../runtime/services.ts';
import { configDir, SHIPPED } from '../support/config-dir.ts';
import type { Answer } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { isle } from '../support/third-market/isle.ts';
import { goldOf, PARTITIONS } from './live-gold.ts';
import { liveProcess } from './live-process.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

setDefaultTimeout(120_000);

const ROOT = resolve(import.meta.dir, '../..');
const HALF_HOUR = 1_800_000;
const HOUR = 2 * HALF_HOUR;
const DAY = 24 * HOUR;
const START = Date.parse('2026-10-26T12:00:00Z');
/** In the Azores the clock goes back on the 25th: midnight is 00:00Z before, 01:00Z after. */
const DAYS = [
  { date: '2026-10-24', from: Date.parse('2026-10-24T00:00:00Z'), hours: 24 },
  { date: '2026-10-25', from: Date.parse('2026-10-25T00:00:00Z'), hours: 25 },
  { date: '2026-10-26', from: Date.parse('2026-10-26T01:00:00Z'), hours: 24 },
] as const;
const NODES = ['NORTE', 'SUL'];
const HOLE = { node: 'SUL', at: Date.parse('2026-10-25T13:30:00Z') };
const CORRECTED = {
  node: 'NORTE',
  at: Date.parse('2026-10-26T05:30:00Z'),
  cents: 99_900,
  outMs: START + DAY,
};

/** The last word of the island on an interval, in cents; null: it has none. */
function cents(node: string, at: number, nowMs: number): number | null {
  if (node === HOLE.node && at === HOLE.at) return null;
  if (node === CORRECTED.node && at === CORRECTED.at && nowMs >= CORRECTED.outMs) return CORRECTED.cents;
  return (Bun.hash.xxHash32(`${node}|${at}`) % 10_000) - 2_000;
}

function island(url: URL, nowMs: number): Answer {
  const day = DAYS.find(({ date }) => url.pathname === `/prices/spot-${date}.txt`);
  if (day === undefined || nowMs < day.from + day.hours * HOUR) {
    return { status: 404, headers: { 'content-type': 'text/plain' }, body: new Uint8Array() };
  }
  const lines = NODES.flatMap((node) =>
    Array.from({ length: 2 * day.hours }, (_, n) => {
      const at = day.from + n * HALF_HOUR;
      const price = cents(node, at, nowMs);
      return price === null
        ? []
        : `${new Date(at).toISOString().slice(0, 19)}Z;${node};${(price / 100).toFixed(2)}`;
    }).flat(),
  );
  const body = new TextEncoder().encode(['ISLE SPOT PRICES', ...lines, 'END', ''].join('\n'));
  return { status: 200, headers: { 'content-type': 'text/plain' }, body };
}

function product() {
  const known = registered([...ALL, isle]);
  const shipped = readFileSync(join(SHIPPED, 'connectors.yaml'), 'utf8');
  const section = readFileSync(join(ROOT, 'tests/support/third-market/isle.yaml'), 'utf8');
  using dir = configDir(SHIPPED, { connectors: `${shipped}${section}` });
  const loaded = loadConfig({ CONFIG_DIR: dir.path, CONNECTORS: 'isle' }, known.markets);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.findings));
  const { config } = loaded;
  const { plans, findings } = connectorPlans(config.connectors, config.environment.connectors, known);
  expect(findings).toEqual([]);
  return { config, known, plans, stages: stageOptions(config, known.markets) };
}

test('a third market is its files, its YAML and one registration', async () => {
  const { plans, ...of } = product();
  const world = new World(seedOf('third market'), START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO', 'ISLE'], PARTITIONS, DAY))
    store.topics.set(spec.name, spec);
  const live = { world, store, dir: temporaryDirs('carbon-isle')(), registry: of.known, answer: island };
  const process = await liveProcess(live, plans);
  while (world.clock.nowMs() < START + 4 * DAY) if (!(await world.step())) break;
  process.vanish();

  const views = DAYS.map(({ date }) =>
    completenessView(process.connectors, 'ISLE', date, world.clock.nowMs()),
  );
  const told = views.flatMap((view) => (Array.isArray(view?.runs) ? view.runs : []));
  expect(told.map(({ run, summary, gaps }) => [run, summary, gaps])).toEqual([
    ['SPOT30', '96 of 96', []],
    [
      'SPOT30',
      '99 of 100',
      [
        {
          location: 'SUL',
          from: '2026-10-25T13:30:00.000Z',
          to: '2026-10-25T14:00:00.000Z',
          market_from: '2026-10-25T12:30:00-01:00',
          market_to: '2026-10-25T13:00:00-01:00',
          intervals: 1,
        },
      ],
    ],
    ['SPOT30', '96 of 96', []],
  ]);

  const { clickhouse } = await goldOf(live, of);
  const lengths = [...clickhouse.table(TOPIC.ticks).values()].map(
    (tick) => Number(tick.interval_end) - Number(tick.interval_start),
  );
  expect(new Set(lengths)).toEqual(new Set([HALF_HOUR * 1_000]));
  const bars = [...clickhouse.table(TOPIC.bars).values()].map(
    ({ bar_size, delivery_location, bar_start, ...bar }) => [
      `${bar_size} ${delivery_location} ${new Date(Number(bar_start) / 1_000).toISOString()}`,
      [bar.open_price, bar.close_price, bar.trade_count, bar.expected_count],
    ],
  );
  expect(Object.fromEntries(bars)).toEqual(expectedBars());
});

/** By hand: the last price of each hour and day, how many there are and should be. */
function expectedBars(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const node of NODES) {
    for (const { from, hours } of DAYS) {
      const add = (size: string, startMs: number, halves: number): void => {
        const prices = Array.from({ length: halves }, (_, n) =>
          cents(node, startMs + n * HALF_HOUR, START + 4 * DAY),
        ).filter((each) => each !== null);
        found[`${size} ${node} ${new Date(startMs).toISOString()}`] = [
          (prices[0] ?? 0) / 100,
          (prices.at(-1) ?? 0) / 100,
          prices.length,
          halves,
        ];
      };
      add('1D', from, 2 * hours);
      for (let hour = 0; hour < hours; hour += 1) add('1H', from + hour * HOUR, 2);
    }
  }
  return found;
}

test('no code but that of the feeds names a market', () => {
  const naming = ['actors', 'runtime', 'sinks', 'configs'].flatMap((top) =>
    readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.startsWith('feeds/'))
      .filter((path) =>
        /['"`](CAISO|MISO)\b/.test(withoutComments(readFileSync(join(ROOT, top, path), 'utf8'))),
      )
      .map((path) => `${top}/${path}`),
  );
  expect(naming).toEqual([]);
});

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}
