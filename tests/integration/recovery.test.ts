// Stored state that was damaged while the process was down: folded again from the log, told by one event, and
// stored anew; where the log no longer holds what it takes, the event says what is missing and the instrument
// waits in quarantine. All others go on either way.

import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { sealJson } from '../../actors/domain/sealed.ts';
import type { StageRecord } from '../../actors/stage.ts';
import { LogFault } from '../../runtime/log/log-fault.ts';
import { TOPIC } from '../../runtime/services.ts';
import type { CountedRecord } from '../simulation/counting-stages.ts';
import { temporaryDirectory } from '../support/product.ts';
import { Supervised } from '../support/supervised.ts';
import { until } from '../support/until.ts';

const A = 'X:R:A';
const B = 'X:R:B';
const C = 'X:R:C';
const LATER_MS = 100 * 24 * 3_600_000;

function records(instrument: string, ids: readonly number[]): CountedRecord[] {
  return ids.map((id) => ({ instrument, id, poison: id === 1 ? 'aggregation' : null }));
}

interface StateRow {
  readonly owner: string;
  readonly tp: number;
  readonly key: string;
  readonly value: Uint8Array;
}

/** Flips a bit of all that is stored of an instrument; returns how many parts that are. */
function damage(dir: string, instrument: string): number {
  return rewrite(dir, instrument, (value) => {
    const flipped = value.slice();
    flipped[flipped.length - 2] = (flipped.at(-2) ?? 0) ^ 1;
    return flipped;
  });
}

/** What is stored holds by its checksum, and is nothing that its stage wrote. */
function garble(dir: string, instrument: string): number {
  return rewrite(dir, instrument, () => sealJson(1, { ids: 'of another kind' }));
}

function rewrite(dir: string, instrument: string, of: (value: Uint8Array) => Uint8Array): number {
  using file = new Database(join(dir, 'log.sqlite'));
  const rows = file.query<StateRow, []>('SELECT owner, tp, key, value FROM state').all();
  const hit = rows.filter(({ key }) => key.startsWith(`i:${instrument}`));
  for (const { owner, tp, key, value } of hit) {
    file
      .query('UPDATE state SET value = ? WHERE owner = ? AND tp = ? AND key = ?')
      .run(of(value), owner, tp, key);
  }
  return hit.length;
}

const idsOf = (found: readonly CountedRecord[]): number[] => found.map(({ id }) => id);

test('a state with a flipped bit is folded again from the log, told, and stored anew', async () => {
  using dir = temporaryDirectory();
  const run = await Supervised.start(dir.path);
  await run.feed([...records(A, [0, 1, 2]), ...records(B, [0, 2])]);
  await run.idle();
  await run.stop();
  const parts = damage(dir.path, A);

  const next = await Supervised.start(dir.path);
  const told = next.of('defect');
  expect(parts).toBe(3);
  expect(told.map(({ actor, service }) => `${service} ${actor}`).sort()).toEqual([
    `aggregation-service ${A}`,
    `data-quality-service ${A}`,
    `enrichment-service ${A}`,
  ]);
  for (const { cause, decision } of told) {
    expect(cause).toContain('checksum does not hold');
    expect(decision).toStartWith('folded again from 3 records of ');
  }
  expect(next.state(A, 'aggregation')).toEqual([0, 2]);
  await next.feed([...records(A, [3, 4]), ...records(B, [3])]);
  await next.idle();
  expect(idsOf(await next.on(TOPIC.bars, A))).toEqual([0, 2, 3, 4]);
  expect(idsOf(await next.on(TOPIC.bars, B))).toEqual([0, 2, 3]);
  expect((await next.on(TOPIC.bars, A)).map(({ nth }) => nth)).toEqual([1, 2, 3, 4]);
  expect(next.of('quarantine')).toEqual([]);
  await next.stop();

  const last = await Supervised.start(dir.path);
  expect(last.of('defect')).toEqual([]);
  expect(last.state(A, 'aggregation')).toEqual([0, 2, 3, 4]);
  await last.stop();
});

test('a state that holds by its checksum and cannot be read is folded again when it is needed', async () => {
  using dir = temporaryDirectory();
  const run = await Supervised.start(dir.path);
  await run.feed([...records(A, [0, 1, 2]), ...records(B, [0, 2]), ...records(C, [0])]);
  await run.idle();
  await run.stop();
  expect([garble(dir.path, A), garble(dir.path, C)]).toEqual([3, 3]);

  const next = await Supervised.start(dir.path);
  expect(next.of('defect')).toEqual([]);
  await next.feed([...records(A, [3, 4]), ...records(B, [3]), ...records(C, [2])]);
  await next.idle();
  const told = next.of('defect');
  expect(told.map(({ actor, service }) => `${service} ${actor}`).sort()).toEqual(
    ['aggregation-service', 'data-quality-service', 'enrichment-service'].flatMap((service) =>
      [A, C].map((id) => `${service} ${id}`),
    ),
  );
  for (const { actor, cause, decision } of told) {
    expect(cause).toContain('cannot be read: the ids are no list');
    expect(decision).toStartWith(`folded again from ${actor === A ? 3 : 1} records of `);
  }
  for (const [id, ids] of [
    [A, [0, 2, 3, 4]],
    [B, [0, 2, 3]],
    [C, [0, 2]],
  ] as const) {
    const bars = await next.on(TOPIC.bars, id);
    expect(bars.map((each) => each.id)).toEqual([...ids]);
    expect(bars.map(({ nth }) => nth)).toEqual(ids.map((_, n) => n + 1));
    expect(next.state(id, 'aggregation')).toEqual([...ids]);
  }
  expect(next.of('quarantine')).toEqual([]);
  await next.stop();

  const last = await Supervised.start(dir.path);
  await last.feed(records(A, [5]));
  await last.idle();
  expect(last.of('defect')).toEqual([]);
  expect(last.state(A, 'aggregation')).toEqual([0, 2, 3, 4, 5]);
  await last.stop();
});

