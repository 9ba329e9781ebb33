// The router as a state machine: what it commits, what it does again, what it parks, and that its ledger
// balances.

import { describe, expect, test } from 'bun:test';
import type { Batch, Commit } from '../../../actors/batch.ts';
import { keyHash } from '../../../actors/domain/murmur2.ts';
import { unsealJson } from '../../../actors/domain/sealed.ts';
import { type InstrumentState, instrumentBehaviour } from '../../../actors/instrument.ts';
import { asOf, barrierValue, baseLayout, grown, LAYOUT_KEY, placed } from '../../../actors/layout.ts';
import { EMPTY_LEDGER, imbalance } from '../../../actors/ledger.ts';
import { unpackParked } from '../../../actors/parked.ts';
import { routerBehaviour, routerFrom } from '../../../actors/router.ts';
import type { RouterEffect, RouterMessage, RouterSettings } from '../../../actors/router-protocol.ts';
import { CALENDAR_KEY } from '../../../actors/router-work.ts';
import { slotOf } from '../../../actors/slot.ts';
import type { Stage } from '../../../actors/stage.ts';
import { type Added, addingStage, bytes } from './adding-stage.ts';

type Pair = readonly [key: string, text: string];

function batchOf(records: readonly Pair[], fromOffset: number, topic = 'in'): Batch {
  const at = (index: number): Pair => records[index] ?? ['', ''];
  return {
    topic,
    partition: 3,
    count: records.length,
    nextOffset: fromOffset + records.length,
    offset: (index) => fromOffset + index,
    key: (index) => at(index)[0],
    value: (index) => bytes(at(index)[1]),
    timestampMs: () => 0,
    lines: (from, to) =>
      records.slice(from, to).map(([, text]) => ({ bytes: bytes(`${text}\n`), zstd: false })),
  };
}

const settings: RouterSettings = {
  service: 'aggregation-service',
  tenantId: 't',
  topicOf: (to) => `topic.${to}`,
  deadLetterTopic: 'dead',
  parkingTopic: 'parked',
  calendarTo: 'enriched',
  strayTo: 'ticks',
  marketOf: (key) => key.split(':')[0] ?? '?',
  outputBytesMax: 1_000,
  work: { kind: 'sharded', slotKey: 's' },
  parkedMax: 4,
};

/** A router with its instruments, driven by hand; every effect that is not a port's is carried out. */
class Bench {
  readonly behaviour = routerBehaviour(settings);
  readonly instrument = instrumentBehaviour({
    quarantine: { intensity: 1, periodMs: 1_000 },
    outputBytesMax: 1_000,
  });
  readonly instruments = new Map<string, InstrumentState>();
  state = routerFrom({
    position: 0,
    ledgers: new Map(),
    quarantines: new Map(),
    calendar: new Map(),
    layout: null,
    instruments: [],
  });
  readonly ports: RouterEffect[] = [];

  constructor(readonly stage: Stage<Added> = addingStage) {}

  tell(message: RouterMessage): void {
    const step = this.behaviour(this.state, message);
    this.state = step.state;
    for (const effect of step.effects) this.perform(effect);
  }

  perform(effect: RouterEffect): void {
    if (effect.kind === 'fold') {
      this.actor(effect.instrument, effect.message);
    } else if (effect.kind === 'settle') {
      for (const [id, slot] of effect.slots) {
        this.actor(id, { kind: 'adopt', slotKey: 's', slot: slot.settled() });
      }
    } else this.ports.push(effect);
  }

  actor(id: string, message: Parameters<typeof this.instrument>[1]): void {
    const fresh = { id, slots: new Map([['s', slotOf(this.stage, [])]]) };
    const step = this.instrument(this.instruments.get(id) ?? fresh, message);
    this.instruments.set(id, step.state);
    for (const { reply } of step.effects) this.tell({ kind: 'folded', reply });
  }

  batch(records: readonly Pair[]): Commit {
    this.tell({
      kind: 'polled',
      seq: this.state.seq,
      batch: batchOf(records, this.state.position),
      nowMs: 5,
    });
    return this.lastCommit();
  }

  lastCommit(): Commit {
    const commit = this.ports.findLast((each) => each.kind === 'commit');
    if (commit?.kind !== 'commit') throw new Error('no commit');
    return commit.commit;
  }

  finish(outcome: 'committed' | 'aborted' | 'fenced'): void {
    this.tell({ kind: 'committed', seq: this.state.seq, outcome });
  }

  values(id: string): unknown {
    return this.instruments.get(id)?.slots.get('s')?.inspect().state;
  }

