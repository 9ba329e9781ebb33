// Supervision end to end: the real platform on nact over the embedded log. Defects are real: a stage throws
// on a marked record. Judged by what stands on the topics, in the states, in the ledgers and in the events.

import { describe, expect, test } from 'bun:test';
import { type Slot, slotOf } from '../../actors/slot.ts';
import { deadLettersView } from '../../runtime/dead-letters.ts';
import { DEAD_LETTERS_TICKS, TOPIC } from '../../runtime/services.ts';
import { slotMaker } from '../../runtime/slot-maker.ts';
import { type CountedRecord, countingStage } from '../simulation/counting-stages.ts';
import { temporaryDirectory } from '../support/product.ts';
import { PARTITIONS, Supervised } from '../support/supervised.ts';
import { until } from '../support/until.ts';

const A = 'X:R:A';
const B = 'X:R:B';

/** `.` an ordinary record, `!` a defect of the stage; one character a record. */
function records(instrument: string, marks: string, from = 0): CountedRecord[] {
  return [...marks].map((mark, n) => ({
    instrument,
    id: from + n,
    poison: mark === '!' ? 'aggregation' : null,
  }));
}

/** Ids of the ordinary records. */
function good(marks: string): number[] {
  return [...marks].flatMap((mark, n) => (mark === '.' ? [n] : []));
}

const idsOf = (found: readonly CountedRecord[]): number[] => found.map((each) => each.id);

describe('a poison record', () => {
  for (const [where, marks] of [
    ['first', '!....'],
    ['in the middle', '..!..'],
    ['last', '....!'],
    ['alone', '!'],
    ['twice', '.!.!.'],
  ] as const) {
    test(`${where}: it is a dead letter, and nothing else is touched`, async () => {
      using dir = temporaryDirectory();
      const run = await Supervised.start(dir.path);
      await run.feed([...records(A, marks), ...records(B, '.....')]);
      await run.idle();
      expect(idsOf(await run.on(TOPIC.bars, A))).toEqual(good(marks));
      expect(run.state(A, 'aggregation')).toEqual(marks === '!' ? [] : good(marks));
      expect(idsOf(await run.on(TOPIC.bars, B))).toEqual([0, 1, 2, 3, 4]);
      expect(run.state(A, 'enrichment')).toEqual([...marks].map((_, n) => n));
      expect(run.of('quarantine')).toEqual([]);
      const { letters } = await deadLettersView(run.log, PARTITIONS).list({
        limit: 10,
        cursor: null,
        reason: null,
        service: null,
      });
      const ids = letters.map(({ original }) => JSON.parse(original).id).sort();
      expect(ids).toEqual([...marks].flatMap((mark, n) => (mark === '!' ? [n] : [])));
      for (const letter of letters) {
        expect(letter).toMatchObject({ reason: 'defect', service: 'aggregation-service' });
        expect(letter.origin).toMatchObject({ topic: TOPIC.enriched, key: A });
      }
      await run.stop();
    });
  }
});

