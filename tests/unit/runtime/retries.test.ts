// An outage as it is told: the first failure, lines at growing intervals, the recovery; however many try.

import { expect, test } from 'bun:test';
import { Retries } from '../../../runtime/retries.ts';

const HOUR = 3_600_000;

function rig(quietMs: number | null) {
  const told: { kind: string; actor: string; cause: string; decision: string; at: number }[] = [];
  const timers: { at: number; done: () => void }[] = [];
  const world = { now: 0 };
  const retries = new Retries({
    clock: {
      nowMs: () => world.now,
      after(ms, done) {
        timers.push({ at: world.now + ms, done });
        return () => {};
      },
    },
    record: ({ kind, actor, cause, decision }) => told.push({ kind, actor, cause, decision, at: world.now }),
    service: 'projection-service',
    actor: 'services/projection',
    kinds: ['note', 'resume'],
    quietMs,
  });
  const to = (ms: number): void => {
    for (;;) {
      const due = timers.filter(({ at }) => at <= ms).sort((a, b) => a.at - b.at)[0];
      world.now = due?.at ?? ms;
      if (due === undefined) return;
      timers.splice(timers.indexOf(due), 1);
      due.done();
    }
  };
  return { retries, told, to };
}

test('an hour of 72 routers that try every ten seconds: a first line, eight more, the recovery', () => {
  const { retries, told, to } = rig(null);
  const routers = Array.from({ length: 72 }, (_, n) => `router-${n}`);
  for (let ms = 0; ms < HOUR; ms += 10_000) {
    to(ms);
    for (const each of routers) retries.failed(each, 'ClickHouse cannot be reached', 'tried again in 100 ms');
  }
  for (const each of routers) retries.passed(each);
  expect(told[0]).toMatchObject({
    kind: 'note',
    actor: 'router-0',
    decision: 'tried again in 100 ms',
    at: 0,
  });
  const between = told.slice(1, -1);
  expect(between.map(({ at }) => at / 1_000)).toEqual([10, 30, 70, 150, 310, 630, 1_270, 2_550]);
  expect(between.at(-1)?.decision).toBe(`${255 * 72 + 1} tries of 72 failed in 2550 s; going on trying`);
  const last = {
    kind: 'resume',
    actor: 'services/projection',
    cause: `${360 * 72} tries had failed in 3590 s`,
  };
  expect(told.at(-1)).toMatchObject(last);
  retries.passed('router-0');
  expect(told).toHaveLength(10);
});

test('another kind of cause is told when it first shows, the same with other numbers is not', () => {
  const { retries, told } = rig(null);
  retries.failed('a', 'commit of enriched/1 was refused', 'again');
  retries.failed('b', 'commit of enriched/2 was refused', 'again');
  retries.failed('a', 'the disk is full', 'again');
  retries.failed('a', 'the disk is full', 'again');
  expect(told.map(({ cause }) => cause)).toEqual(['commit of enriched/1 was refused', 'the disk is full']);
});

test('it is over when the last of those who failed has passed; who is gone says nothing', () => {
  const { retries, told } = rig(null);
  retries.failed('a', 'x', 'again');
  retries.failed('b', 'x', 'again');
  retries.passed('c');
  retries.passed('a');
  expect(told).toHaveLength(1);
  retries.gone('b');
  expect(told).toHaveLength(1);
  retries.failed('b', 'x', 'again');
  retries.passed('b');
  expect(told.slice(1).map(({ kind }) => kind)).toEqual(['note', 'resume']);
});

test('where nobody says that it is over, quiet does', () => {
  const { retries, told, to } = rig(30_000);
  retries.failed('log', 'Kafka is away', 'again');
  to(20_000);
  retries.failed('log', 'Kafka is away', 'again');
  to(49_000);
  expect(told.map(({ kind }) => kind)).toEqual(['note', 'note']);
  to(50_000);
  expect(told.at(-1)).toMatchObject({ kind: 'resume', cause: '2 tries had failed in 20 s' });
});