  ledger(market: string) {
    return this.state.ledgers.get(market) ?? EMPTY_LEDGER;
  }
}

function started(stage?: Stage<Added>): Bench {
  const bench = new Bench(stage);
  bench.tell({ kind: 'start' });
  return bench;
}

const A = 'X:R:A';
const B = 'X:R:B';

describe('one batch, one outcome', () => {
  test('outputs, state, counters and position are one commit', () => {
    const bench = started();
    const commit = bench.batch([
      [A, '1'],
      [B, '2'],
      [A, '3'],
    ]);
    expect(commit.nextOffset).toBe(3);
    expect(commit.outputs.map((each) => [each.topic, each.key, each.value])).toEqual([
      ['topic.bars', A, '[1,3]'],
      ['topic.bars', B, '[2]'],
    ]);
    expect(commit.state.map((each) => each.key)).toEqual([
      `i:${A}\u0000all`,
      `i:${B}\u0000all`,
      'r:position',
      'r:ledger',
    ]);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1, 3]);
    expect(bench.ledger('X')).toMatchObject({ read: 3, first: 3, emitted: { bars: 2 } });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'poll', position: 3 });
  });

  test('an abort undoes, backs off, and does the same batch again to the same commit', () => {
    const bench = started();
    const first = bench.batch([
      [A, '1'],
      [B, '2'],
    ]);
    bench.finish('aborted');
    expect(bench.values(A)).toEqual([]);
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'back-off', attempt: 0 });
    bench.tell({ kind: 'retry', seq: bench.state.seq });
    expect(bench.lastCommit()).toEqual(first);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1]);
    expect(bench.ledger('X').read).toBe(2);
  });

  test('a fence undoes and stops; nothing is polled again', () => {
    const bench = started();
    bench.batch([[A, '1']]);
    const before = bench.ports.length;
    bench.finish('fenced');
    expect(bench.values(A)).toEqual([]);
    expect(bench.ports.slice(before).map((each) => each.kind)).toEqual(['stopped']);
    bench.tell({ kind: 'start' });
    expect(bench.ports.length).toBe(before + 1);
  });

  test('records below the position are ignored', () => {
    const bench = started();
    bench.batch([
      [A, '1'],
      [A, '2'],
    ]);
    bench.finish('committed');
    bench.tell({
      kind: 'polled',
      seq: bench.state.seq,
      batch: batchOf(
        [
          [A, '2'],
          [A, '3'],
        ],
        1,
      ),
      nowMs: 6,
    });
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1, 2, 3]);
    expect(bench.ledger('X').read).toBe(3);
  });

  test('a drain waits for the batch in flight', () => {
    const bench = started();
    bench.batch([[A, '1']]);
    bench.tell({ kind: 'drain' });
    expect(bench.ports.at(-1)?.kind).toBe('commit');
    bench.finish('committed');
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'stopped' });
  });
});

