// What a feed remembers is bounded: windows that are whole and past their corrections cost a few numbers an
// interval, say the same of what is missing, and take the same answer again without putting it on the log.

import { expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import { marketCalendar } from '../../../../actors/domain/operating-day.ts';
import type { RawRecord } from '../../../../actors/domain/wire.ts';
import { sources } from '../../../../actors/feeds/markets.ts';
import { miso } from '../../../../actors/feeds/miso.ts';
import type { Window } from '../../../../actors/feeds/source.ts';
import { emptyCoverage, merge, missing, storeCoverage } from '../../../../actors/live/coverage.ts';
import {
  type AppendEffect,
  type FeedMessage,
  type FeedPolicy,
  type FeedState,
  feedBehaviour,
  feedStart,
} from '../../../../actors/live/feed-actor.ts';
import type { Outcome } from '../../../../actors/live/outcome.ts';
import { open, pack } from '../../../../actors/live/packed-coverage.ts';
import type { Choice, FeedSettings, Wanted } from '../../../../actors/live/plan.ts';
import { rawRecord } from '../../../support/wire-records.ts';

setDefaultTimeout(60_000);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NODES = Array.from({ length: 50 }, (_, n) => `NODE.${n}`);
const calendar = marketCalendar(miso.zone);

function record(location: string, startMs: number, value: string): RawRecord {
  const interval_start = startMs * 1_000;
  return rawRecord({
    market: 'MISO',
    run: 'DA_EXPOST',
    delivery_location: location,
    interval_start,
    interval_end: interval_start + HOUR * 1_000,
    values: { LMP: value },
  });
}

const START = Date.parse('2026-03-01T05:00:00Z');
const WINDOW: Window = {
  id: '2026-03-01',
  date: '2026-03-01',
  startMs: START,
  endMs: START + DAY,
  nodes: 'all',
};

const answers = fc.uniqueArray(
  fc.record({ location: fc.constantFrom('A', 'B', 'C'), slot: fc.nat(23), value: fc.constantFrom('1', '2') }),
  { selector: ({ location, slot }) => `${location}${slot}`, maxLength: 60 },
);
const recordsOf = (of: readonly { location: string; slot: number; value: string }[]) =>
  of.map(({ location, slot, value }) => record(location, START + slot * HOUR, value));

test('a packed window says the same of what is missing, whatever is due', () => {
  fc.assert(
    fc.property(answers, fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }), (of, due) => {
      const { coverage } = merge(emptyCoverage(24), WINDOW, HOUR, recordsOf(of), 'DA_EXPOST');
      fc.pre(coverage.locations.size > 0);
      const packed = pack(coverage, WINDOW, HOUR, miso);
      const isDue = (startMs: number) => due[(startMs - START) / HOUR] === true;
      expect(missing(packed, WINDOW, HOUR, miso, isDue)).toEqual(
        missing(coverage, WINDOW, HOUR, miso, isDue),
      );
    }),
  );
});

test('it takes the same answer in any order as nothing new, and any other as all new', () => {
  fc.assert(
    fc.property(answers, answers, (of, other) => {
      fc.pre(of.length > 0 && other.length > 0);
      const records = recordsOf(of);
      const { coverage } = merge(emptyCoverage(24), WINDOW, HOUR, records, 'DA_EXPOST');
      const packed = pack(coverage, WINDOW, HOUR, miso);
      const again = open(packed, WINDOW, HOUR, records.toReversed(), 'DA_EXPOST');
      expect(again).toEqual({ coverage: packed, records: [], unchanged: records.length });
      const key = (all: typeof of) => all.map((each) => Object.values(each).join()).sort();
      fc.pre(key(of).join(' ') !== key(other).join(' '));
      const found = open(packed, WINDOW, HOUR, recordsOf(other), 'DA_EXPOST');
      expect([found.records.length, found.unchanged, found.coverage.packed]).toEqual([other.length, 0, null]);
    }),
  );
});

function settings(daysBack: number): FeedSettings {
  const source = sources.find(({ name }) => name === 'miso.da-expost');
  if (source === undefined) throw new Error('no source');
  const retry = { initialMs: 60_000, maxMs: HOUR, jitter: 0 };
  return { source, market: miso, calendar, nodes: 'all', daysBack, retry };
}

