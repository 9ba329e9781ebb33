// The instrument's edge: defects are isolated, slots do not touch each other, undo forgets, quarantine parks
// the rest.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type FoldMessage,
  type FoldReply,
  type InstrumentEffect,
  type InstrumentMessage,
  type InstrumentState,
  instrumentBehaviour,
} from '../../../actors/instrument.ts';
import { slotOf, suspendedSlot, unreadableSlot } from '../../../actors/slot.ts';
import { addingStage, bytes } from './adding-stage.ts';

const quarantine = { intensity: 2, periodMs: 1_000 };
const behaviour = instrumentBehaviour({ quarantine, outputBytesMax: 1_000 });

class Actor {
  state: InstrumentState = { id: 'X:R:L', slots: new Map() };
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
    const records = texts.map((text, n) => ({ offset: fromOffset + n, value: bytes(text) }));
    return this.send({ slotKey, records, nowMs });
  }

  send(of: Partial<FoldMessage>): FoldReply {
    this.seq += 1;
    const plain = { kind: 'fold', slotKey: 's', source: 'in/3', records: [] } as const;
    this.tell({ ...plain, owedMs: null, advanceToMs: null, renewed: false, nowMs: 0, seq: this.seq, ...of });
    const last = this.effects.at(-1);
    if (last === undefined) throw new Error('no reply');
    return last.reply;
  }

  commit({ slot, slotKey }: FoldReply): void {
    this.tell({ kind: 'adopt', slotKey, slot: slot.settled() });
  }

  committed(slotKey = 's'): unknown {
    return this.state.slots.get(slotKey)?.inspect().state;
  }
}

describe('the batch in flight', () => {
  test('changes nothing before its commit, so an abort needs no undo', () => {
    const actor = new Actor('s');
    actor.fold(['1', '2']);
    expect(actor.committed()).toEqual([]);
    actor.commit(actor.fold(['3']));
    expect(actor.committed()).toEqual([3]);
  });

  test('slots share nothing: one aborts while the other commits', () => {
    const actor = new Actor('a', 'b');
    actor.fold(['1'], 'a');
    actor.commit(actor.fold(['2'], 'b'));
    expect([actor.committed('a'), actor.committed('b')]).toEqual([[], [2]]);
  });

  test('folding it again gives the same answer, whatever it holds', () => {
    const record = fc.oneof(fc.nat(99).map(String), fc.constantFrom('boom', 'no'));
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (texts) => {
        const actor = new Actor('s');
        const told = ({ slot, seq: _, ...rest }: FoldReply) => ({ ...rest, state: slot.inspect() });
        expect(told(actor.fold(texts))).toEqual(told(actor.fold(texts)));
      }),
    );
  });

  test('its changes are those of the state that is stored, over several commits', () => {
    const actor = new Actor('s');
    const first = actor.fold(['1']);
    actor.commit(first);
    const second = actor.fold(['2']);
    const text = (reply: FoldReply) =>
      reply.changes.map(({ bytes: of }) => new TextDecoder().decode(of ?? bytes('')));
    expect([text(first), text(second)]).toEqual([['[1]'], ['[1,2]']]);
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
      actor.commit(reply);
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
      const reply = actor.fold(['boom']);
      expect([reply.quarantinedAfter, reply.budgetLeft]).toEqual([null, 1]);
      if (n % 2 === 0) actor.commit(reply);
    }
  });

  test('one more than the intensity in the period: quarantine, and the rest is not folded', () => {
    const actor = new Actor('s');
    const reply = actor.fold(['boom', '1', 'boom', '2', 'boom', '3', '4']);
    actor.commit(reply);
    expect(reply.quarantinedAfter).toBe(4);
    expect(reply.defects.length).toBe(3);
    expect(actor.committed()).toEqual([1, 2]);
    expect(reply.tally).toMatchObject({ first: 2, rejected: 3 });
  });

  test('defects further apart than the period never quarantine', () => {
    const actor = new Actor('s');
    for (let n = 0; n < 20; n += 1) {
      const reply = actor.fold(['boom'], 's', n, n * 600);
      expect(reply.quarantinedAfter).toBeNull();
      actor.commit(reply);
    }
  });

  test('of one slot does not use the budget of another', () => {
    const actor = new Actor('a', 'b');
    for (let n = 0; n < 2; n += 1) actor.commit(actor.fold(['boom'], 'a', n));
    expect(actor.fold(['boom'], 'b', 9).budgetLeft).toBe(1);
    expect(actor.fold(['boom'], 'a', 9).quarantinedAfter).toBe(9);
  });

  test('that breaks a promise is found: an output too large, a record without disposition', () => {
    const actor = new Actor('s');
    const reply = actor.fold(['1', 'wide', '2', 'lost', '3']);
    actor.commit(reply);
    expect(reply.refused.map((each) => [each.offset, each.rejection.reason])).toEqual([
      [1, 'oversized_output'],
      [3, 'defect'],
    ]);
    expect(reply.tally).toMatchObject({ first: 3, rejected: 2 });
    expect(actor.committed()).toEqual([1, 2, 3]);
  });

  test('of the calendar costs no record, counts once for each time, and ends in quarantine', () => {
    const actor = new Actor('s');
    const advance = (toMs: number) => {
      const records = [{ offset: toMs, value: bytes('1') }];
      const reply = actor.send({ records, advanceToMs: toMs });
      actor.commit(reply);
      return reply;
    };
    expect([advance(666), advance(666), advance(1_666)].map((each) => each.quarantinedAfter)).toEqual([
      null,
      null,
      null,
    ]);
    const last = advance(2_666);
    expect([last.quarantinedAfter, last.tally.first, last.refused.length]).toEqual([2_666, 1, 0]);
    expect(actor.committed()).toEqual([1, 1, 1, 1]);
  });
});