describe('what goes wrong stays where it is', () => {
  test('a key that is no instrument is a dead letter with its origin', () => {
    const bench = started();
    const commit = bench.batch([
      ['nonsense', '1'],
      [A, '2'],
    ]);
    const letter = commit.outputs.find((each) => each.topic === 'dead');
    expect(letter?.key).toBe('in/3/0');
    expect(JSON.parse(String(letter?.value))).toMatchObject({ reason: 'wrong_type', original: '1' });
    bench.finish('committed');
    expect(bench.values(A)).toEqual([2]);
    for (const ledger of bench.state.ledgers.values()) expect(imbalance(ledger)).toBe(0);
  });

  test('quarantine parks the rest and later records; release folds them before live ones', () => {
    const bench = started();
    bench.batch([
      [A, 'boom'],
      [A, 'boom'],
      [A, '1'],
      [B, '9'],
    ]);
    expect(bench.lastCommit().outputs.filter((each) => each.topic === 'parked').length).toBe(1);
    bench.finish('committed');
    bench.batch([
      [A, '2'],
      [B, '8'],
    ]);
    bench.finish('committed');
    expect([bench.values(A), bench.values(B)]).toEqual([[], [9, 8]]);
    expect(bench.ledger('X')).toMatchObject({ read: 6, rejected: 2, parked: 2, first: 2 });

    bench.tell({ kind: 'release', instrument: A });
    bench.batch([[B, '7']]);
    bench.finish('committed');
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'read-parked', instrument: A, fromOffset: 0 });
    bench.tell({
      kind: 'parked',
      seq: bench.state.seq,
      instrument: A,
      batch: batchOf(
        [
          [A, '1'],
          [A, '2'],
        ],
        0,
        'parked',
      ),
      nowMs: 9_000,
    });
    expect(bench.lastCommit().nextOffset).toBe(bench.state.position);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1, 2]);
    bench.tell({
      kind: 'parked',
      seq: bench.state.seq,
      instrument: A,
      batch: batchOf([], 2, 'parked'),
      nowMs: 9_001,
    });
    bench.finish('committed');
    expect(bench.ports.some((each) => each.kind === 'released')).toBe(true);
    expect(bench.ledger('X')).toMatchObject({ read: 7, parked: 0, first: 5, rejected: 2 });
    bench.batch([[A, '3']]);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1, 2, 3]);
  });

  test('a release with nothing parked brings the calendar that was missed, and the whole budget', () => {
    const bench = started();
    bench.batch([
      [A, '1'],
      [A, 'boom'],
      [A, 'boom'],
    ]);
    bench.finish('committed');
    const news = JSON.stringify({ market: 'X', run: 'R', advance_to: 7_000 });
    bench.batch([[CALENDAR_KEY, news]]);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1]);
    bench.tell({ kind: 'release', instrument: A });
    const { seq } = bench.state;
    bench.tell({ kind: 'parked', seq, instrument: A, batch: batchOf([], 0, 'parked'), nowMs: 6 });
    expect(bench.lastCommit().state.map(({ key }) => key)).toContain(`i:${A}\u0000all`);
    bench.finish('committed');
    expect(bench.ports.some((each) => each.kind === 'released')).toBe(true);
    expect(bench.values(A)).toEqual([1, -7]);
    bench.batch([
      [A, 'boom'],
      [A, '2'],
    ]);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1, -7, 2, -7]);
    for (const ledger of bench.state.ledgers.values()) expect(imbalance(ledger)).toBe(0);
  });

  test('a full parking pauses the partition and says so; nothing is dropped', () => {
    const bench = started();
    bench.batch([
      [A, 'boom'],
      [A, 'boom'],
      [A, '1'],
      [A, '2'],
      [A, '3'],
    ]);
    bench.finish('committed');
    const { position } = bench.state;
    bench.tell({
      kind: 'polled',
      seq: bench.state.seq,
      batch: batchOf(
        [
          [A, '4'],
          [A, '5'],
        ],
        position,
      ),
      nowMs: 7,
    });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'paused' });
    expect([bench.state.phase, bench.state.position]).toEqual(['paused', position]);
    bench.tell({ kind: 'release', instrument: A });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'read-parked' });
  });

  test('an actor that came back gets its unanswered part again', () => {
    const bench = started();
    const held: RouterEffect[] = [];
    const step = bench.behaviour(bench.state, {
      kind: 'polled',
      seq: bench.state.seq,
      batch: batchOf([[A, '1']], 0),
      nowMs: 5,
    });
    bench.state = step.state;
    held.push(...step.effects);
    bench.tell({ kind: 'respawned', instrument: A });
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1]);
    expect(held.map((each) => each.kind)).toEqual(['fold']);
  });
});

test('calendar news reach every instrument of the run, later ones too, and are forwarded in place', () => {
  const bench = started();
  bench.batch([
    [A, '1'],
    ['X:Q:C', '5'],
  ]);
  bench.finish('committed');
  const news = JSON.stringify({ market: 'X', run: 'R', advance_to: 7_000 });
  const commit = bench.batch([[CALENDAR_KEY, news]]);
  const partition = { beside: { topic: 'in', partition: 3 }, version: 1 };
  expect(commit.outputs[0]).toMatchObject({ topic: 'topic.enriched', key: CALENDAR_KEY, partition });
  bench.finish('committed');
  bench.batch([[B, '2']]);
  bench.finish('committed');
  expect([bench.values(A), bench.values(B), bench.values('X:Q:C')]).toEqual([[1, -7], [2, -7], [5]]);
  expect(bench.ledger('X').read).toBe(3);
});

test('calendar news reach an instrument when something of it is due, or before its next records', () => {
  const dueMs = (state: Added) => (state.length > 1 ? Number.POSITIVE_INFINITY : 6_000);
  const bench = started({ ...addingStage, dueMs });
  const to = (ms: number) => JSON.stringify({ market: 'X', run: 'R', advance_to: ms * 1_000 });
  const news = (ms: number): [string, string] => [CALENDAR_KEY, to(ms)];
  const values = (...records: [string, string][]): unknown => {
    bench.batch(records);
    bench.finish('committed');
    return bench.values(A);
  };
  expect(values([A, '1'])).toEqual([1]);
  expect(values(news(5_000))).toEqual([1]);
  expect(values(news(6_000))).toEqual([1, -6_000]);
  expect(values(news(7_000))).toEqual([1, -6_000]);
  // A batch that is done again is owed the same.
  bench.batch([news(8_000), [A, '2']]);
  bench.finish('aborted');
  bench.tell({ kind: 'retry', seq: bench.state.seq });
  bench.finish('committed');
  expect(bench.values(A)).toEqual([1, -6_000, -7_000, 2, -8_000]);
});

