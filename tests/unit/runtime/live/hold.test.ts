// Several processes of one connector's name over one log: exactly one follows, the others stand by without
// writing, and one of them takes over when it is gone. Over a log that refuses as Kafka's writer does.

import { expect, test } from 'bun:test';
import { BEAT_MS, GONE_MS, Hold, POLL_MS } from '../../../../runtime/live/hold.ts';
import type { Holder } from '../../../../runtime/live/store.ts';
import type { Refuse, StateChange } from '../../../../runtime/log/log.ts';
import { writerHeld } from '../../../../runtime/log/log-fault.ts';

/** Time that moves only when it is told to; what is due runs in order. */
class Timeline {
  now = 1_000_000;
  #due: { readonly atMs: number; readonly action: () => void }[] = [];

  after(delayMs: number, action: () => void): () => void {
    const one = { atMs: this.now + delayMs, action };
    this.#due.push(one);
    return () => {
      this.#due = this.#due.filter((each) => each !== one);
    };
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.now + ms;
    for (;;) {
      await settled();
      const next = this.#due.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.now = next.atMs;
      next.action();
    }
    this.now = untilMs;
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await Promise.resolve();
}

/** What is stored, and who had the last epoch. */
class Shared {
  readonly state = new Map<string, Uint8Array>();
  epoch: object | null = null;
  /** Epochs that were begun. */
  epochs = 0;

  holder(): Holder | null {
    const value = this.state.get('holder');
    return value === undefined ? null : JSON.parse(new TextDecoder().decode(value));
  }
}

/** A process's own way to it. */
function logOf(shared: Shared) {
  const own = {};
  let refuse: Refuse = () => null;
  let begun = false;
  let why: string | null = null;
  return {
    take(_: string, by: Refuse): void {
      refuse = by;
      begun = false;
      why = null;
    },
    async writerState() {
      return new Map(shared.state);
    },
    async append(writer: string, _: readonly unknown[], changes: readonly StateChange[]) {
      await Promise.resolve();
      if (why === null && (!begun || shared.epoch !== own)) {
        shared.epoch = own;
        shared.epochs += 1;
        begun = true;
        why = refuse(shared.state);
      }
      if (why !== null) throw writerHeld(writer, why);
      for (const { key, value } of changes) {
        if (value === null) shared.state.delete(key);
        else shared.state.set(key, value);
      }
    },
  };
}

function processOf(shared: Shared, time: Timeline, pid: number, worker = `w${pid}`) {
  const said: string[] = [];
  const life = { alive: true, follows: false, taken: 0, said };
  const missed: (() => void)[] = [];
  const log = logOf(shared);
  const hold = new Hold({
    log,
    // A process that is stopped hears of time only when it goes on.
    clock: {
      nowMs: () => time.now,
      after: (ms, action) => time.after(ms, () => (life.alive ? action() : missed.push(action))),
    },
    self: { id: `id${pid}-${Math.random()}`, worker, host: 'a', pid, url: () => null },
    writer: 'connectors/caiso',
    taken: async () => {
      life.follows = true;
      life.taken += 1;
    },
    lost: () => {
      life.follows = false;
    },
    event: (cause, decision) => life.said.push(`${cause}: ${decision}`),
  });
  const wake = (): void => {
    life.alive = true;
    for (const action of missed.splice(0)) action();
  };
  return { life, hold, log, wake };
}

/** Of one name, over one log; the first has it. */
async function twoProcesses() {
  const shared = new Shared();
  const time = new Timeline();
  const first = processOf(shared, time, 1);
  const second = processOf(shared, time, 2);
  await first.hold.start();
  await second.hold.start();
  return { shared, time, first, second };
}

test('the second stands by without a write, and takes over when the first lets go', async () => {
  const { shared, time, first, second } = await twoProcesses();
  await time.pass(3_600_000);
  expect([first.life.follows, second.life.follows]).toEqual([true, false]);
  expect(second.hold.other?.pid).toBe(1);
  expect(second.life.said).toEqual([expect.stringContaining('process 1 on host a follows it since')]);
  expect(first.life.said).toEqual([]);
  expect(shared.epochs).toBe(1);
  await first.hold.release();
  expect(shared.holder()).toBeNull();
  await time.pass(POLL_MS);
  expect([second.life.follows, second.hold.other]).toEqual([true, null]);
  expect(shared.holder()?.pid).toBe(2);
});

test('who is killed is taken over from when it is silent for long, and no sooner', async () => {
  const { time, first, second } = await twoProcesses();
  await time.pass(BEAT_MS);
  first.life.alive = false;
  await time.pass(GONE_MS - BEAT_MS);
  expect(second.life.follows).toBe(false);
  await time.pass(BEAT_MS + POLL_MS);
  expect(second.life.follows).toBe(true);
});

test('who was taken over from writes nothing when it wakes, and stands by', async () => {
  const { shared, time, first, second } = await twoProcesses();
  first.life.alive = false;
  await time.pass(GONE_MS + POLL_MS);
  expect(second.life.follows).toBe(true);
  // It wakes in the middle of an append of its own.
  const { epochs } = shared;
  const value = new Uint8Array([1]);
  const late = first.log.append('connectors/caiso', [], [{ key: 'window', value }]);
  first.wake();
  await expect(late).rejects.toThrow('process 2 on host a has it');
  await time.pass(3_600_000);
  expect(shared.state.has('window')).toBe(false);
  expect([first.life.follows, second.life.follows]).toEqual([false, true]);
  expect(first.hold.other?.pid).toBe(2);
  // One epoch to find out, and one of the other's to go on.
  expect(shared.epochs - epochs).toBe(2);
  await second.hold.release();
  await time.pass(POLL_MS);
  expect([first.life.follows, first.life.taken]).toEqual([true, 2]);
});

test('a restart goes on at once where it was, and two that share a worker take no turns', async () => {
  const shared = new Shared();
  const time = new Timeline();
  const before = processOf(shared, time, 1, 'same');
  await before.hold.start();
  before.life.alive = false;
  const after = processOf(shared, time, 2, 'same');
  await after.hold.start();
  expect(after.life.follows).toBe(true);
  // The one of before was not gone at all: it is refused once, and stands by.
  const { epochs } = shared;
  await time.pass(BEAT_MS);
  before.wake();
  await time.pass(3_600_000);
  expect([before.life.follows, after.life.follows, after.life.taken]).toEqual([false, true, 1]);
  expect(shared.epochs - epochs).toBe(2);
});

test('of many that begin and die in any order one follows, and none waits for ever', async () => {
  const shared = new Shared();
  const time = new Timeline();
  const all = [1, 2, 3, 4].map((pid) => processOf(shared, time, pid));
  await Promise.all(all.map(({ hold }) => hold.start()));
  for (const dies of [...all, null]) {
    await time.pass(2 * (GONE_MS + POLL_MS));
    const alive = all.filter(({ life }) => life.alive);
    expect(alive.filter(({ life }) => life.follows)).toHaveLength(alive.length === 0 ? 0 : 1);
    if (dies !== null) dies.life.alive = false;
  }
});