describe('no record is folded', () => {
  test('on a state that cannot be read, released or not', () => {
    const actor = new Actor('s');
    actor.tell({ kind: 'adopt', slotKey: 's', slot: unreadableSlot('aggregation', 'bit 7') });
    for (const renewed of [false, true]) {
      const reply = actor.send({ records: [{ offset: 4, value: bytes('1') }], renewed });
      expect(reply).toMatchObject({ quarantinedAfter: -1, refused: [], emissions: [], changes: [] });
      expect(reply.defects[0]?.cause).toContain('bit 7');
      actor.commit(reply);
    }
  });

  test('on a suspended state before its release, and then on the state as it was', () => {
    const actor = new Actor('s');
    actor.commit(actor.fold(['1', 'boom', 'boom']));
    const slot = actor.state.slots.get('s');
    if (slot === undefined) throw new Error('no slot');
    actor.tell({ kind: 'adopt', slotKey: 's', slot: suspendedSlot(slot, 'crash loop') });
    expect(actor.fold(['2']).quarantinedAfter).toBe(-1);
    const records = [
      { offset: 9, value: bytes('boom') },
      { offset: 10, value: bytes('2') },
    ];
    const reply = actor.send({ records, renewed: true });
    actor.commit(reply);
    expect([reply.quarantinedAfter, reply.budgetLeft]).toEqual([null, 1]);
    expect(actor.committed()).toEqual([1, 2]);
  });
});

test('any mix of records: each has exactly one disposition, and the good ones are there in order', () => {
  const record = fc.oneof(fc.nat(99).map(String), fc.constantFrom('boom', 'no'));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (texts) => {
      const actor = new Actor('s');
      const reply = actor.fold(texts);
      actor.commit(reply);
      const upTo = reply.quarantinedAfter === null ? texts.length : reply.quarantinedAfter + 1;
      const { first, rejected } = reply.tally;
      expect(first + rejected).toBe(upTo);
      expect(reply.refused.length).toBe(rejected);
      const good = texts.slice(0, upTo).filter((text) => /^\d+$/.test(text));
      expect(actor.committed()).toEqual(good.map(Number));
    }),
  );
});
