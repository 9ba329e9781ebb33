// The instrument's edge: defects are isolated, slots do not touch each other, undo forgets, quarantine parks
// the rest.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type FoldReply,
  type InstrumentEffect,
  type InstrumentMessage,
  type InstrumentState,
  instrumentBehaviour,
} from '../../../actors/instrument.ts';
import { slotOf } from '../../../actors/slot.ts';
import { NO_RESTARTS } from '../../../actors/supervision.ts';
import { addingStage, bytes } from './adding-stage.ts';

const policy = { intensity: 2, periodMs: 1_000 };
const behaviour = instrumentBehaviour(policy);

class Actor {
  state: InstrumentState = { id: 'X:R:L', slots: new Map(), restarts: NO_RESTARTS };
  effects: InstrumentEffect[] = [];
  seq = 0;

  constructor(...slotKeys: string[]) {
    for (const slotKey of slotKeys) this.tell({ kind: 'adopt', slotKey, slot: slotOf(addingStage, []) });
  }

  tell(message: InstrumentMessage): void {
    const step = behaviour(this.state, message);
    this.state = step.state;
    this.effects.push(...step.effects);
  }

  fold(texts: readonly string[], slotKey = 's', fromOffset = 0, nowMs = 0): FoldReply {
    this.seq += 1;
    const records = texts.map((text, n) => ({ offset: fromOffset + n, value: bytes(text) }));
    this.tell({ kind: 'fold', slotKey, seq: this.seq, records, advanceToMs: null, nowMs });
    const last = this.effects.at(-1);
    if (last?.kind !== 'reply') throw new Error('no reply');
    return last.reply;
  }

  settle(outcome: 'commit' | 'undo', slotKey = 's'): void {
    this.tell({ kind: 'settle', slotKey, seq: this.seq, outcome });
  }

  committed(slotKey = 's'): unknown {
    return this.state.slots.get(slotKey)?.inspect().state;
  }
}

describe('the batch in flight', () => {
  test('is not seen before its commit, and forgotten by undo', () => {
    const actor = new Actor('s');
    actor.fold(['1', '2']);
    expect(actor.committed()).toEqual([]);
    actor.settle('undo');
    expect(actor.committed()).toEqual([]);
    actor.fold(['3']);
    actor.settle('commit');
    expect(actor.committed()).toEqual([3]);
  });

  test('a settle of another batch changes nothing', () => {
    const actor = new Actor('s');
    actor.fold(['1']);
    actor.tell({ kind: 'settle', slotKey: 's', seq: 99, outcome: 'commit' });
    expect(actor.committed()).toEqual([]);
  });

  test('slots share nothing: one aborts while the other commits', () => {
    const actor = new Actor('a', 'b');
    actor.fold(['1'], 'a');
    const seqA = actor.seq;
    actor.fold(['2'], 'b');
    actor.settle('commit', 'b');
    actor.tell({ kind: 'settle', slotKey: 'a', seq: seqA, outcome: 'undo' });
    expect([actor.committed('a'), actor.committed('b')]).toEqual([[], [2]]);
  });

  test('folding the same batch again starts from the committed state', () => {
    const actor = new Actor('s');
    actor.fold(['1']);
    actor.fold(['1']);
    actor.settle('commit');
    expect(actor.committed()).toEqual([1]);
  });
});

describe('a defect', () => {
  for (const [where, texts, kept] of [
    ['first', ['boom', '2', '3'], [2, 3]],
    ['last', ['1', '2', 'boom'], [1, 2]],
    ['in the middle', ['1', 'boom', '3'], [1, 3]],
    ['alone', ['boom'], []],
  ] as const) {
    test(`${where} of a batch costs that record only`, () => {
      const actor = new Actor('s');
      const reply = actor.fold(texts);
      actor.settle('commit');
      expect(actor.committed()).toEqual(kept);
      expect(reply.refused.map((each) => [each.offset, each.rejection.reason])).toEqual([
        [texts.indexOf('boom'), 'defect'],
      ]);
      expect(reply.tally.first + reply.tally.rejected).toBe(texts.length);
      expect(reply.quarantinedAfter).toBeNull();
    });
  }

  test('counts once however often its batch is done again', () => {
    const actor = new Actor('s');
    for (let n = 0; n < 10; n += 1) {
      expect(actor.fold(['boom']).quarantinedAfter).toBeNull();
      actor.settle('undo');
    }
  });

  test('one more than the intensity in the period: quarantine, and the rest is not folded', () => {
    const actor = new Actor('s');
    const reply = actor.fold(['boom', '1', 'boom', '2', 'boom', '3', '4']);
    actor.settle('commit');
    expect(reply.quarantinedAfter).toBe(4);
    expect(reply.defects.length).toBe(3);
    expect(actor.committed()).toEqual([1, 2]);
    expect(reply.tally).toMatchObject({ first: 2, rejected: 3 });
  });

  test('defects further apart than the period never quarantine', () => {
    const actor = new Actor('s');
    for (let n = 0; n < 20; n += 1) {
      expect(actor.fold(['boom'], 's', n, n * 600).quarantinedAfter).toBeNull();
      actor.settle('commit');
    }
  });
});

test('any mix of records: each has exactly one disposition, and the good ones are there in order', () => {
  const record = fc.oneof(fc.nat(99).map(String), fc.constantFrom('boom', 'no'));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (texts) => {
      const actor = new Actor('s');
      const reply = actor.fold(texts);
      actor.settle('commit');
      const upTo = reply.quarantinedAfter === null ? texts.length : reply.quarantinedAfter + 1;
      const { first, rejected } = reply.tally;
      expect(first + rejected).toBe(upTo);
      expect(reply.refused.length).toBe(rejected);
      const good = texts.slice(0, upTo).filter((text) => /^\d+$/.test(text));
      expect(actor.committed()).toEqual(good.map(Number));
    }),
  );
});