describe('quarantine', () => {
  const marks = '.!!.!....!....';

  test('parks what follows, outlives a restart, and its release ends as if it had not been', async () => {
    using dir = temporaryDirectory();
    using plain = temporaryDirectory();
    const run = await Supervised.start(dir.path);
    await run.feed([...records(A, marks), ...records(B, '....')]);
    await run.idle();
    expect(run.of('quarantine')).toMatchObject([
      { service: 'aggregation-service', actor: A, budget_left: 0 },
    ]);
    await run.feed([...records(A, '...', marks.length), ...records(B, '..', 4)]);
    await run.idle();
    expect(idsOf(await run.on(TOPIC.bars, A))).toEqual([0, 3]);
    expect(idsOf(await run.on(TOPIC.bars, B))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(run.state(A, 'enrichment')).toHaveLength(marks.length + 3);
    const parked = marks.length + 3 - 5;
    const all = marks.length + 3 + 6;
    expect(run.ledger('aggregation-service')).toEqual({
      read: all,
      first: 2 + 6,
      forwarded: 0,
      rejected: 3,
      parked,
    });
    await run.stop();

    const next = await Supervised.start(dir.path);
    expect(next.of('quarantine')).toMatchObject([{ actor: A }]);
    await next.feed(records(A, '.', marks.length + 3));
    await next.idle();
    expect(idsOf(await next.on(TOPIC.bars, A))).toEqual([0, 3]);
    expect(next.platform.release(A)).toBe('released');
    await until('the release', () => next.of('release').length === 1);
    await next.feed(records(A, '..', marks.length + 4));
    await next.idle();
    expect(next.platform.release(A)).toBe('not_quarantined');
    expect(next.ledger('aggregation-service').parked).toBe(0);

    const unbroken = await Supervised.start(plain.path, { quarantine: { intensity: 100, periodMs: 1 } });
    await unbroken.feed(records(A, `${marks}......`));
    await unbroken.idle();
    expect(await next.on(TOPIC.bars, A)).toEqual(await unbroken.on(TOPIC.bars, A));
    expect(next.state(A, 'aggregation')).toEqual(unbroken.state(A, 'aggregation'));
    const letters = async (of: Supervised) => {
      const page = { limit: 50, cursor: null, reason: null, service: null };
      const found = (await deadLettersView(of.log, PARTITIONS).list(page)).letters;
      return found.map(({ origin, original }) => [origin.topic, JSON.parse(original).id]).sort();
    };
    expect(await letters(next)).toEqual(await letters(unbroken));
    for (const each of [next, unbroken]) await each.stop();
  });

  test('a release that meets as many defects again ends in quarantine again, further on', async () => {
    using dir = temporaryDirectory();
    const run = await Supervised.start(dir.path);
    await run.feed(records(A, '!!!.!.!.!...'));
    await run.idle();
    expect(idsOf(await run.on(TOPIC.bars, A))).toEqual([]);
    run.platform.release(A);
    await until('the second quarantine', () => run.of('quarantine').length === 2);
    await run.idle();
    expect(idsOf(await run.on(TOPIC.bars, A))).toEqual([3, 5, 7]);
    run.platform.release(A);
    await until('the release', () => run.of('release').length === 1);
    expect(idsOf(await run.on(TOPIC.bars, A))).toEqual([3, 5, 7, 9, 10, 11]);
    await run.stop();
  });

  test('a full parking pauses the partition, says so, and a release lets it go on', async () => {
    using dir = temporaryDirectory();
    const run = await Supervised.start(dir.path, { parkedMax: 5, batchRecordsMax: 4 });
    await run.feed(records(A, '!!!....'));
    await run.idle();
    await run.feed([...records(A, '....', 7), ...records(A, '....', 11)]);
    await until('the pause', () => run.of('pause').length > 0);
    expect(run.of('pause')[0]?.cause).toContain('parking');
    const paused = [...(run.platform.groups.get('aggregation-service')?.partitions() ?? [])].some(
      ({ state }) => state.phase === 'paused',
    );
    expect(paused).toBe(true);
    run.platform.release(A);
    await run.idle();
    expect(run.of('resume').length).toBe(1);
    expect(idsOf(await run.on(TOPIC.bars, A))).toEqual(Array.from({ length: 12 }, (_, n) => n + 3));
    await run.stop();
  });
});

/** A slot that crashes its actor, outside of the edge that catches defects, as long as `bad` says so. */
function crashing(slot: Slot, bad: () => boolean): Slot {
  return {
    ...slot,
    get unusable(): string | null {
      // Read by the directory too, which is no part of the actor.
      if (new Error().stack?.includes('foldShare') === true && bad()) throw new Error('the actor crashed');
      return slot.unusable;
    },
    settled: () => crashing(slot.settled(), bad),
    fold: (...of) => {
      const fold = slot.fold(...of);
      return { ...fold, slot: crashing(fold.slot, bad) };
    },
  };
}

describe('an actor that nact itself crashed', () => {
  const stage = countingStage('aggregation', 'bars');

  test('comes back with its committed state and gets what it had not answered again', async () => {
    using dir = temporaryDirectory();
    let left = 0;
    const bad = (): boolean => {
      left -= 1;
      return left >= 0;
    };
    const fresh = (id: string) => {
      const slot = slotOf(stage, stage.initial(id));
      return id === A ? crashing(slot, bad) : slot;
    };
    const run = await Supervised.start(dir.path, {}, { aggregation: { ...slotMaker(stage), fresh } });
    await run.feed([...records(A, '...'), ...records(B, '...')]);
    await run.idle();
    left = 2;
    await run.feed([...records(A, '...', 3), ...records(B, '...', 3)]);
    await run.idle();
    expect(run.of('restart').map((each) => each.budget_left)).toEqual([1, 0]);
    for (const each of [A, B]) {
      expect(await run.on(TOPIC.bars, each)).toMatchObject(
        [0, 1, 2, 3, 4, 5].map((id) => ({ id, nth: id + 1 })),
      );
      expect(run.state(each, 'aggregation')).toEqual([0, 1, 2, 3, 4, 5]);
    }
    await run.stop();
  });

  test('again and again is suspended: its records are parked, and released onto the same state', async () => {
    using dir = temporaryDirectory();
    let broken = false;
    const fresh = (id: string) => {
      const slot = slotOf(stage, stage.initial(id));
      return id === A ? crashing(slot, () => broken) : slot;
    };
    const run = await Supervised.start(dir.path, {}, { aggregation: { ...slotMaker(stage), fresh } });
    await run.feed(records(A, '..'));
    await run.idle();
    broken = true;
    await run.feed([...records(A, '..', 2), ...records(B, '..')]);
    await until('the quarantine', () => run.of('quarantine').length === 1);
    await run.idle();
    expect(run.of('restart')).toHaveLength(3);
    expect(run.of('quarantine')[0]?.cause).toContain('the actor crashed');
    expect(idsOf(await run.on(TOPIC.bars, B))).toEqual([0, 1]);
    broken = false;
    run.platform.release(A);
    await until('the release', () => run.of('release').length === 1);
    expect(await run.on(TOPIC.bars, A)).toMatchObject([0, 1, 2, 3].map((id) => ({ id, nth: id + 1 })));
    await run.stop();
  });
});

test('defects of many climb: shards, market, service, process, each step an event', async () => {
  using dir = temporaryDirectory();
  const one = { intensity: 1, periodMs: 600_000 };
  const run = await Supervised.start(dir.path, { ladder: { shard: one, market: one, service: one } });
  const many = Array.from({ length: 40 }, (_, n) => `X:R:L${n}`);
  for (const id of many) {
    await run.feed(records(id, '.!'));
    if (run.exhausted !== null) break;
    await run.idle();
  }
  await until('the process would leave', () => run.exhausted);
  const steps = run.of('escalation').map(({ actor, decision }) => `${actor}: ${decision.split(' ')[0]}`);
  expect(steps[0]).toBe('markets/X/00: shard');
  expect(steps).toContain('X: market');
  expect(steps.at(-2)).toStartWith('service: ');
  expect(steps.at(-1)).toStartWith('process: ');
  const fed = many.slice(0, many.findIndex((id) => run.platform.directory.find(id) === undefined) >>> 0);
  await run.idle();
  for (const id of fed) expect(run.state(id, 'aggregation')).toEqual([0]);
  await run.stop();
});

test('an output over its bound is a dead letter of its record, of a function as of an actor', async () => {
  using dir = temporaryDirectory();
  const outputBytesMax = 400;
  const run = await Supervised.start(dir.path, { outputBytesMax });
  const noted = (id: number, note: string) => ({ instrument: A, id, poison: null, note });
  // The tick of `fits` is just within the bound; enrichment adds to it and is over it.
  const fits = noted(1, 'w'.repeat(outputBytesMax - JSON.stringify(noted(1, '')).length));
  await run.feed([...records(A, '.'), fits, noted(2, 'w'.repeat(500)), ...records(A, '.', 3)]);
  await run.idle();
  expect(idsOf(await run.on(TOPIC.ticks, A))).toEqual([0, 1, 3]);
  expect(idsOf(await run.on(TOPIC.bars, A))).toEqual([0, 3]);
  const page = { limit: 10, cursor: null, reason: 'oversized_output', service: null };
  const { letters } = await deadLettersView(run.log, PARTITIONS).list(page);
  const told = letters.map(({ service, original }) => `${service} ${JSON.parse(original).id}`).sort();
  expect(told).toEqual(['data-quality-service 1', 'enrichment-service 1', 'normalization-service 2']);
  await run.stop();
});

test(`${DEAD_LETTERS_TICKS}: newest first, by page, filtered by reason and service`, async () => {
  using dir = temporaryDirectory();
  const run = await Supervised.start(dir.path, { quarantine: { intensity: 1_000, periodMs: 1 } });
  const marked = Array.from({ length: 60 }, (_, id): CountedRecord => {
    const poison = (['enrichment', 'data-quality', 'normalize'] as const)[id % 3] ?? null;
    return { instrument: `X:R:L${id % 5}`, id, poison };
  });
  for (let from = 0; from < 60; from += 7) {
    await run.feed(marked.slice(from, from + 7));
    await run.idle();
  }
  const view = deadLettersView(run.log, PARTITIONS);
  const pages = async (reason: string | null, service: string | null) => {
    const found: string[] = [];
    const feeds: number[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof view.list>> = await view.list({
        limit: 7,
        cursor,
        reason,
        service,
      });
      expect(page.letters.length).toBeLessThanOrEqual(7);
      feeds.push(...page.letters.map((each) => Math.floor(JSON.parse(each.original).id / 7)));
      found.push(...page.letters.map((each) => `${each.service} ${JSON.parse(each.original).id}`));
      cursor = page.next;
    } while (cursor !== null);
    expect(feeds).toEqual([...feeds].sort((a, b) => b - a));
    return found.sort();
  };
  const of = (service: string, rest: number) =>
    marked.filter(({ id }) => id % 3 === rest).map(({ id }) => `${service} ${id}`);
  const [enrichment, quality, raw] = [
    of('enrichment-service', 0),
    of('data-quality-service', 1),
    of('normalization-service', 2),
  ];
  expect(await pages(null, null)).toEqual([...enrichment, ...quality, ...raw].sort());
  expect(await pages('wrong_type', null)).toEqual(raw.sort());
  expect(await pages('defect', 'enrichment-service')).toEqual(enrichment.sort());
  expect(await pages('no such reason', null)).toEqual([]);
  await run.stop();
});
