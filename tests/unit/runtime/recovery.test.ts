// Stored states of the real stages, damaged in every way that one bit or one cut can damage them: each is
// found, and what recovery folds again from the log is the state as it was. A state as the format before
// wrote it is read.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { aggregationStage } from '../../../actors/aggregate.ts';
import { assessmentStage } from '../../../actors/assess.ts';
import { seal, unseal } from '../../../actors/domain/sealed.ts';
import { enrichmentStage } from '../../../actors/enrich.ts';
import { type Slot, slotOf } from '../../../actors/slot.ts';
import type { Stage } from '../../../actors/stage.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../runtime/log/embedded.ts';
import type { Log } from '../../../runtime/log/log.ts';
import { PackedStore } from '../../../runtime/packed-store.ts';
import type { PartitionPlan } from '../../../runtime/partition-plan.ts';
import { foldAgain, recoverSlots } from '../../../runtime/recovery.ts';
import { Resting } from '../../../runtime/resting.ts';
import { glanceOf, slotMaker } from '../../../runtime/slot-maker.ts';
import { temporaryDirectory } from '../../support/product.ts';
import { testOptions } from '../../support/sample-ticks.ts';
import { lmpTick, TEN_O_CLOCK } from '../../support/wire-ticks.ts';

const ID = 'CAISO:RTM:TH_SP15_GEN-APND';
const OF = { topic: 'ticks', partition: 0 };
const FIVE_MINUTES = 300_000;
const TICKS = 290;
const encoder = new TextEncoder();
const dir = temporaryDirectory();
let log: Log;

const ticks = Array.from({ length: TICKS }, (_, n) => {
  const startMs = TEN_O_CLOCK + n * FIVE_MINUTES;
  const end = { interval_end: (startMs + FIVE_MINUTES) * 1_000 };
  return JSON.stringify(lmpTick(startMs, (n * 7_919) / 1_000 - 40, { run: 'RTM', ...end }));
});

const calendar = JSON.stringify({
  data_type: 'calendar',
  market: 'CAISO',
  run: 'RTM',
  advance_to: (TEN_O_CLOCK + 30 * 3_600_000) * 1_000,
});

beforeAll(async () => {
  log = openEmbeddedLog({ dir: dir.path, nowMs: () => 0 });
  await log.bootstrap([{ name: OF.topic, partitions: 1, retentionMs: null, compacted: false }]);
  for (let at = 0; at < TICKS; at += 97) {
    const outputs = ticks.slice(at, at + 97).map((value) => ({ topic: OF.topic, key: ID, value }));
    await log.append('test', outputs, []);
  }
  await log.append('test', [{ topic: OF.topic, key: '~calendar', value: calendar, partition: 0 }], []);
});

afterAll(async () => {
  await log.close();
  dir[Symbol.dispose]();
});

function partsOf(slot: Slot): Map<string, Uint8Array> {
  const parts = new Map<string, Uint8Array>();
  for (const { part, bytes } of slot.changes()) if (bytes !== null) parts.set(part, bytes);
  return parts;
}

const hexOf = (parts: ReadonlyMap<string, Uint8Array>) =>
  Object.fromEntries([...parts].map(([part, bytes]) => [part, Buffer.from(bytes).toString('hex')]).sort());

/** The state after everything on the log, folded at once. */
function folded<State>(stage: Stage<State>): Map<string, Uint8Array> {
  const records = ticks.map((text, offset) => ({ offset, value: encoder.encode(text) }));
  const slot = slotOf(stage, stage.initial(ID)).fold(records, { nowMs: 0 }).slot;
  const advanced = slot.advance(TEN_O_CLOCK + 30 * 3_600_000, { nowMs: 0 }).slot;
  return partsOf(advanced.replacing([]));
}

async function recovered(make: PartitionPlan['slot'], parts: ReadonlyMap<string, Uint8Array>) {
  const told: string[] = [];
  const settings = {
    service: 's',
    tenantId: 't',
    topicOf: () => OF.topic,
    deadLetterTopic: '',
    parkingTopic: '',
    calendarTo: null,
    marketOf: () => 'CAISO',
    outputBytesMax: 1_000_000,
    parkedMax: 10,
    strayTo: null,
    work: { kind: 'sharded', slotKey: 's' },
  } as const;
  const plan: PartitionPlan = {
    settings,
    recordsMax: 50,
    backoff: { initialMs: 1, maxMs: 1, jitter: 0 },
    slot: make,
    past: null,
    work: null,
    progress: () => {},
    defect: () => {},
  };
  const ports = { log, clock: systemClock, record: (of: { cause: string }) => void told.push(of.cause) };
  const router = {
    position: TICKS + 1,
    ledgers: new Map(),
    quarantines: new Map(),
    calendar: new Map(),
    layout: null,
  };
  const store = new PackedStore();
  store.put(ID, parts);
  const { slots, instruments } = await recoverSlots(ports, plan, OF, router, store);
  expect(instruments.map(([id]) => id)).toEqual([ID]);
  const resting = new Resting(make, store, slots);
  const damage = resting.wake(ID);
  const damaged = damage === null ? [] : [damage];
  for (const [id, slot] of await foldAgain(ports, plan, OF, router, damaged)) resting.replace(id, slot);
  return { slot: resting.take(ID), told };
}