describe('a failure', () => {
  const quarantined = (): Bench => {
    const bench = started();
    bench.batch([
      [A, 'boom'],
      [A, 'boom'],
      [A, '1'],
    ]);
    bench.finish('committed');
    return bench;
  };

  test('of a read backs off ever longer and reads the same again', () => {
    const bench = started();
    for (const attempt of [0, 1, 2]) {
      bench.tell({ kind: 'failed', seq: bench.state.seq, cause: 'disk' });
      expect(bench.ports.at(-1)).toMatchObject({ kind: 'back-off', attempt });
      bench.tell({ kind: 'retry', seq: bench.state.seq });
      expect(bench.ports.at(-1)).toMatchObject({ kind: 'poll', position: 0 });
    }
    bench.batch([[A, '1']]);
    bench.finish('committed');
    expect(bench.state.attempt).toBe(0);
  });

  test('of the read of parked records does not forget the release', () => {
    const bench = quarantined();
    bench.tell({ kind: 'release', instrument: A });
    bench.tell({ kind: 'failed', seq: bench.state.seq, cause: 'disk' });
    bench.tell({ kind: 'retry', seq: bench.state.seq });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'read-parked', instrument: A, fromOffset: 0 });
  });

  test('while draining leaves the batch to whoever comes next; one in back-off is not waited for', () => {
    for (const order of [
      ['drain', 'fail'],
      ['fail', 'drain'],
    ] as const) {
      const bench = started();
      bench.batch([[A, '1']]);
      for (const what of order) {
        if (what === 'drain') bench.tell({ kind: 'drain' });
        else bench.finish('aborted');
      }
      expect(bench.ports.at(-1)).toMatchObject({ kind: 'stopped' });
      expect(bench.values(A)).toEqual([]);
    }
  });

  test('an answer to an earlier read or batch is ignored', () => {
    const bench = started();
    const { seq } = bench.state;
    bench.batch([[A, '1']]);
    bench.finish('committed');
    const before = bench.state;
    bench.tell({ kind: 'polled', seq, batch: batchOf([[A, '1']], 0), nowMs: 9 });
    bench.tell({ kind: 'committed', seq, outcome: 'aborted' });
    bench.tell({ kind: 'retry', seq });
    expect(bench.state).toEqual(before);
  });

  test('an actor that comes back while the commit is under way changes nothing of it', () => {
    const bench = started();
    bench.batch([[A, '1']]);
    const before = bench.ports.length;
    bench.tell({ kind: 'respawned', instrument: A });
    expect(bench.ports.length).toBe(before);
    bench.finish('committed');
    expect(bench.values(A)).toEqual([1]);
  });

  test('of a parked record is told with the place where the record stood first', () => {
    const bench = quarantined();
    const parked = bench.lastCommit().outputs.find((each) => each.topic === 'parked');
    const bytesOf = parked?.value instanceof Uint8Array ? parked.value : bytes('');
    expect(unpackParked(bytesOf).origin).toEqual({ topic: 'in', partition: 3, offset: 2 });
    bench.tell({ kind: 'release', instrument: A });
    const plain = batchOf([[A, 'boom']], 7, 'parked');
    const batch = { ...plain, origin: () => ({ topic: 'in', partition: 3, offset: 2 }) };
    bench.tell({ kind: 'parked', seq: bench.state.seq, instrument: A, batch, nowMs: 9 });
    expect(bench.lastCommit().outputs.map((each) => [each.topic, each.key])).toEqual([['dead', 'in/3/2']]);
  });
});

test('of several calendar messages in a batch the latest time is stored', () => {
  const bench = started();
  const news = (at: number): Pair => [
    CALENDAR_KEY,
    JSON.stringify({ market: 'X', run: 'R', advance_to: at }),
  ];
  const { state } = bench.batch([news(9_000), news(4_000)]);
  const stored = state.find((each) => each.key === 'r:calendar:X:R')?.value;
  expect(unsealJson(stored ?? bytes(''), [1])).toBe(9);
});

