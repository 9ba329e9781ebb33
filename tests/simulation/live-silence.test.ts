// A live feed that falls silent, in some hours of CAISO's 15-minute market: the operator answers, and not
// with what should be out. The connector's health says so, since when and of which feed, and stops saying so
// when prices come again. Ticks that wait for a pipeline that is away are stale when it assesses them, and
// those after it are not.

import { expect, test } from 'bun:test';
import { caiso } from '../../actors/feeds/caiso.ts';
import { findFeed, markets, sources } from '../../actors/feeds/markets.ts';
import { causeOf, connectorView, healthOf } from '../../runtime/live/views.ts';
import { TOPIC, topicSpecs } from '../../runtime/services.ts';
import { prepare } from '../../runtime/startup.ts';
import { Oasis } from '../support/operators/oasis.ts';
import { seedOf } from '../support/random.ts';
import { temporaryDirs } from '../support/temporary.ts';
import { PARTITIONS, pipelineOver } from './live-gold.ts';
import { DAY, HOUR, PLAN } from './live-month.ts';
import { kept, liveProcess } from './live-process.ts';
import type { Row } from './simulated-clickhouse.ts';
import type { Waiter } from './simulated-log.ts';
import { SimulatedStore } from './simulated-store.ts';
import { World } from './world.ts';

const MINUTE = 60_000;
const NODE = 'TH_SP15_GEN-APND';
const START = Date.parse('2026-10-20T18:02:00Z');
/** Prices of these intervals come all at once when it is over. */
const SILENT = { fromMs: START + 2 * HOUR - 2 * MINUTE, untilMs: START + 4 * HOUR - 2 * MINUTE };

/** RTPD is out when its interval begins. */
function outMs(startMs: number): number {
  return startMs >= SILENT.fromMs && startMs < SILENT.untilMs ? SILENT.untilMs + MINUTE : startMs - MINUTE;
}

function setting() {
  const source = sources.find((each) => each.name === 'caiso.rtpd');
  if (source === undefined) throw new Error('no source');
  const world = new World(seedOf('live silence'), START);
  const store = new SimulatedStore(0);
  for (const spec of topicSpecs(['CAISO', 'MISO'], PARTITIONS, DAY)) store.topics.set(spec.name, spec);
  const oasis = new Oasis({
    versions: (_run, _node, startMs) => [{ outMs: outMs(startMs), cents: 2_000 + ((startMs / MINUTE) % 60) }],
  });
  const of = {
    world,
    store,
    waiters: new Set<Waiter>(),
    dir: temporaryDirs('carbon-silence')(),
    registry: { markets, sources, findFeed },
    answer: (url: URL, nowMs: number) => oasis.answer(url, nowMs),
  };
  const plan = {
    ...PLAN,
    name: 'caiso',
    market: caiso,
    bases: { oasis: 'https://oasis.example/oasisapi' },
    origins: new Set(['https://oasis.example']),
    feeds: [{ name: 'rtpd', source, nodes: [NODE], daysBack: 1 }],
  };
  const until = async (ms: number): Promise<void> => {
    while (world.clock.nowMs() < ms) if (!(await world.step())) throw new Error('nothing is due');
  };
  return { world, of, plan, until };
}

test('a silent feed is told by its connector, and no longer when it speaks again', async () => {
  const { world, of, plan, until } = setting();
  const { connectors } = await liveProcess(of, [plan]);
  const [caisoConnector] = connectors.all;
  if (caisoConnector === undefined) throw new Error('no connector');
  // Health is a function of what is on the log and the time at which it is asked for.
  const told = (nowMs: number) => {
    const { status, body } = healthOf(caisoConnector, nowMs);
    return [status, causeOf(caisoConnector, nowMs), body.cause, connectorView(caisoConnector, nowMs).status];
  };
  const fine = ['healthy', null, null, 'healthy'];
  // The first of them ends after a quarter of an hour, and is out five minutes later at the latest.
  const [from, due] = [0, 20].map((minutes) => new Date(SILENT.fromMs + minutes * MINUTE).toISOString());
  const words = `rtpd is silent: prices from ${from} on were due at ${due}`;
  const silent = ['degraded', words, words, 'degraded'];
  await until(SILENT.fromMs - MINUTE);
  expect(told(world.clock.nowMs())).toEqual(fine);
  await until(SILENT.fromMs + 20 * MINUTE);
  // Not at once: what is late by minutes is ordinary.
  expect(told(SILENT.fromMs + 35 * MINUTE - 1)).toEqual(fine);
  expect(told(SILENT.fromMs + 35 * MINUTE)).toEqual(silent);
  await until(SILENT.untilMs - MINUTE);
  expect(told(SILENT.untilMs - MINUTE)).toEqual(silent);
  await until(SILENT.untilMs + 70 * MINUTE);
  expect(told(world.clock.nowMs())).toEqual(fine);
}, 60_000);

test('ticks that waited for the pipeline are stale, and those after it are not', async () => {
  const { world, of, plan, until } = setting();
  const { config, stages } = prepare({ CONNECTORS: 'caiso' });
  await liveProcess(of, [plan]);
  await until(START + HOUR);
  const { member, clickhouse } = pipelineOver(of, { config, stages });
  const startedMs = world.clock.nowMs();
  await kept(
    world,
    member.start().then(() => true),
  );
  await until(START + 1.9 * HOUR);
  const scores = [...clickhouse.table(TOPIC.scores).values()];
  const stale = [...clickhouse.table(TOPIC.anomalies).values()].filter(
    ({ anomaly_type }) => anomaly_type === 'stale_data',
  );
  // The first answers held a day and a half; their ticks waited for an hour.
  expect(stale.length).toBeGreaterThan(40);
  for (const { description, severity, expected_value, market, actual_value } of stale) {
    expect({ severity, expected_value, market }).toEqual({
      severity: 'medium',
      expected_value: 'within 15 minutes',
      market: 'CAISO',
    });
    const seconds = Number(
      /^it was published (\d+) s before it was assessed$/.exec(String(description))?.[1],
    );
    expect(seconds).toBeGreaterThanOrEqual(15 * 60);
    expect(Date.parse(String(actual_value))).toBeLessThan(startedMs);
  }
  const timeliness = (of: readonly Row[]) => new Set(of.map(({ timeliness_score }) => timeliness_score));
  const late = scores.filter(({ assessed_at }) => Number(assessed_at) / 1_000 > startedMs + 20 * MINUTE);
  expect(late.length).toBeGreaterThan(0);
  expect(timeliness(late)).toEqual(new Set([1]));
  expect(timeliness(scores).has(0)).toBe(true);
}, 60_000);