const options = testOptions();
const STAGES = [
  stageOf(aggregationStage(options.aggregation)),
  stageOf(enrichmentStage(options.enrichment)),
  stageOf(assessmentStage(options.assessment)),
] as const;

function stageOf<State>(stage: Stage<State>) {
  return [stage.name, slotMaker(stage), folded(stage)] as const;
}

describe.each(STAGES)('a stored state of %s', (_, make, parts) => {
  const damaged = function* (): Generator<Map<string, Uint8Array>> {
    for (const [part, bytes] of parts) {
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        yield new Map(parts).set(part, flipped);
      }
      for (let length = 0; length < bytes.length; length += 1)
        yield new Map(parts).set(part, bytes.slice(0, length));
    }
  };

  test('is read as it was written', async () => {
    const { slot, told } = await recovered(make, parts);
    expect(slot.unusable).toBeNull();
    expect(told).toEqual([]);
    expect(make.glance(ID, parts)).toEqual(glanceOf(slot));
  });

  test('with any bit flipped, or cut at any length, is never a number', () => {
    for (const each of damaged()) {
      expect(make.restore(ID, each).unusable).toContain('stored part');
      expect(() => make.glance(ID, each)).toThrow('stored part');
    }
  }, 60_000);

  test('is folded again from the log to what it was, and stored whole', async () => {
    const wanted = hexOf(parts);
    let n = 0;
    for (const each of damaged()) {
      n += 1;
      if (n % 997 !== 1) continue;
      const { slot, told } = await recovered(make, each);
      expect(slot.unusable).toBeNull();
      expect(hexOf(partsOf(slot))).toEqual(wanted);
      expect(told).toHaveLength(1);
    }
  }, 60_000);

  test('that holds by its checksum and ends too soon is folded again as well', async () => {
    const [part = '', bytes = new Uint8Array()] =
      [...parts].findLast(([name]) => name !== 'head' && name !== 'memory') ?? [];
    const { version, body } = unseal(bytes, [bytes[0] ?? 0]);
    const short = new Map(parts).set(part, seal(version, body.subarray(0, -3)));
    const { slot, told } = await recovered(make, short);
    expect(slot.unusable).toBeNull();
    expect(hexOf(partsOf(slot))).toEqual(hexOf(parts));
    expect(told).toHaveLength(1);
  });
});

test('4 KB and more of aggregation were damaged', () => {
  const [, , parts] = STAGES[0];
  const bytes = [...parts.values()].reduce((sum, each) => sum + each.length, 0);
  expect(bytes).toBeGreaterThan(4_000);
});

/** Three prices of a quarter of an hour and a calendar that is four hours on, as format 1 stored them. */
const FORMAT_1 = {
  head:
    '01cdc5861d05fccd407b226d61784576656e744d73223a313731333436313430303030302c22616476616e6365' +
    '64546f4d73223a313731333436333230303030307d',
  'day:1713423600000':
    '013e26692599b8f9c74278ef0014980000000dbba00000000303431859879b2e10004318598871c1b4004318598948555800' +
    '00280016e36000d71a254d1b2e0029ffddaaf0012e9896481937002a01d905ca02bcadf0def564',
};

describe('a state of the format before', () => {
  const stage = aggregationStage(options.aggregation);
  const id = 'CAISO:RTPD:TH_SP15_GEN-APND';
  const stored = new Map(
    Object.entries(FORMAT_1).map(([part, hex]) => [part, Uint8Array.from(Buffer.from(hex, 'hex'))]),
  );
  const now = () => {
    const prices = [1.5, -2.25, 31.00001].map((price, n) => lmpTick(TEN_O_CLOCK + n * 900_000, price));
    const records = prices.map((tick, offset) => ({ offset, value: encoder.encode(JSON.stringify(tick)) }));
    const { state } = stage.process(stage.initial(id), records, { nowMs: 0 });
    return stage.advance(state, TEN_O_CLOCK + 3_600_000, { nowMs: 0 }).state;
  };

  test('is read, and is stored in the format of today from the next change on', () => {
    const state = stage.restore(id, stored);
    expect(state).toEqual(now());
    const [head] = stage.store(null, state);
    expect([head?.part, head?.bytes?.[0]]).toEqual(['head', 2]);
    expect(stored.get('head')?.[0]).toBe(1);
  });

  test('a day that is lost is noticed since', () => {
    const parts = partsOf(slotOf(stage, now()).replacing([]));
    parts.delete('day:1713423600000');
    expect(slotMaker(stage).restore(id, parts).unusable).toContain('the head names 1713423600000');
    expect(slotMaker(stage).restore(id, new Map()).unusable).toContain('without its head');
  });
});