describe('a barrier', () => {
  const layout = grown(baseLayout(4), 6);
  const ids = Array.from({ length: 200 }, (_, n) => `X:R:${n}`);
  const inThis = ids.filter((id) => placed(baseLayout(4), keyHash(id)) === 3);
  const stays = inThis.find((id) => placed(layout, keyHash(id)) === 3) ?? '';
  const moves = inThis.find((id) => placed(layout, keyHash(id)) > 3) ?? '';

  /** Both instruments have a record, and the barrier was polled behind them. */
  function atBarrier(): Bench {
    const bench = started();
    bench.batch([
      [stays, '1'],
      [moves, '2'],
    ]);
    bench.finish('committed');
    const barrier = barrierValue({ topic: 'in', layout }, 0);
    const batch = batchOf([[LAYOUT_KEY, new TextDecoder().decode(barrier)]], 2);
    bench.tell({ kind: 'polled', seq: bench.state.seq, batch, nowMs: 5 });
    return bench;
  }

  const handed = (bench: Bench): void => {
    const changes = [{ key: `i:${moves}\u0000all`, value: null }];
    bench.tell({
      kind: 'handed',
      seq: bench.state.seq,
      handOver: { changes, moved: new Set([moves]) },
    });
  };

  test('is handed over in the commit that takes the position behind it, and counts for nothing', () => {
    const bench = atBarrier();
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'hand-over', barrier: { topic: 'in', layout } });
    handed(bench);
    const commit = bench.lastCommit();
    expect(commit.nextOffset).toBe(3);
    expect(commit.outputs).toEqual([]);
    expect(commit.state.map(({ key }) => key)).toEqual([`i:${moves}\u0000all`, 'r:position', 'r:ledger']);
    expect(bench.state.layout).toBeNull();
    bench.finish('committed');
    expect(bench.state.layout).toEqual(layout);
    expect(bench.ports.at(-2)).toMatchObject({ kind: 'moved', instruments: new Set([moves]) });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'poll', position: 3 });
    expect(bench.ledger('X')).toMatchObject({ read: 2, first: 2 });
  });

  test('whose commit was aborted is handed over again; drained before, it is left to the next owner', () => {
    const bench = atBarrier();
    handed(bench);
    bench.finish('aborted');
    bench.tell({ kind: 'retry', seq: bench.state.seq });
    expect(bench.ports.at(-1)).toMatchObject({ kind: 'hand-over' });
    handed(bench);
    bench.finish('committed');
    expect(bench.state.layout).toEqual(layout);
    const draining = atBarrier();
    draining.tell({ kind: 'drain' });
    draining.tell({ kind: 'failed', seq: draining.state.seq, cause: 'the log is away' });
    expect(draining.state).toMatchObject({ phase: 'stopped', position: 2, layout: null });
  });

  test('makes stragglers of what comes behind it for those that moved: forwarded, and nothing else', () => {
    const bench = atBarrier();
    handed(bench);
    bench.finish('committed');
    const commit = bench.batch([
      [moves, '7'],
      [stays, '8'],
      [moves, '9'],
    ]);
    const strays = commit.outputs.filter(({ topic }) => topic === 'in');
    expect(strays).toEqual([
      { topic: 'in', key: moves, value: bytes('7') },
      { topic: 'in', key: moves, value: bytes('9') },
    ]);
    bench.finish('committed');
    expect(bench.values(stays)).toEqual([1, 8]);
    const ledger = bench.ledger('X');
    expect(ledger).toMatchObject({ read: 5, first: 3, forwarded: 2, emitted: { ticks: 2 } });
    expect(imbalance(ledger)).toBe(0);
  });

  test('sends calendars on beside the place, as of the layout that was read', () => {
    const bench = atBarrier();
    handed(bench);
    bench.finish('committed');
    const news = JSON.stringify({ market: 'X', run: 'R', advance_to: 7_000 });
    const [calendar] = bench.batch([[CALENDAR_KEY, news]]).outputs;
    expect(calendar?.partition).toEqual({ beside: { topic: 'in', partition: 3 }, version: 2 });
  });

  test('of the past is passed over', () => {
    const bench = atBarrier();
    bench.tell({ kind: 'handed', seq: bench.state.seq, handOver: { changes: [], moved: new Set() } });
    bench.finish('committed');
    const old = barrierValue({ topic: 'in', layout: asOf(layout, 2) }, 0);
    const batch = batchOf([[LAYOUT_KEY, new TextDecoder().decode(old)]], 3);
    bench.tell({ kind: 'polled', seq: bench.state.seq, batch, nowMs: 5 });
    bench.tell({ kind: 'handed', seq: bench.state.seq, handOver: { changes: [], moved: new Set() } });
    bench.finish('committed');
    expect(bench.state).toMatchObject({ position: 4, layout });
  });
});