class Feed {
  readonly appended: AppendEffect[] = [];
  readonly #behaviour: (
    state: FeedState,
    message: FeedMessage,
  ) => ReturnType<ReturnType<typeof feedBehaviour>>;
  state: FeedState;
  nowMs: number;
  outcome: Outcome = { kind: 'response' };

  constructor(
    policy: FeedPolicy,
    startMs: number,
    readonly price: (location: string, startMs: number) => string | null,
  ) {
    this.#behaviour = feedBehaviour(policy);
    this.nowMs = startMs;
    const ledger = { rowsRead: 0, rowsUsed: 0, rowsRefused: 0, appended: 0 };
    this.state = feedStart({ enabled: true, windows: new Map(), ledger, seq: 0, wanted: [] });
  }

  /** Lives on until then. */
  until(endMs: number): void {
    while (this.nowMs < endMs) this.nowMs = this.tell({ kind: 'tick', nowMs: this.nowMs }) ?? endMs;
  }

  /** When it wants to be woken. */
  tell(message: FeedMessage): number | null {
    const step = this.#behaviour(this.state, message);
    this.state = step.state;
    let wakeMs: number | null = null;
    for (const effect of step.effects) {
      if (effect.kind === 'wake') wakeMs = effect.atMs;
      if (effect.kind === 'fetch') wakeMs = this.tell(this.#answer(effect.choice));
      if (effect.kind === 'append') {
        this.appended.push(effect);
        wakeMs = this.tell({ kind: 'appended', nowMs: this.nowMs });
      }
    }
    return wakeMs;
  }

  #answer({ window }: Choice): FeedMessage {
    const records = NODES.flatMap((node) =>
      Array.from({ length: 24 }, (_, hour) => window.startMs + hour * HOUR).flatMap((startMs) => {
        const value = this.outcome.kind === 'response' ? this.price(node, startMs) : null;
        return value === null ? [] : [record(node, startMs, value)];
      }),
    );
    const ledger = { rowsRead: 0, rowsUsed: 0, rowsRefused: 0 };
    const counts = { status: 200, requests: 1, bytes: 1, millis: 1 };
    const fetched = { outcome: this.outcome, records, ledger, whole: true, ...counts };
    return { kind: 'fetched', fetched, nowMs: this.nowMs, draw: 0.5 };
  }

  get cells(): number {
    let sum = 0;
    for (const { coverage } of this.state.windows.values()) sum += coverage.slots * coverage.locations.size;
    return sum;
  }

  bytesOf(id: string): number {
    const state = this.state.windows.get(id);
    return state === undefined ? 0 : JSON.stringify(storeCoverage(state.coverage)).length;
  }
}

function policy(cellsMax: number, historyMs = 400 * DAY): FeedPolicy {
  const breaker = { threshold: 5, pauseMs: 1_000, pauseMsMax: 1_000 };
  const memory = { cellsMax, historyMs };
  return { name: 'da-expost', settings: settings(3), breaker, chunkMax: 10_000, memory };
}

const PER_DAY = NODES.length * 24;

test('a season of all nodes costs what is still corrected, and a few numbers for each day before', () => {
  const feed = new Feed(
    policy(100 * PER_DAY),
    START,
    (node, startMs) => `${(startMs / HOUR) % 7}.${node.length}`,
  );
  feed.until(START + 60 * DAY);
  expect(feed.state.windows.size).toBeGreaterThan(60);
  // Followed: three days back, today and tomorrow; the last correction comes after five.
  expect(feed.cells).toBeLessThanOrEqual(9 * PER_DAY);
  expect(feed.bytesOf('2026-03-20')).toBeLessThan(500);
  const records = feed.appended.reduce((sum, each) => sum + each.records.length, 0);
  expect(records).toBe(feed.state.windows.size * PER_DAY);
});

