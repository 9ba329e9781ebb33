// The connector's behaviour driven by hand: whatever is cut, failed or stopped on the way, each record of
// each response is appended once and in order, and the cursor never says more than the log holds.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type ConnectorEffect,
  type ConnectorMessage,
  type ConnectorState,
  type Cursor,
  connectorBehaviour,
  connectorStart,
} from '../../../actors/connector.ts';
import type { RawRecord } from '../../../actors/domain/wire.ts';
import type { Parsed } from '../../../actors/feeds/feed.ts';

const MINUTE_US = 60_000_000;

function record(response: number, n: number, perInterval: number): RawRecord {
  const id = `${response}-${n}`;
  const start = Math.floor(n / perInterval) * 5 * MINUTE_US;
  return {
    event_id: id,
    trace_id: id,
    occurred_at: start,
    tenant_id: 't',
    schema_version: '1',
    producer: 'connectors',
    data_type: 'lmp',
    market: 'CAISO',
    run: 'RTM',
    delivery_location: 'N',
    interval_start: start,
    interval_end: start + 5 * MINUTE_US,
    publication: 1,
    values: { LMP: '1' },
    labels: {},
    source: { feed: 'f', name: 'n', sha256: 's', rows: [n] },
  };
}

function parsedOf(response: number, count: number): Parsed {
  const records = Array.from({ length: count }, (_, n) => record(response, n, 3));
  return { records, refused: [], ledger: { rowsRead: count, rowsUsed: count, rowsRefused: 0 }, warnings: [] };
}

interface World {
  readonly appended: string[];
  readonly chunks: (readonly RawRecord[])[];
  readonly cursors: Map<string, Cursor>;
  closed: number;
}

interface Plan {
  readonly counts: readonly number[];
  readonly chunkMax: number;
  readonly perInterval: boolean;
  /** Which appends fail, by number. */
  readonly failing: ReadonlySet<number>;
}

/** Runs until nothing is left to do or `stepsMax` messages were taken: a crash. */
function runIn(world: World, plan: Plan, stepsMax: number): ConnectorState {
  const behaviour = connectorBehaviour(plan);
  let state = connectorStart;
  let opened = 0;
  let appends = 0;
  const inbox: ConnectorMessage[] = [{ kind: 'start' }];
  const answer = (effect: ConnectorEffect): ConnectorMessage | null => {
    switch (effect.kind) {
      case 'open-next': {
        const response = opened;
        const count = plan.counts[response];
        if (count === undefined) return { kind: 'no-more' };
        opened += 1;
        const cursor = world.cursors.get(`r${response}`);
        if (cursor !== undefined && cursor.done === cursor.total) return { kind: 'known', cursor };
        const parsed = parsedOf(response, count);
        return { kind: 'opened', response: `r${response}`, name: 'n', parsed, done: cursor?.done ?? 0 };
      }
      case 'await-room':
        return { kind: 'may-go' };
      case 'append':
        appends += 1;
        if (plan.failing.has(appends)) return { kind: 'failed', cause: 'disk' };
        world.appended.push(...effect.records.map((each) => each.event_id));
        world.chunks.push(effect.records);
        world.cursors.set(effect.response, effect.cursor);
        return { kind: 'appended' };
      case 'close-calendar':
        world.closed += 1;
        return { kind: 'appended' };
      case 'back-off':
        return { kind: 'retry' };
      default:
        return null;
    }
  };
  for (let steps = 0; steps < stepsMax; steps += 1) {
    const message = inbox.shift();
    if (message === undefined) break;
    const step = behaviour(state, message);
    state = step.state;
    inbox.push(...step.effects.map(answer).filter((each) => each !== null));
  }
  return state;
}

const plans = fc.record({
  counts: fc.array(fc.nat(20), { maxLength: 5 }),
  chunkMax: fc.integer({ min: 1, max: 8 }),
  perInterval: fc.boolean(),
  failing: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }).map((of) => new Set(of)),
});

const inOrder = ({ counts }: Plan): string[] =>
  counts.flatMap((count, response) => parsedOf(response, count).records.map((each) => each.event_id));

test('every record is appended once and in order, through failures and crashes', () => {
  fc.assert(
    fc.property(plans, fc.array(fc.nat(12), { maxLength: 4 }), (plan, crashes) => {
      const world: World = { appended: [], chunks: [], cursors: new Map(), closed: 0 };
      for (const steps of crashes) runIn(world, plan, steps);
      const state = runIn(world, { ...plan, failing: new Set() }, 10_000);
      expect(state.phase).toBe('finished');
      expect(world.appended).toEqual(inOrder(plan));
      expect(world.closed).toBeGreaterThan(0);
      for (const { done, total } of world.cursors.values()) expect(done).toBe(total);
    }),
  );
});

test('a failed append is done again, not passed over', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const world: World = { appended: [], chunks: [], cursors: new Map(), closed: 0 };
      expect(runIn(world, plan, 10_000).phase).toBe('finished');
      expect(world.appended).toEqual(inOrder(plan));
    }),
  );
});

test('chunks keep their size, and a paced one never spans two intervals', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const world: World = { appended: [], chunks: [], cursors: new Map(), closed: 0 };
      runIn(world, plan, 10_000);
      for (const chunk of world.chunks) {
        expect(chunk.length).toBeLessThanOrEqual(plan.chunkMax);
        const intervals = new Set(chunk.map((each) => each.interval_start));
        if (plan.perInterval) expect(intervals.size).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test('drained, it appends nothing more and asks for nothing more', () => {
  const behaviour = connectorBehaviour({ chunkMax: 2, perInterval: false });
  const opened = behaviour(connectorStart, {
    kind: 'opened',
    response: 'r',
    name: 'n',
    parsed: parsedOf(0, 5),
    done: 0,
  });
  const drained = behaviour(opened.state, { kind: 'drain' });
  expect(behaviour(drained.state, { kind: 'may-go' }).effects).toEqual([]);
});