test('so is that of an instrument in quarantine, at the start, and a release goes on from it', async () => {
  using dir = temporaryDirectory();
  const run = await Supervised.start(dir.path, { quarantine: { intensity: 0, periodMs: 600_000 } });
  await run.feed(records(A, [0, 1, 2]));
  await until('the quarantine', () => run.of('quarantine').length > 0);
  await run.idle();
  await run.stop();
  garble(dir.path, A);

  const next = await Supervised.start(dir.path);
  const told = next.of('defect').find(({ service }) => service === 'aggregation-service');
  expect(told?.cause).toContain('the ids are no list');
  next.platform.release(A);
  await until('the release', () => next.state(A, 'aggregation')?.toString() === '0,2');
  await next.idle();
  await next.stop();
});

test('a log that fails on the way fails the batch, which is done again', async () => {
  using dir = temporaryDirectory();
  const run = await Supervised.start(dir.path);
  await run.feed(records(A, [0, 2]));
  await run.idle();
  await run.stop();
  garble(dir.path, A);
  const next = await Supervised.start(dir.path);
  const { offsetAt } = next.log;
  let failures = 0;
  next.log.offsetAt = async (...of) => {
    failures += 1;
    if (failures <= 5) throw new LogFault('out of order', 'log_io', true);
    return offsetAt.apply(next.log, of);
  };
  await next.feed(records(A, [3]));
  await next.idle();
  expect(failures).toBeGreaterThan(5);
  expect(next.state(A, 'aggregation')).toEqual([0, 2, 3]);
  expect(idsOf(await next.on(TOPIC.bars, A))).toEqual([0, 2, 3]);
  expect(next.of('quarantine')).toEqual([]);
  await next.stop();
});

/** Fed, read, gone from the topics by retention, and damaged. */
async function overtaken(dir: string): Promise<void> {
  const run = await Supervised.start(dir);
  await run.feed([...records(A, [0, 2]), ...records(B, [0, 2])]);
  await run.idle();
  expect(await run.log.retain(Date.now() + LATER_MS)).toBeGreaterThan(0);
  await run.stop();
  damage(dir, A);
}

test('what retention has taken is read from silver, and other stages go by what is left', async () => {
  using dir = temporaryDirectory();
  await overtaken(dir.path);
  const asked: string[] = [];
  const textOf = (id: number) => JSON.stringify({ instrument: A, id, poison: null });
  const value = (id: number) => new TextEncoder().encode(textOf(id));
  const past = async (instrument: string): Promise<readonly StageRecord[]> => {
    asked.push(instrument);
    return [0, 2].map((id) => ({ offset: -1, value: value(id) }));
  };
  const next = await Supervised.start(dir.path, {}, { past });
  expect(asked).toEqual([A]);
  const decisions = Object.fromEntries(next.of('defect').map((each) => [each.service, each.decision]));
  expect(decisions['aggregation-service']).toContain('2 ticks of silver and 0 records of ');
  expect(decisions['enrichment-service']).toContain('are gone from the log');
  await next.feed(records(A, [3]));
  await next.idle();
  expect(next.state(A, 'aggregation')).toEqual([0, 2, 3]);
  expect(next.state(A, 'enrichment')).toEqual([3]);
  await next.stop();
});

test('without silver the event says what is missing, and the records are parked', async () => {
  using dir = temporaryDirectory();
  await overtaken(dir.path);
  const past = () => Promise.reject(new Error('ClickHouse cannot be reached'));
  const next = await Supervised.start(dir.path, {}, { past });
  await next.feed([...records(A, [3, 4]), ...records(B, [3])]);
  await until('the quarantine', () => next.of('quarantine').length > 0);
  await next.idle();
  const told = next.of('defect').find(({ service }) => service === 'aggregation-service');
  expect(told?.cause).toContain('checksum');
  expect(told?.decision).toMatch(
    /^its records will be parked: .*offsets 0 to \d+ of \S+ are gone from the log, and silver/,
  );
  expect(idsOf(await next.on(TOPIC.bars, A))).toEqual([]);
  expect(idsOf(await next.on(TOPIC.bars, B))).toEqual([3]);
  expect(next.ledger('aggregation-service').parked).toBe(2);
  await next.stop();

  // Silver is there again: the next start folds, and a release lets the parked records follow.
  const ticks = [0, 2].map((id) => ({ instrument: A, id, poison: null }));
  const values = ticks.map((each) => new TextEncoder().encode(JSON.stringify(each)));
  const last = await Supervised.start(
    dir.path,
    {},
    {
      past: async () => values.map((value) => ({ offset: -1, value })),
    },
  );
  expect(last.state(A, 'aggregation')).toEqual([0, 2]);
  last.platform.release(A);
  await until('the release', () => last.state(A, 'aggregation')?.toString() === '0,2,3,4');
  await last.idle();
  await last.stop();
});