test('more values than allowed are packed however young they are, and a correction still comes in', () => {
  let published = '1';
  const feed = new Feed(policy(2 * PER_DAY), START, (node, startMs) =>
    node === 'NODE.7' && startMs === START ? published : '5',
  );
  feed.until(START + 3 * DAY);
  expect(feed.cells).toBeLessThanOrEqual(3 * PER_DAY);
  expect(feed.state.windows.get('2026-03-01')?.coverage.packed).not.toBeNull();
  published = '2';
  const before = feed.appended.length;
  feed.until(START + 8 * DAY);
  const later = feed.appended.slice(before);
  const values = later
    .flatMap(({ records }) => records)
    .filter((each) => each.delivery_location === 'NODE.7');
  const corrected = values.filter(({ interval_start }) => interval_start / 1_000 === START);
  expect(corrected.map((each) => each.values)).toEqual([{ LMP: '2' }]);
  expect(feed.cells).toBeLessThanOrEqual(3 * PER_DAY);
});

test('a backfill of a packed day that asks for all puts nothing on the log twice', () => {
  const feed = new Feed(policy(2 * PER_DAY), START, () => '5');
  feed.until(START + 20 * DAY);
  const day = calendar.day('2026-03-05');
  const windows = day === null ? [] : settings(3).source.windows(day, 'all');
  const before = feed.appended.length;
  const wanted: Wanted = { job: 'a', windows, onlyMissing: false, sinceMs: feed.nowMs };
  feed.tell({ kind: 'wanted', wanted: [wanted], nowMs: feed.nowMs });
  const [only] = feed.appended.slice(before);
  expect(only?.records).toEqual([]);
  expect(only?.run).toMatchObject({ outcome: 'response', unchanged: PER_DAY, appended: 0 });
});

for (const outcome of [
  { kind: 'response' },
  { kind: 'no_data', detail: 'd' },
  { kind: 'throttled', detail: 'd', retryAfterMs: null },
  { kind: 'failed', detail: 'd', retryAfterMs: null },
] as const) {
  test(`a packed day that is answered ${outcome.kind} is as whole as before, and on the log once`, () => {
    const feed = new Feed(policy(2 * PER_DAY), START, () => '5');
    feed.until(START + 20 * DAY);
    feed.tell({ kind: 'tick', nowMs: feed.nowMs });
    const coverage = () => feed.state.windows.get('2026-03-05')?.coverage;
    const packed = coverage();
    expect(packed?.packed).not.toBeNull();
    const day = calendar.day('2026-03-05');
    const windows = day === null ? [] : settings(3).source.windows(day, 'all');
    const before = feed.appended.length;
    const wanted: Wanted = { job: 'a', windows, onlyMissing: false, sinceMs: feed.nowMs };
    feed.outcome = outcome;
    feed.tell({ kind: 'wanted', wanted: [wanted], nowMs: feed.nowMs });
    expect(feed.appended.length).toBe(before + 1);
    expect(coverage()).toEqual(packed);
    feed.outcome = { kind: 'response' };
    const later = { ...wanted, sinceMs: feed.nowMs + HOUR };
    feed.nowMs += HOUR;
    feed.tell({ kind: 'wanted', wanted: [later], nowMs: feed.nowMs });
    const records = feed.appended.slice(before).flatMap((each) => each.records);
    expect(records.filter((each) => each.interval_start < (START + 5 * DAY) * 1_000)).toEqual([]);
    expect(coverage()).toEqual(packed);
  });
}

test('holes that stay are kept by name, and long ago is forgotten', () => {
  const hole = START + 4 * DAY + 3 * HOUR;
  const feed = new Feed(policy(0, 30 * DAY), START, (node, startMs) =>
    node === 'NODE.3' && startMs === hole ? null : '5',
  );
  feed.until(START + 12 * DAY);
  const state = feed.state.windows.get('2026-03-05');
  if (state === undefined) throw new Error('no such window');
  expect(state.coverage.packed).not.toBeNull();
  const window = { ...WINDOW, id: '2026-03-05', startMs: START + 4 * DAY, endMs: START + 5 * DAY };
  expect(missing(state.coverage, window, HOUR, miso, () => true)).toEqual({
    expected: PER_DAY,
    present: PER_DAY - 1,
    gaps: [{ location: 'NODE.3', startMs: hole, endMs: hole + HOUR, intervals: 1 }],
  });
  feed.until(START + 60 * DAY);
  expect(feed.state.windows.has('2026-03-05')).toBe(false);
  expect(feed.state.windows.size).toBeLessThan(40);
});
